"""What the simulated API does with one request: latency, limits, faults, who is let in, and a record of them all."""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.answers import ENDPOINTS, FORBIDDEN_GETS, Ask, answer, template
from exporter.demo.bearers import Bearers
from exporter.demo.faults import HTML, Deformed, Faults, Hang, OnWire, Replied, Status
from exporter.demo.ledger import Ledger
from exporter.demo.life import Life
from exporter.demo.paging import Refused
from exporter.demo.switches import Switches, by_path
from exporter.demo.wire import Reply, Wire
from exporter.demo.world import World


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
    """The API of one account, without its socket.

    `requests` keeps the last 100,000; `forbidden_requests` those that a client which only reads must never send
    (anything but GET, other than POST /auth, and the GETs that change state or reveal secrets).
    """

    def __init__(self, world: World, switches: Switches | None = None, *, life: Life | None = None) -> None:
        self.world = world
        self.switches = switches or Switches()
        self.faults = Faults()
        self.bearers = Bearers(self.switches, {CLIENT_ID: SECRET})
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.forbidden_requests: deque[Request] = deque(maxlen=1000)
        self.in_flight = 0
        self.most_in_flight = 0
        self._counts: Counter[str] = Counter()
        self._life = life
        self.ledger = Ledger.of_environment()
        self._arrivals: deque[float] = deque()

    def count(self, endpoint: str | None = None) -> int:
        """How many requests came, since the start or `clear`: for this path template, or in all."""
        return self._counts.total() if endpoint is None else self._counts[endpoint]

    def counts(self) -> Counter[str]:
        """How many requests came, by path template, as `count`."""
        return self._counts.copy()

    def clear(self) -> None:
        """Forget the requests."""
        self.requests.clear()
        self.forbidden_requests.clear()
        self._counts.clear()
        self.most_in_flight = self.in_flight

    def invalidate_tokens(self) -> None:
        """The next use of any token given out is a 401."""
        self.bearers.invalidate()

    def set_credentials(self, client_id: str, secret: str) -> None:
        """These credentials, and no others, are exchanged from now on."""
        self.bearers.credentials = {client_id: secret}

    async def handle(self, request: Request, wire: Wire) -> Reply | None:
        """The answer, ready to send; None when a fault has taken the connection, which is then to be closed."""
        below = self._below_prefix(request.path)
        request.path = request.path if below is None else below
        self._record(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(by_path(self.switches.latency, request.endpoint) or 0.0)
            limited = self._limit()
            reply = limited or await self._struck(request, wire, known=below is not None)
        finally:
            self.in_flight -= 1
        if reply is not None:
            if not self.switches.keep_alive:
                reply = replace(reply, headers={**reply.headers, "Connection": "close"})
            reply = reply.encoded(request.headers.get("accept-encoding", ""), self.world.clock())
            request.status = reply.status
        return reply

    def _below_prefix(self, path: str) -> str | None:
        prefix = self.switches.prefix
        return path.removeprefix(prefix) if path.startswith(prefix + "/") else None

    def _record(self, request: Request) -> None:
        self.requests.append(request)
        if self.ledger is not None:
            self.ledger.note(request.method, request.path, request.headers.get("user-agent", ""))
        self._counts[request.endpoint] += 1
        reads = request.method in ("GET", "HEAD") and not FORBIDDEN_GETS.fullmatch(request.path)
        exchanges = request.method == "POST" and request.path in ("/auth", "/v1/auth", "/api/v1/auth")
        if not reads and not exchanges:
            self.forbidden_requests.append(request)

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
        return Status(429, self.switches.rate_retry_after).reply(self.world.clock())

    async def _struck(self, request: Request, wire: Wire, *, known: bool) -> Reply | None:
        """The answer, with the fault that strikes this request, if one does."""
        rule = self.faults.strike(request.endpoint, request.query.get("environmentId"), request.page)
        fault = rule.fault if rule else None
        if rule and isinstance(fault, Hang):
            if not await _released(rule.released, wire):
                return None
            fault = None
        if isinstance(fault, Replied):
            return fault.reply(self.world.clock())
        if not known:
            return self._other_prefix()
        reply = self._answer(request, fault.deformed if isinstance(fault, Deformed) else None)
        if isinstance(fault, OnWire):
            await fault.send(wire, reply.encoded("", self.world.clock()))
            return None
        return reply

    def _other_prefix(self) -> Reply:
        if self.switches.other_prefix == "html":
            return Reply(200, HTML, {"Content-Type": "text/html"})
        return _refusal(Refused(404, "Not found"))

    def _answer(self, request: Request, deform: Callable[..., Any] | None) -> Reply:
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


async def _released(event: asyncio.Event, wire: Wire) -> bool:
    """Wait until the event is set (True) or the client has gone (False)."""
    waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(wire.gone())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    return event.is_set()
