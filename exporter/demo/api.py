"""Answers one request to the simulated API: authorization, and the answer."""

import gzip
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.answers import ENDPOINTS, Ask, Refused, answer, template
from exporter.demo.bearers import Bearers
from exporter.demo.life import Life
from exporter.demo.world import World

PREFIX = "/v1"
GZIP_ABOVE = 1024  # bytes; smaller bodies go out plain


@dataclass
class Request:
    """One request as it came. `path`: as sent, until it is found to lie below the prefix; then without that."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    status: int | None = None
    """What was answered; None while open, or where a fault took the connection."""

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes) -> Self:
        """From a request line's target and headers with lower-case names."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, unquote(parts.path), query, headers, body)

    @property
    def endpoint(self) -> str:
        """The path's template: ids replaced by `{id}`."""
        return template(self.path)


@dataclass(frozen=True)
class Reply:
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


class Api:
    """The API of one account, without its socket."""

    def __init__(self, world: World, life: Life | None = None) -> None:
        self.world = world
        self.bearers = Bearers({CLIENT_ID: SECRET})
        self._life = life

    def answer(self, request: Request) -> Reply:
        """Return the answer to a request below the prefix."""
        now = self.world.clock()
        if self._life is not None:
            self._life.advance(now)
        try:
            return Reply(200, msgspec.json.encode(self.body(request, now)))
        except Refused as refused:
            return refusal(refused)

    def body(self, request: Request, now: float) -> Any:
        """Return the body of a 200. Raises Refused."""
        if request.path == "/auth" and request.method == "POST":
            return self._exchange(request, now)
        known = request.path in ENDPOINTS or request.endpoint == "/environments/{id}"
        if request.path == "/auth" or (known and request.method not in ("GET", "HEAD")):
            raise Refused(405, "Method not allowed")
        self.bearers.check(request.headers.get("authorization"), now)
        return self.read(request, now)

    def read(self, request: Request, now: float) -> dict[str, Any]:
        """Return the answer to a GET. Raises Refused."""
        return answer(Ask(self.world, request.path, request.query, now))

    def _exchange(self, request: Request, now: float) -> dict[str, Any]:
        try:
            body = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise Refused(400, "the body must be JSON") from None
        return self.bearers.exchange(body, now, self.world.account_id)


def refusal(refused: Refused) -> Reply:
    error = {"message": refused.message} if refused.key is None else {"key": refused.key, "message": refused.message}
    return Reply(refused.status, msgspec.json.encode({"errors": [error]}))
