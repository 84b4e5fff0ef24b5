"""Host names to addresses. A look-up may hang, so each runs on a thread that nothing else needs."""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

MAX_LOOK_UP = 10.0  # seconds that somebody waits for one
MAX_LOOK_UPS = 32  # under way; those that hang count until they end


class Resolver:
    """Looks up host names, each by one look-up at a time, however many ask.

    The threads are daemons: a look-up that hangs keeps neither the event loop, nor another host, nor the process.
    """

    def __init__(self, look_up: Callable[..., Sequence[Any]] = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._under_way: dict[str, Future[list[str]]] = {}
        self._lock = threading.Lock()

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

    def _start(self, host: str) -> Future[list[str]]:
        """Start a look-up, or join the one under way."""
        with self._lock:
            future = self._under_way.get(host)
            if future is not None:
                return future
            if len(self._under_way) >= MAX_LOOK_UPS:
                raise socket.gaierror(socket.EAI_AGAIN, "too many name resolutions hang")
            future = Future()
            future.set_running_or_notify_cancel()  # from now on, who goes away cancels nothing
            thread = threading.Thread(target=self._run, args=(host, future), name="name resolution", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                raise socket.gaierror(socket.EAI_AGAIN, "no thread for name resolution") from None
            self._under_way[host] = future
            return future

    def _run(self, host: str, future: Future[list[str]]) -> None:
        try:
            found = self._look_up(host, None, type=socket.SOCK_STREAM)
            result: list[str] | Exception = list(dict.fromkeys(item[4][0] for item in found))
        except (OSError, UnicodeError) as error:
            result = error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, "not a host name")
        with self._lock:
            del self._under_way[host]
        if isinstance(result, list):
            future.set_result(result)
        else:
            future.set_exception(result)
