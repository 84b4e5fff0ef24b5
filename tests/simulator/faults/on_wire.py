"""Faults below HTTP: connections that break, bodies and headers without end, bytes that come one by one."""

import asyncio
import zlib
from dataclasses import dataclass

from exporter.demo.api import Reply
from tests.simulator.faults.kinds import OnWire
from tests.simulator.wire import Wire, head

CHUNK = 1 << 20


@dataclass(frozen=True)
class Disconnect(OnWire):
    """The connection is closed before the answer."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        return


@dataclass(frozen=True)
class Reset(OnWire):
    """The connection is reset in the middle of the body."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(head(reply) + reply.body[: len(reply.body) // 2])
        wire.reset()


@dataclass(frozen=True)
class Truncated(OnWire):
    """The body ends before its Content-Length is reached."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(head(reply) + reply.body[: len(reply.body) // 2])


@dataclass(frozen=True)
class HugeBody(OnWire):
    """Valid JSON of about so many bytes, never held in memory. `gzip`: a small answer that unpacks to that."""

    size: int = 300_000_000
    gzip: bool = False
    declared: bool = False

    async def send(self, wire: Wire, reply: Reply) -> None:
        opening, end = b'{"data":[],"filler":"', b'"}'
        headers = {"Content-Type": "application/json"}
        if self.gzip:
            headers["Content-Encoding"] = "gzip"
        elif self.declared:
            headers["Content-Length"] = str(len(opening) + self.size + len(end))
        await wire.send(head(Reply(200, headers=headers)))
        packer = zlib.compressobj(6, zlib.DEFLATED, 31) if self.gzip else None
        chunk, left = b"x" * CHUNK, self.size
        await wire.send(packer.compress(opening) if packer else opening)
        while left > 0:
            part = chunk[:left]
            left -= len(part)
            await wire.send(packer.compress(part) if packer else part)
            await asyncio.sleep(0)  # packing takes milliseconds: let others have their turn
        await wire.send(packer.compress(end) + packer.flush() if packer else end)


@dataclass(frozen=True)
class Chunked(OnWire):
    """Valid JSON of 200 kB in chunks of so many bytes."""

    size: int = 1

    async def send(self, wire: Wire, reply: Reply) -> None:
        body = b'{"data":[],"filler":"' + b"x" * 200_000 + b'"}'
        await wire.send(head(Reply(200, headers={"Transfer-Encoding": "chunked"})))
        parts = (body[i : i + self.size] for i in range(0, len(body), self.size))
        await wire.send(b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n")


@dataclass(frozen=True)
class Informational(OnWire):
    """So many informational answers (1xx) before the right one; `None`: without end."""

    number: int | None = None

    async def send(self, wire: Wire, reply: Reply) -> None:
        early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
        if self.number is not None:
            await wire.send(early * self.number + head(reply) + reply.body)
            return
        while True:
            await wire.send(early * 100)
            await asyncio.sleep(0)


@dataclass(frozen=True)
class EndlessHeaders(OnWire):
    """Headers without end."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await wire.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")
            await asyncio.sleep(0)


@dataclass(frozen=True)
class Drip(OnWire):
    """The right answer, a byte at a time."""

    seconds: float = 0.05

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(head(reply))
        for i in range(len(reply.body)):
            await wire.send(reply.body[i : i + 1])
            await asyncio.sleep(self.seconds)
