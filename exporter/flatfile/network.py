"""Connections of the HTTP client: own name resolution, and a limit on what comes before an answer's body."""

from collections.abc import Iterable
from typing import Any

import httpcore

from exporter.flatfile.resolver import Resolver

MAX_CONNECT = 2.0  # seconds for each of a host's addresses but the last
MAX_HEAD_BYTES = 256 * 1024  # of status lines and headers before a body, informational answers included


class Network(httpcore.AsyncNetworkBackend):
    """Connects to a host's addresses one after the other; the one that worked last comes first."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._inner = httpcore.AnyIOBackend()
        self._worked: dict[str, str] = {}  # addresses by host

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolver.addresses(host)
        except OSError as error:
            raise httpcore.ConnectError("name resolution failed") from error
        worked = self._worked.get(host)
        addresses.sort(key=lambda address: address != worked)
        for address in addresses:
            last = address == addresses[-1]
            limit = timeout if last else min(MAX_CONNECT, timeout or MAX_CONNECT)
            try:
                stream = await self._inner.connect_tcp(address, port, limit, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                if last:
                    raise
            else:
                self._worked[host] = address
                return Stream(stream)
        raise httpcore.ConnectError("a host without an address")

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class Stream(httpcore.AsyncNetworkStream):
    """A connection that breaks where too much comes before a body. `begin_body` says that the body begins."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self._head: int | None = 0  # bytes; `None` within a body

    def begin_body(self) -> None:
        """End the count of the head's bytes, until the next request is sent."""
        self._head = None

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._inner.read(max_bytes, timeout)
        if self._head is not None:
            self._head += len(data)
            if self._head > MAX_HEAD_BYTES:
                raise httpcore.RemoteProtocolError("too much before the body")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._head = 0
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(self, *args: Any, **named: Any) -> httpcore.AsyncNetworkStream:
        return Stream(await self._inner.start_tls(*args, **named))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
