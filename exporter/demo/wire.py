"""One connection's sending side: whole replies, and the raw bytes that faults need."""

import asyncio
import gzip
import socket
import struct
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus

GZIP_ABOVE = 1024  # bytes; smaller bodies go out plain


@dataclass(frozen=True)
class Reply:
    """A whole answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, accepted: str, now: float) -> "Reply":
        """With gzip where `accepted` (an Accept-Encoding) allows and the size is worth it, and with every header."""
        headers = {"Date": formatdate(now, usegmt=True), "Content-Type": "application/json", **self.headers}
        body = self.body
        if "gzip" in accepted and len(body) > GZIP_ABOVE:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        return Reply(self.status, body, headers)

    def head(self, *, close: bool) -> bytes:
        """Status line and headers, as bytes."""
        lines = [f"HTTP/1.1 {self.status} {_phrase(self.status)}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if close:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class Wire:
    """What a fault may do with a connection. Every wait ends when the client goes away."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(self, data: bytes) -> None:
        """Hand over some bytes; ConnectionError when the client has gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Return when the client has closed its side."""
        try:
            while await self._reader.read(65536):
                pass
        except ConnectionError:
            return

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        raw: socket.socket | None = self._writer.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
