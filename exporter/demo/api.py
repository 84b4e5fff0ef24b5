"""Answers one request to the simulated API: latency, rate limit, authorization, and the answer."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from email.utils import formatdate
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.answers import ENDPOINTS, Ask, answer, template
from exporter.demo.bearers import Bearers
from exporter.demo.life import Life
from exporter.demo.paging import Refused
from exporter.demo.switches import Switches, by_path
from exporter.demo.wire import Reply, Wire
from exporter.demo.world import World

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


@dataclass
class Request:
    """One request as it came. `status`: what was answered; None while open, or where a fault took the connection.

    `path`: as sent, prefix included, until it is found to lie below the prefix that is served; then without it.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    status: int | None = None

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

    @property
    def page(self) -> int:
        """The page asked for, 1 where none is."""
        text = self.query.get("pageNumber", "1")
        return int(text) if text.isdecimal() else 1


class Api:
    """The API of one account, without its socket. `received` and `respond` are for subclasses to build on."""

    def __init__(self, world: World, switches: Switches | None = None, *, life: Life | None = None) -> None:
        self.world = world
        self.switches = switches or Switches()
        self.bearers = Bearers(self.switches, {CLIENT_ID: SECRET})
        self._life = life
        self._arrivals: deque[float] = deque()

    async def handle(self, request: Request, wire: Wire) -> Reply | None:
        """Return the answer, ready to send; None when the connection is to be closed without one."""
        below = self._below_prefix(request.path)
        request.path = request.path if below is None else below
        self.received(request)
        await asyncio.sleep(by_path(self.switches.latency, request.endpoint) or 0.0)
        reply = self._limit() or await self.respond(request, wire, known=below is not None)
        if reply is not None:
            if not self.switches.keep_alive:
                reply = replace(reply, headers={**reply.headers, "Connection": "close"})
            date = self.world.clock() + (by_path(self.switches.date_ahead, request.endpoint) or 0.0)
            reply = reply.encoded(request.headers.get("accept-encoding", ""), date)
            request.status = reply.status
        return reply

    def received(self, request: Request) -> None:
        """Take note of a request."""

    async def respond(self, request: Request, wire: Wire, *, known: bool) -> Reply | None:
        """Return the answer; `known`: the path is below the prefix that is served."""
        return self.answer(request) if known else self.other_prefix()

    def _below_prefix(self, path: str) -> str | None:
        prefix = self.switches.prefix
        return path.removeprefix(prefix) if path.startswith(prefix + "/") else None

    def _limit(self) -> Reply | None:
        """The 429 that this request gets, if it is one too many in this second."""
        if self.switches.rate is None:
            return None
        now = time.monotonic()
        while self._arrivals and self._arrivals[0] <= now - 1.0:
            self._arrivals.popleft()
        if len(self._arrivals) < self.switches.rate:
            self._arrivals.append(now)
            return None
        after = self.switches.rate_retry_after
        headers = {}
        if after is not None:
            date = formatdate(self.world.clock() + 1.0, usegmt=True)
            headers["Retry-After"] = date if after == "date" else f"{after:g}"
        return Reply(429, b'{"errors":[{"message":"Too many requests"}]}', headers)

    def other_prefix(self) -> Reply:
        """Return the answer to a path below another prefix."""
        reading = self.switches.other_prefix
        if reading in ("html", "forbidden"):
            return Reply(200 if reading == "html" else 403, HTML, {"Content-Type": "text/html"})
        if reading == "moved":
            return Reply(301, headers={"Location": "https://flatfile.test/"})
        return _refusal(Refused(405 if reading == "method" else 404, "Not found"))

    def answer(self, request: Request, deform: Callable[..., Any] | None = None) -> Reply:
        """Return the right answer; `deform` changes its body, given the page asked for and what returns the first page."""
        now = self.world.clock()
        if self._life is not None:
            self._life.advance(now)
        region = self.switches.region
        query = {k: _ours(v, region) for k, v in request.query.items()}
        ask = Ask(self.world, self.switches, _ours(request.path, region), query, now)
        try:
            body: dict[str, Any]
            if ask.path == "/auth" and request.method == "POST":
                body = self._exchange(request, now)
            else:
                self._check_method(request)
                self.bearers.check(request.headers.get("authorization"), now)
                body = answer(ask)
            if deform is not None:
                first = str(self.switches.first_page)
                first_ask = replace(ask, query={**query, "pageNumber": first})
                encoded = msgspec.json.encode(deform(body, request.page, lambda: answer(first_ask)))
            else:
                encoded = msgspec.json.encode(body)
        except Refused as refused:
            return _refusal(refused)
        return Reply(200, encoded if region == "us" else encoded.replace(b'"us_', f'"{region}_'.encode()))

    def _exchange(self, request: Request, now: float) -> dict[str, Any]:
        try:
            body = msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise Refused(400, "the body must be JSON") from None
        return self.bearers.exchange(body, now, self.world.account_id)

    def _check_method(self, request: Request) -> None:
        known = request.path in ENDPOINTS or request.endpoint == "/environments/{id}"
        if request.path == "/auth" or (known and request.method not in ("GET", "HEAD")):
            raise Refused(405, "Method not allowed")


def _refusal(refused: Refused) -> Reply:
    error = {"message": refused.message} if refused.key is None else {"key": refused.key, "message": refused.message}
    return Reply(refused.status, msgspec.json.encode({"errors": [error]}))


def _ours(text: str, region: str) -> str:
    """Ids of the region that is shown, as the world knows them."""
    return text if region == "us" else text.replace(f"{region}_", "us_")
