"""The simulated API with faults, and a record of what it was asked."""

import asyncio
import inspect
import socket
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from typing import Any, Self

import msgspec

from exporter.demo.answers import Refused
from exporter.demo.api import Reply, Request, refusal
from exporter.demo.life import Life
from exporter.demo.server import DemoServer
from exporter.demo.world import World
from tests.simulator.answers import FORBIDDEN_GETS, answer, ask_of
from tests.simulator.bearers import Bearers
from tests.simulator.faults import HTML, Deformed, Faults, Hang, OnWire, Replied
from tests.simulator.ledger import Ledger
from tests.simulator.switches import Switches, by_path
from tests.simulator.wire import Wire


class SimulatedServer(DemoServer):
    """Serves a world on loopback, with `faults`: `async with SimulatedServer(world)`, or `with ….in_thread()`.

    `world` and `switches` may be changed at any time, from another thread by `call`. The port is the same until the end.
    `requests` keeps the last 100,000; `forbidden_requests` those that a client which only reads must never send
    (anything but GET, other than POST /auth, and the GETs that change state or reveal secrets).
    """

    def __init__(
        self,
        world: World,
        switches: Switches | None = None,
        *,
        life: Life | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(world, life=life)
        self.host, self.port = host, port
        self.switches = switches or Switches()
        self.bearers: Bearers = Bearers(self.switches)
        self.faults = Faults()
        self.requests: deque[Request] = deque(maxlen=100_000)
        self.forbidden_requests: deque[Request] = deque(maxlen=1000)
        self.connections_opened = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.ledger = Ledger.of_environment()
        self._counts: Counter[str] = Counter()
        self._arrivals: deque[float] = deque()
        self._ssl = ssl_context
        self._placeholder: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # Coming and going

    @property
    def base_url(self) -> str:
        """Where the API is, prefix included."""
        return f"{self.root_url}{self.switches.prefix}"

    @property
    def root_url(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self._ssl else 'http'}://{self.host}:{self.port}"

    async def listen(self) -> None:
        """Accept connections (again), on the same port."""
        self._loop = asyncio.get_running_loop()
        bound = self._bind()
        self._let_go_of_port()
        self._server = await asyncio.start_server(self._connected, sock=bound, ssl=self._ssl)

    async def stop_listening(self) -> None:
        """Refuse connections and drop those that are open. The port stays ours until `stop`."""
        if self._server is not None:
            self._server.close()
            self._placeholder = self._bind()
        await super().stop_listening()

    async def stop(self) -> None:
        """Close everything, whatever is in progress."""
        await self.stop_listening()
        self._let_go_of_port()

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _bind(self) -> socket.socket:
        bound = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((self.host, self.port))
        self.port = bound.getsockname()[1]
        return bound

    def _let_go_of_port(self) -> None:
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections_opened += 1
        await super()._connected(reader, writer)

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve from a thread of its own, for callers without an event loop."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="demo-api", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self.listen(), loop).result()
            try:
                yield self
            finally:
                asyncio.run_coroutine_threadsafe(self.stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    def call(self, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
        """From another thread: run a function (or coroutine function) between two requests, return its result."""

        async def run() -> Any:
            result = function(*args, **named)
            return await result if inspect.isawaitable(result) else result

        if self._loop is None:
            raise RuntimeError("the server has not been started")
        return asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    # What was asked

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

    def received(self, request: Request) -> None:
        self.requests.append(request)
        if self.ledger is not None:
            self.ledger.note(request.method, request.path, request.headers.get("user-agent", ""))
        self._counts[request.endpoint] += 1
        reads = request.method in ("GET", "HEAD") and not FORBIDDEN_GETS.fullmatch(request.path)
        exchanges = request.method == "POST" and request.path in ("/auth", "/v1/auth", "/api/v1/auth")
        if not reads and not exchanges:
            self.forbidden_requests.append(request)

    # What is answered

    async def respond(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Reply | None:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self._respond(request, Wire(reader, writer))
        finally:
            self.in_flight -= 1

    async def _respond(self, request: Request, wire: Wire) -> Reply | None:
        prefix = self.switches.prefix
        known = request.path.startswith(prefix + "/")
        if known:
            request.path = request.path.removeprefix(prefix)
        self.received(request)
        await asyncio.sleep(by_path(self.switches.latency, request.endpoint) or 0.0)
        reply = self._limit() or await self._struck(request, wire, known=known)
        if reply is not None:
            if not self.switches.keep_alive:
                reply = replace(reply, headers={**reply.headers, "Connection": "close"})
            date = self.world.clock() + (by_path(self.switches.date_ahead, request.endpoint) or 0.0)
            reply = reply.encoded(request.headers.get("accept-encoding", ""), date)
            request.status = reply.status
        return reply

    async def _struck(self, request: Request, wire: Wire, *, known: bool) -> Reply | None:
        """Answer, with the fault that strikes this request, if one does."""
        rule = self.faults.strike(request.endpoint, request.query.get("environmentId"), _page(request))
        fault = rule.fault if rule else None
        if rule and isinstance(fault, Hang):
            if not await _released(rule.released, wire):
                return None
            fault = None
        if isinstance(fault, Replied):
            return fault.reply(self.world.clock())
        if not known:
            return self._other_prefix()
        reply = self.answer(request, fault.deformed if isinstance(fault, Deformed) else None)
        if isinstance(fault, OnWire):
            await fault.send(wire, reply.encoded("", self.world.clock()))
            return None
        return reply

    def answer(self, request: Request, deform: Callable[..., Any] | None = None) -> Reply:
        """Return the right answer; `deform` changes its body, given the page asked for and what returns the first page."""
        region = self.switches.region
        ours = replace(
            request,
            path=_ours(request.path, region),
            query={name: _ours(value, region) for name, value in request.query.items()},
        )
        reply = super().answer(ours)
        if deform is not None and reply.status == 200:
            now = self.world.clock()
            first = replace(ours, query={**ours.query, "pageNumber": str(self.switches.first_page)})
            body = deform(msgspec.json.decode(reply.body), _page(request), lambda: self.body(first, now))
            reply = Reply(200, msgspec.json.encode(body))
        if region == "us" or reply.status != 200:
            return reply
        return replace(reply, body=reply.body.replace(b'"us_', f'"{region}_'.encode()))

    def read(self, request: Request, now: float) -> Any:
        return answer(ask_of(self.world, self.switches, request.path, request.query, now))

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

    def _other_prefix(self) -> Reply:
        """Return the answer to a path below another prefix."""
        reading = self.switches.other_prefix
        if reading in ("html", "forbidden"):
            return Reply(200 if reading == "html" else 403, HTML, {"Content-Type": "text/html"})
        if reading == "moved":
            return Reply(301, headers={"Location": "https://flatfile.test/"})
        return refusal(Refused(405 if reading == "method" else 404, "Not found"))


def _page(request: Request) -> int:
    """The page asked for, 1 where none is."""
    text = request.query.get("pageNumber", "1")
    return int(text) if text.isdecimal() else 1


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
