"""What can go wrong with the API, each as a small object, and where it does (`Faults.add`).

A fault either gives another reply (`replies`), deforms the body of a right one (`Deformed`), or takes the
connection and does as it likes with it (`OnWire`). All of them end when the client goes away or the server stops.
"""

import asyncio
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Literal

from exporter.demo.markers import SECRET
from exporter.demo.rows import Row
from exporter.demo.wire import Reply, Wire

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"
CHUNK = 1 << 20


class Fault:
    """Something that goes wrong."""


class Replied(Fault):
    """A fault that answers something else."""

    def reply(self, now: float) -> Reply:
        """The answer. `now`: unix seconds."""
        raise NotImplementedError


class Deformed(Fault):
    """A fault in the body of an answer that would be right."""

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        """The body to send instead. `page`: the page asked for; `first()`: what the first page would be."""
        raise NotImplementedError


class OnWire(Fault):
    """A fault below HTTP. The connection is closed afterwards."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        """Do it, instead of sending `reply`."""
        raise NotImplementedError


# Other replies


@dataclass(frozen=True)
class Status(Replied):
    """An error status. `retry_after`: seconds, an HTTP date so many seconds on (`"date"`: 1), or none."""

    status: int
    retry_after: float | Literal["date"] | None = None
    body: Literal["json", "html", "empty"] = "json"

    def reply(self, now: float) -> Reply:
        headers = {}
        if self.retry_after == "date":
            headers["Retry-After"] = formatdate(now + 1, usegmt=True)
        elif self.retry_after is not None:
            headers["Retry-After"] = f"{self.retry_after:g}"
        if self.body == "html":
            return Reply(self.status, HTML, {**headers, "Content-Type": "text/html"})
        note = b'{"errors":[{"message":"' + SECRET.encode() + b'error-text: this went wrong"}]}'
        return Reply(self.status, note if self.body == "json" else b"", headers)


@dataclass(frozen=True)
class Redirect(Replied):
    """A redirect, by default to another host."""

    location: str = "http://127.0.0.2:9/elsewhere"
    status: int = 302

    def reply(self, now: float) -> Reply:
        return Reply(self.status, b"", {"Location": self.location})


@dataclass(frozen=True)
class EmptyBody(Replied):
    """200 and nothing."""

    def reply(self, now: float) -> Reply:
        return Reply(200)


@dataclass(frozen=True)
class NotJson(Replied):
    """200 and a page of HTML, or whatever bytes are given."""

    body: bytes = HTML

    def reply(self, now: float) -> Reply:
        return Reply(200, self.body, {"Content-Type": "text/html"})


# Deformed bodies


@dataclass(frozen=True)
class WrongTypes(Deformed):
    """Ids as numbers, `data` as an object, or the whole body as a list."""

    what: Literal["ids", "data", "body"] = "ids"

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        if self.what == "body":
            return [body]
        if self.what == "data":
            return {**body, "data": {"rows": body["data"]}}
        return {**body, "data": [{**row, "id": i} for i, row in enumerate(body["data"])]}


@dataclass(frozen=True)
class NoData(Deformed):
    """No `data` in the answer."""

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        return {k: v for k, v in body.items() if k != "data"}


@dataclass(frozen=True)
class NullRows(Deformed):
    """Each row is null."""

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        return {**body, "data": [None for _ in body["data"]]}


@dataclass(frozen=True)
class RowWithoutId(Deformed):
    """The first row has no id."""

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        data = body["data"]
        return {**body, "data": [{k: v for k, v in data[0].items() if k != "id"}, *data[1:]] if data else []}


@dataclass(frozen=True)
class DuplicateRows(Deformed):
    """Each row comes twice."""

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        return {**body, "data": [row for row in body["data"] for _ in range(2)]}


@dataclass(frozen=True)
class EndlessPages(Deformed):
    """The first page again and again, always with one more to come. `fresh`: with new ids each time."""

    fresh: bool = False

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        data = first()["data"]
        if self.fresh:
            data = [{**row, "id": f"{row['id']}{page}"} for row in data]
        if "pagination" not in body:
            return {"data": data}
        said = {"currentPage": page, "pageCount": page + 1, "totalCount": len(data) * (page + 1)}
        return {"pagination": said, "data": data}


@dataclass(frozen=True)
class WrongTotal(Deformed):
    """`totalCount` is off by so many; the rows and `pageCount` are right."""

    by: int

    def deform(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        said = body.get("pagination")
        if said is None:
            return body
        return {**body, "pagination": {**said, "totalCount": max(0, said["totalCount"] + self.by)}}


# On the wire


@dataclass(frozen=True)
class Disconnect(OnWire):
    """The connection is closed before the answer."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        return


@dataclass(frozen=True)
class Reset(OnWire):
    """The connection is reset in the middle of the body."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(reply.head(close=True) + reply.body[: len(reply.body) // 2])
        wire.reset()


@dataclass(frozen=True)
class Truncated(OnWire):
    """The body ends before its Content-Length is reached."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(reply.head(close=True) + reply.body[: len(reply.body) // 2])


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
        await wire.send(Reply(200, headers=headers).head(close=True))
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
        await wire.send(reply.head(close=True))
        for i in range(len(reply.body)):
            await wire.send(reply.body[i : i + 1])
            await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class Hang(Fault):
    """No answer until the rule is removed; then the right one."""


@dataclass(eq=False)
class FaultRule:
    """Where a fault strikes. `count`: how often, None for always. `hits`: how often it did."""

    path: str
    fault: Fault
    environment: str | None = None
    page: int | None = None
    count: int | None = None
    hits: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def fits(self, path: str, environment: str | None, page: int) -> bool:
        """Whether a request is one that it strikes."""
        return (
            self.path in ("*", path)
            and self.environment in (None, environment)
            and (self.page is None or page >= self.page)
            and (self.count is None or self.hits < self.count)
        )


class Faults:
    """The faults at work. The first rule that fits a request strikes."""

    def __init__(self) -> None:
        self.rules: list[FaultRule] = []

    def add(
        self,
        path: str,
        fault: Fault,
        *,
        environment: str | None = None,
        page: int | None = None,
        count: int | None = None,
    ) -> FaultRule:
        """Let `fault` strike requests of this path (its template, or `*`), and if given: that name this
        environment, that ask for this page or a later one, and only the next `count` of them."""
        rule = FaultRule(path, fault, environment, page, count)
        self.rules.append(rule)
        return rule

    def remove(self, rule: FaultRule) -> None:
        """The rule strikes no more, and lets go of what hangs."""
        self.rules.remove(rule)
        rule.released.set()

    def clear(self) -> None:
        """Remove all."""
        for rule in list(self.rules):
            self.remove(rule)

    def strike(self, path: str, environment: str | None, page: int) -> FaultRule | None:
        """The rule that strikes this request, counted as a hit."""
        for rule in self.rules:
            if rule.fits(path, environment, page):
                rule.hits += 1
                return rule
        return None
