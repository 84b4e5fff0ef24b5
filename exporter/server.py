"""Runs the web side: listening sockets, signals, an orderly end."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

GRACE = 3  # seconds that scrapes under way may still take after SIGTERM
MAX_HEADER_BYTES = 32 * 1024


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; `host` empty means all interfaces, `port` 0 any free one."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `:PORT`. Raises ValueError that says what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{text!r} is no address: it takes HOST:PORT, [IPV6]:PORT, or :PORT for all interfaces")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{text!r} is no address: an IPv6 address goes in brackets, [{host}]:{port}")
    return Address(host, int(port))


def listen(address: Address) -> list[socket.socket]:
    """Open listening sockets. Raises OSError that names the address."""
    shown = f"{address.host or '*'}:{address.port}"
    try:
        if not address.host:
            return [_all_interfaces(address.port)]
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return [_bound(family, where) for family, where in dict.fromkeys((f, w) for f, _, _, _, w in found)]
    except OSError as error:
        raise OSError(f"cannot listen on {shown}: {error.strerror or error}") from error


def _all_interfaces(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # IPv6 may be switched off
            return _bound(socket.AF_INET6, ("::", port), dual=True)
    return _bound(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104 - what `:PORT` asks for


def _bound(family: int, where: tuple[object, ...], *, dual: bool = False) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        opened.bind(where)
        opened.listen(256)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def shown(opened: socket.socket) -> str:
    """The address of a listening socket, as a URL has it."""
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    """A server whose signals are handled by `serve`, so that it ends with status 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(app: ASGIApp, sockets: Sequence[socket.socket], on_hangup: Callable[[], Awaitable[object]]) -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP calls `on_hangup`. A second SIGTERM does not wait for scrapes under way."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            log_level=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=GRACE,
            timeout_keep_alive=75,
            h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        )
    )
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[object]] = set()

    async def hang_up() -> None:
        await on_hangup()

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    def reload() -> None:
        task: asyncio.Task[object] = loop.create_task(hang_up())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        await server.serve(sockets=[*sockets])
    finally:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(number)
