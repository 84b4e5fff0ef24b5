"""The simulated API with faults, and a record of what it was asked."""

import asyncio
from collections import Counter, deque
from typing import Any

from exporter.demo.answers import FORBIDDEN_GETS
from exporter.demo.api import Request
from exporter.demo.server import DemoServer
from exporter.demo.wire import Reply, Wire
from tests.simulator.faults import Deformed, Faults, Hang, OnWire, Replied
from tests.simulator.ledger import Ledger


class SimulatedServer(DemoServer):
    """Serves a world on loopback, with `faults`.

    `requests` keeps the last 100,000; `forbidden_requests` those that a client which only reads must never send
    (anything but GET, other than POST /auth, and the GETs that change state or reveal secrets).
    """

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.faults = Faults()
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.forbidden_requests: deque[Request] = deque(maxlen=1000)
        self.in_flight = 0
        self.most_in_flight = 0
        self.ledger = Ledger.of_environment()
        self._counts: Counter[str] = Counter()

    def count(self, endpoint: str | None = None) -> int:
        """Return how many requests came, since the start or `clear`: for this path template, or in all."""
        return self._counts.total() if endpoint is None else self._counts[endpoint]

    def counts(self) -> Counter[str]:
        """Return how many requests came, by path template."""
        return self._counts.copy()

    def clear(self) -> None:
        """Forget the requests."""
        self.requests.clear()
        self.forbidden_requests.clear()
        self._counts.clear()
        self.most_in_flight = self.in_flight

    def invalidate_tokens(self) -> None:
        """Answer 401 to the next use of any token given out."""
        self.bearers.invalidate()

    def set_credentials(self, client_id: str, secret: str) -> None:
        """Exchange these credentials, and no others, from now on."""
        self.bearers.credentials = {client_id: secret}

    async def handle(self, request: Request, wire: Wire) -> Reply | None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await super().handle(request, wire)
        finally:
            self.in_flight -= 1

    def received(self, request: Request) -> None:
        self.requests.append(request)
        if self.ledger is not None:
            self.ledger.note(request.method, request.path, request.headers.get("user-agent", ""))
        self._counts[request.endpoint] += 1
        reads = request.method in ("GET", "HEAD") and not FORBIDDEN_GETS.fullmatch(request.path)
        exchanges = request.method == "POST" and request.path in ("/auth", "/v1/auth", "/api/v1/auth")
        if not reads and not exchanges:
            self.forbidden_requests.append(request)

    async def respond(self, request: Request, wire: Wire, *, known: bool) -> Reply | None:
        """Answer, with the fault that strikes this request, if one does."""
        rule = self.faults.strike(request.endpoint, request.query.get("environmentId"), request.page)
        fault = rule.fault if rule else None
        if rule and isinstance(fault, Hang):
            if not await _released(rule.released, wire):
                return None
            fault = None
        if isinstance(fault, Replied):
            return fault.reply(self.world.clock())
        if not known:
            return self.other_prefix()
        reply = self.answer(request, fault.deformed if isinstance(fault, Deformed) else None)
        if isinstance(fault, OnWire):
            await fault.send(wire, reply.encoded("", self.world.clock()))
            return None
        return reply


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
