"""Host names to addresses. A look-up may hang, so each runs on a thread that nothing else needs."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from exporter.core.worker import start_thread

MAX_LOOK_UP = 10.0  # seconds that somebody waits for one
MAX_LOOK_UPS = 32  # under way; those that hang count until they end


class Resolver:
    """Looks up host names, each by one look-up at a time, however many ask.

    The threads are daemons: a look-up that hangs keeps neither the event loop, nor another host, nor the process.
    """

    def __init__(self, look_up: Callable[..., Sequence[Any]] = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._under_way: dict[str, Future[list[str]]] = {}

    async def addresses(self, host: str) -> list[str]:
        """Return a host's addresses, in the order in which to try them. Raises socket.gaierror."""
        try:
            return [str(ipaddress.ip_address(host))]
        except ValueError:
            future = self._start(host)
        try:
            async with asyncio.timeout(MAX_LOOK_UP):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise socket.gaierror(socket.EAI_AGAIN, f"no name resolution within {MAX_LOOK_UP:.0f}s") from None
        except UnicodeError:
            raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
        except RuntimeError:
            raise socket.gaierror(socket.EAI_AGAIN, "no thread for name resolution") from None

    def _start(self, host: str) -> Future[list[str]]:
        """Start a look-up, or join the one under way."""
        future = self._under_way.get(host)
        if future is None:
            if len(self._under_way) >= MAX_LOOK_UPS:
                raise socket.gaierror(socket.EAI_AGAIN, "too many name resolutions hang")
            future = self._under_way[host] = start_thread("name resolution", lambda: self._find(host))
            future.add_done_callback(lambda _: self._under_way.pop(host, None))
        return future

    def _find(self, host: str) -> list[str]:
        found = self._look_up(host, None, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(item[4][0] for item in found))
