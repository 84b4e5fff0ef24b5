"""Requests over HTTP: the one file that knows httpx.

A transport of httpx with a single connection serves each request in flight, all on one TLS context: httpx looks at every
connection of a pool at every request, so a pool costs more the larger it is. Of httpx's client above it, which takes a tenth
of a scrape's CPU time, nothing is wanted: no redirects, cookies or credentials. Bodies are read as a stream and unpacked
piece by piece, so that neither a huge answer nor a small one that unpacks to a huge one takes more memory than allowed.
"""

import asyncio
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from weakref import WeakSet

import httpx

from exporter.core.secret import Secret
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, ConnectionFailed, FlatfileError, Timeout, TooLarge
from exporter.flatfile.network import Network, Stream
from exporter.flatfile.resolver import Resolver
from exporter.flatfile.unpacking import PIECE, BadPacking, Unpacker

_ERROR_BODY_BYTES = 64 * 1024  # of an answer that is no success nothing is used: enough to keep the connection
_MAX_IDLE = 64  # connections that all accounts together keep open between their scrapes, and one for each at least
_IDLE_SECONDS = 2.0  # after which an account gives up what it has of them beyond its share
_MAX_SMALL_PIECES = 1000  # of one body, each of which costs time, whatever its size
_MIN_PIECE = 64  # bytes of a piece on average, where there are more
_JSON = re.compile(rb"\s*[{\[]")

_resolver = Resolver()


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `body` is unpacked, and empty unless the status is 2xx; `wire_bytes` is what came over the wire.

    Neither the body nor the headers are shown: a token may be in them.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | bytearray = field(repr=False)
    wire_bytes: int

    @property
    def is_html(self) -> bool:
        """Whether this is a web page: a proxy's, a login form's, or a path that the API does not have."""
        return "html" in self.headers.get("content-type", "").lower()

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON, as far as its type or its beginning tell."""
        return "json" in self.headers.get("content-type", "").lower() or _JSON.match(self.body) is not None


class Transport:
    """Sends what `Endpoint` lists to one host, never follows a redirect, and keeps connections for the next request.

    The number of requests in flight is bounded by the caller. `verify` is the TLS context, or `None` for plain http;
    `reread` returns the context to use after a certificate was not valid, as the CA certificates may have been replaced.
    Raises ValueError for a proxy that cannot be used.
    """

    _open: ClassVar[WeakSet["Transport"]] = WeakSet()

    def __init__(
        self,
        *,
        user_agent: str,
        verify: ssl.SSLContext | None = None,
        reread: Callable[[], Awaitable[ssl.SSLContext]] | None = None,
        proxy: str | None = None,
        resolver: Resolver = _resolver,
    ) -> None:
        self._verify: ssl.SSLContext | bool = verify if verify is not None else False
        self._reread = reread
        self._proxy = proxy
        self._network = Network(resolver)
        self._headers = {
            "User-Agent": user_agent,
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Connection": "keep-alive",
            "X-Disable-Hooks": "true",  # every official client sends it always
        }
        try:
            self._idle = [self._connection()]
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            # its text may hold the proxy's password
            raise ValueError(f"a proxy that cannot be used ({type(error).__name__})") from None
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False
        self._trimming: asyncio.TimerHandle | None = None
        self._open.add(self)

    async def send(
        self,
        base: str,
        endpoint: Endpoint,
        *,
        params: Mapping[str, str],
        bearer: Secret | None,
        body: Secret | None,
        timeout: float,
        max_bytes: int,
    ) -> Answer:
        """Send one request and read its whole answer within `timeout` seconds, keeping at most `max_bytes` of its body.

        `body` is JSON. Raises Timeout, ConnectionFailed, TooLarge, or BadResponse (a coding that was not asked for, or
        broken; an address that cannot be written). No error leads back to httpx's own, which would hold the bearer.
        """
        if not isinstance(endpoint, Endpoint):
            raise TypeError("only what Endpoint lists can be sent")
        connection = self._idle.pop() if self._idle else self._connection()
        whole = False
        failure: FlatfileError
        try:
            async with asyncio.timeout(timeout):
                request = self._request(base, endpoint, params, bearer, body)
                response = await connection.handle_async_request(request)
                try:
                    answer = await _read(response, str(endpoint), max_bytes)
                finally:
                    await response.aclose()
            whole = True
            return answer
        except (TimeoutError, httpx.TimeoutException):
            failure = Timeout(f"no complete answer within {timeout:g}s", endpoint=str(endpoint))
        except httpx.ConnectError as error:
            failure = ConnectionFailed(f"cannot connect: {_cause(error)}", endpoint=str(endpoint))
            if self._reread is not None and any(isinstance(e, ssl.SSLCertVerificationError) for e in _causes(error)):
                await self._use(self._reread)
        except (httpx.TransportError, OSError) as error:  # a late TLS alert comes as OSError
            failure = ConnectionFailed(f"the connection broke: {_cause(error)}", endpoint=str(endpoint))
        except (httpx.InvalidURL, UnicodeError):
            failure = BadResponse("an id or parameter that no address can hold", endpoint=str(endpoint))
        finally:
            self._release(connection, keep=whole)
        raise failure

    async def _use(self, reread: Callable[[], Awaitable[ssl.SSLContext]]) -> None:
        """Read the TLS context again for new connections; keep the old one if that fails."""
        with contextlib.suppress(OSError, ValueError):
            context = await reread()
            if context is not self._verify:
                self._verify = context
                while self._idle:
                    self._release(self._idle.pop(), keep=False)

    def _connection(self) -> httpx.AsyncHTTPTransport:
        connection = httpx.AsyncHTTPTransport(
            verify=self._verify,
            proxy=self._proxy,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60),
        )
        connection._pool._network_backend = self._network  # httpcore has a parameter for it, httpx none
        return connection

    def _request(
        self, base: str, endpoint: Endpoint, params: Mapping[str, str], bearer: Secret | None, body: Secret | None
    ) -> httpx.Request:
        """Return the request, without a timeout of httpx's own: `send` bounds the whole exchange."""
        headers = dict(self._headers)
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer.reveal()}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = None if body is None else body.reveal().encode()
        path, query = endpoint.target(params)
        return httpx.Request(endpoint.method, base + path, params=query, headers=headers, content=content)

    def _release(self, connection: httpx.AsyncHTTPTransport, *, keep: bool) -> None:
        """Keep a connection for the next request; close one whose last exchange did not end well, whatever is left of it."""
        if keep and not self._closed:
            self._idle.append(connection)
            if len(self._idle) > 1 and self._trimming is None:
                self._trimming = asyncio.get_running_loop().call_later(_IDLE_SECONDS, self._trim)
            return
        # a task of its own, because whoever asked may have been cancelled
        closing = asyncio.create_task(connection.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _trim(self) -> None:
        """Close idle connections beyond this account's share: each takes some 70 KiB, and there may be many accounts."""
        self._trimming = None
        share = max(1, _MAX_IDLE // len(self._open))
        surplus, self._idle = self._idle[:-share], self._idle[-share:]
        for connection in surplus:
            self._release(connection, keep=False)

    async def aclose(self) -> None:
        """Close all idle connections; those in use are closed as soon as they are not."""
        self._closed = True
        self._open.discard(self)
        if self._trimming is not None:
            self._trimming.cancel()
        while self._idle:
            self._release(self._idle.pop(), keep=False)
        await asyncio.gather(*self._closing)


def default_tls_context() -> ssl.SSLContext:
    """The usual authorities: certifi's list, or what the environment's SSL_CERT_FILE and SSL_CERT_DIR name."""
    return httpx.create_ssl_context()


async def _read(response: httpx.Response, endpoint: str, max_bytes: int) -> Answer:
    ok = 200 <= response.status_code < 300
    limit = max_bytes if ok else min(max_bytes, _ERROR_BODY_BYTES)
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if ok and coding not in ("gzip", "x-gzip", "identity", ""):
        raise BadResponse(
            "an answer in a coding that was not asked for", endpoint=endpoint, status=response.status_code
        )

    def failed(why: str) -> BadResponse:
        return BadResponse(why, endpoint=endpoint, status=response.status_code)

    unpacker = Unpacker() if ok and "gzip" in coding else None
    body = bytearray()
    wire = pieces = 0
    stream = response.extensions["network_stream"]
    if isinstance(stream, Stream):
        stream.begin_body()
    try:
        async for piece in response.aiter_raw():
            wire += len(piece)
            pieces += 1
            if pieces > _MAX_SMALL_PIECES + wire // _MIN_PIECE:
                raise failed("an answer in too many small pieces")
            for unpacked in unpacker.unpack(piece) if unpacker else (piece,):
                body += unpacked
                if len(body) > limit or wire > limit:
                    break
                if len(unpacked) == PIECE:
                    await asyncio.sleep(0)  # there is more, and others wait
            if len(body) > limit or wire > limit:
                if not ok:
                    break
                body.clear()
                raise TooLarge(f"an answer of more than {limit} bytes", endpoint=endpoint, status=response.status_code)
        if unpacker:
            unpacker.end()
    except BadPacking as error:
        raise failed(str(error)) from None
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=body if ok else b"",
        wire_bytes=wire,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those that led to it; of several, one for each address of the host, the last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.exceptions[-1] if isinstance(seen, BaseExceptionGroup) else seen.__cause__ or seen.__context__


def _cause(error: BaseException) -> str:
    """Name the operating system's or TLS' own reason, else the kind of error: its text may quote what the server sent."""
    for seen in _causes(error):
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"the certificate is not valid ({seen.verify_message})"
        if isinstance(seen, socket.gaierror | ssl.SSLError) and seen.strerror:
            return seen.strerror  # these count in numbers of their own
        if isinstance(seen, OSError) and seen.errno:
            return os.strerror(seen.errno)  # asyncio's own text holds the address
    return type(error).__name__
