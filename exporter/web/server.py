"""Runs the HTTP server: listening sockets, connections, graceful shutdown."""

import contextlib
import errno
import ipaddress
import os
import resource
import socket
import ssl
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from exporter.web.absolute_form import AbsoluteForm
from exporter.web.disconnects import CancelOnDisconnect
from exporter.web.listener import Listener
from exporter.web.signals import Signals
from exporter.web.slow_clients import ClientLimits, Connection

GRACE = 3  # seconds for open connections at shutdown
MAX_HEADER_BYTES = 32 * 1024
LIMITS = ClientLimits()

FIRST_INHERITED = 3  # the descriptor of the first socket that systemd passes

_UNAVAILABLE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)  # where IPv6 is disabled


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; `host` empty means all interfaces, `port` 0 any free one."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Read `HOST:PORT`, `[IPV6]:PORT` or `:PORT`. Raises ValueError that says what is wrong."""
    if _is_ipv6(text):
        raise ValueError(f"{text!r} is not an address: write an IPv6 address in brackets, [{text}]:PORT")
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > 65535:
        raise ValueError(f"{text!r} is not an address: expected HOST:PORT, [IPV6]:PORT, or :PORT for all interfaces")
    if host.startswith("[") and host.endswith("]"):
        if not _is_ipv6(host[1:-1]):
            raise ValueError(f"{text!r} is not an address: no IPv6 address in the brackets")
        return Address(host[1:-1], int(port))
    if ":" in host:
        raise ValueError(f"{text!r} is not an address: write an IPv6 address in brackets, [{host}]:{port}")
    return Address(host, int(port))


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def listen(address: Address) -> list[socket.socket]:
    """Open listening sockets, several where a name has several addresses. Raises OSError that names the address."""
    where = f"{f'[{address.host}]' if ':' in address.host else address.host}:{address.port}"
    try:
        if not address.host:
            return [_all_interfaces(address.port)]
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return _each([*dict.fromkeys((family, place) for family, _, _, _, place in found)])
    except OSError as error:
        raise OSError(f"cannot listen on {where}: {error.strerror or error}") from None
    except UnicodeError:  # what getaddrinfo makes of a name with an empty part or one of more than 63 characters
        raise OSError(f"cannot listen on {where}: not a valid host name") from None


def inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """Return the listening sockets that systemd passed (sd_listen_fds(3)). Raises OSError where there are none."""
    pid, number = environ.pop("LISTEN_PID", ""), environ.pop("LISTEN_FDS", "")
    environ.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not number.isdecimal() or int(number) < 1:
        raise OSError("systemd passed no socket: is there a .socket unit, and was it the one that started the service?")
    opened = []
    for descriptor in range(FIRST_INHERITED, FIRST_INHERITED + int(number)):
        one = socket.socket(fileno=descriptor)
        one.set_inheritable(False)
        one.setblocking(False)
        opened.append(one)
        if one.type != socket.SOCK_STREAM or not one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(f"socket {descriptor} of systemd is not a listening stream socket: use ListenStream=")
    return opened


def _each(places: Sequence[tuple[int, tuple[object, ...]]]) -> list[socket.socket]:
    """Listen on all addresses that this machine has: `localhost` means ::1 also where IPv6 is disabled."""
    opened: list[socket.socket] = []
    unavailable: list[OSError] = []
    with contextlib.ExitStack() as undo:
        for family, place in places:
            try:
                opened.append(undo.enter_context(_bound(family, place)))
            except OSError as error:
                if error.errno not in _UNAVAILABLE:
                    raise
                unavailable.append(error)
        if not opened:
            raise unavailable[0]
        undo.pop_all()
    return opened


def _all_interfaces(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return _bound(socket.AF_INET6, ("::", port), dual=True)
        except OSError as error:
            if error.errno not in _UNAVAILABLE:
                raise
    return _bound(socket.AF_INET, ("0.0.0.0", port))  # noqa: S104 - what `:PORT` asks for


def _bound(family: int, where: tuple[object, ...], *, dual: bool = False) -> socket.socket:
    # asyncio sets TCP_NODELAY only on sockets declared as TCP; without it, the end of each answer waits for 40 ms
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
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


def allow_open_files() -> None:
    """Raise the soft limit of open files to the hard one, so that many clients can connect."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # some systems allow less than they say
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def shown(opened: socket.socket) -> str:
    """Return the address of a listening socket as in a URL, or the path of a Unix socket."""
    if opened.family == socket.AF_UNIX:
        return os.fsdecode(opened.getsockname())
    host, port = opened.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _Server(uvicorn.Server):
    """A server that does not handle signals, and limits clients."""

    def __init__(self, config: uvicorn.Config, limits: ClientLimits) -> None:
        super().__init__(config)
        self._limits = limits

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on these sockets. uvicorn's own server has no limit for the time of a TLS handshake."""
        config, limits = self.config, self._limits

        def connection() -> Connection:
            return Connection(config, self.server_state, self.lifespan.state, limits=limits)

        listeners = [Listener(opened, connection, config.ssl, limits.handshake_timeout) for opened in sockets or ()]
        self.servers = listeners  # type: ignore[assignment]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def server(app: ASGIApp, tls: ssl.SSLContext | None = None, limits: ClientLimits = LIMITS) -> uvicorn.Server:
    """Set up a server: `await server(app).serve(sockets=[…])` serves until its `should_exit` is set.

    With `tls` it speaks TLS, on every socket and to everybody.
    """
    return _Server(
        uvicorn.Config(
            CancelOnDisconnect(AbsoluteForm(app)),
            http="h11",
            loop="asyncio",
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
            ssl_context_factory=None if tls is None else lambda config, default: tls,
        ),
        limits,
    )


async def serve(
    app: ASGIApp,
    sockets: Sequence[socket.socket],
    signals: Signals,
    on_stop: Callable[[], object] = lambda: None,
    tls: ssl.SSLContext | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, which call `on_stop` first; then wait at most 3 s for connections."""
    running = server(app, tls)

    def stop() -> None:
        running.should_exit = True
        on_stop()

    signals.on_stop = stop
    await running.serve(sockets=[*sockets])
