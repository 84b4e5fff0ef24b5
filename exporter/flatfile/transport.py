"""Requests over HTTP: the one file that knows httpx.

A client with a single connection serves each request in flight, all on one TLS context: httpx looks at every connection
of a pool at every request, so a pool costs more the larger it is. Bodies are read as a stream and unpacked piece by
piece, so that neither a huge answer nor a small one that unpacks to a huge one takes more memory than allowed.
"""

import asyncio
import ssl
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, ConnectionFailed, Timeout, TooLarge

_ERROR_BODY_BYTES = 64 * 1024  # of an answer that is no success nothing is used: enough to keep the connection


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. `body` is unpacked, and empty unless the status is 2xx; `wire_bytes` is what came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    wire_bytes: int

    @property
    def is_html(self) -> bool:
        """Whether this is a web page: a proxy's, a login form's, or a path that the API does not have."""
        return "html" in self.headers.get("content-type", "").lower()


class Transport:
    """Sends what `Endpoint` lists to one host, never follows a redirect, and keeps connections for the next request.

    The number of requests in flight is bounded by the caller. `verify` is the TLS context, or `None` for plain http.
    Without `proxy`, the environment's proxy variables hold, unless `direct` is set.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        verify: ssl.SSLContext | None = None,
        proxy: str | None = None,
        direct: bool = False,
    ) -> None:
        self._verify: ssl.SSLContext | bool = verify if verify is not None else False
        self._proxy = proxy
        self._direct = direct
        self._headers = {"User-Agent": user_agent, "Accept-Encoding": "gzip", "Accept": "application/json"}
        self._idle: list[httpx.AsyncClient] = []

    async def send(
        self,
        base: str,
        endpoint: Endpoint,
        *,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None,
        timeout: float,
        max_bytes: int,
    ) -> Answer:
        """Send one request and read its whole answer within `timeout` seconds, keeping at most `max_bytes` of its body.

        Raises Timeout, ConnectionFailed, TooLarge, or BadResponse (a coding that was not asked for, or broken).
        """
        client = self._idle.pop() if self._idle else self._client()
        try:
            async with asyncio.timeout(timeout):
                request = client.build_request(
                    endpoint.method, base + endpoint.path, params=params, headers=headers, content=body
                )
                response = await client.send(request, stream=True)
                try:
                    return await _read(response, str(endpoint), max_bytes)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            raise Timeout(f"no complete answer within {timeout:g}s", endpoint=str(endpoint)) from error
        except httpx.ConnectError as error:
            raise ConnectionFailed(f"cannot connect: {_cause(error)}", endpoint=str(endpoint)) from error
        except (httpx.TransportError, httpx.InvalidURL) as error:
            # the text of such an error may quote what the server sent: its type says enough
            raise ConnectionFailed(f"the connection broke ({type(error).__name__})", endpoint=str(endpoint)) from error
        finally:
            self._idle.append(client)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            verify=self._verify,
            proxy=self._proxy,
            trust_env=not self._direct and self._proxy is None,
            headers=self._headers,
            follow_redirects=False,
            timeout=httpx.Timeout(None),  # `send` bounds the whole exchange
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=60),
        )

    async def aclose(self) -> None:
        """Close all idle connections."""
        while self._idle:
            await self._idle.pop().aclose()


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
    unpack = zlib.decompressobj(wbits=31) if ok and "gzip" in coding else None
    body = bytearray()
    wire = 0
    async for piece in response.aiter_raw():
        wire += len(piece)
        if unpack is None:
            body += piece
        else:
            try:
                body += unpack.decompress(piece, limit + 1 - len(body))
            except zlib.error as error:
                raise BadResponse(
                    "an answer that does not unpack", endpoint=endpoint, status=response.status_code
                ) from error
        if len(body) > limit or wire > limit:
            if not ok:
                break
            raise TooLarge(f"an answer of more than {limit} bytes", endpoint=endpoint, status=response.status_code)
    if unpack is not None and not unpack.eof:
        raise BadResponse("a packed answer that breaks off", endpoint=endpoint, status=response.status_code)
    return Answer(
        status=response.status_code,
        headers={name.lower(): value for name, value in response.headers.items()},
        body=bytes(body) if ok else b"",
        wire_bytes=wire,
    )


def _cause(error: BaseException) -> str:
    """Name the operating system's or TLS' own reason for a failed connection."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return f"the certificate is not valid ({seen.verify_message})"
        if isinstance(seen, OSError) and seen.strerror:
            return seen.strerror
        seen = seen.__cause__ or seen.__context__
    return type(error).__name__
