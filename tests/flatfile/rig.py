"""What the client's tests stand on: a client of the simulated API, a transport that answers by a function, and a loop
whose time passes at once."""

import asyncio
import selectors
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from exporter.config.files import parse_secret
from exporter.config.schema import Kind
from exporter.config.types import RequestsConfig
from exporter.core.clock import Clock
from exporter.core.secret import Secret
from exporter.core.worker import Worker
from exporter.demo.markers import MARKERS
from exporter.flatfile.auth import Stored
from exporter.flatfile.client import Client
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.limits import Limiter
from exporter.flatfile.session import Call, Session
from exporter.flatfile.transport import Answer, Transport
from tests.simulator.server import SimulatedServer

T = TypeVar("T")
TESTS = Path(__file__).parents[1]
EPOCH = 1763628900.0  # unix seconds at the beginning of a virtual loop


class Told:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.retries: list[str] = []

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        self.requests.append((endpoint, code))

    def retry(self, endpoint: str) -> None:
        self.retries.append(endpoint)


async def read_at_once(path: Path, kind: Kind[Secret]) -> Secret:
    """Read without a thread, which would be late in a time that does not pass."""
    return parse_secret(path.read_bytes(), kind)


def file_of(path: Path) -> Stored:
    return Stored(None, path, read_file=read_at_once)


def stored(text: str) -> Stored:
    return Stored(Secret(text), None)


def call(seconds: float = 10.0, *, background: bool = False) -> Call:
    """On behalf of a scrape that is answered so many seconds from now."""
    loop = asyncio.get_running_loop()
    return Call(Deadline(loop.time() + seconds, loop.time), background=background)


@asynccontextmanager
async def connected(
    api: SimulatedServer,
    *,
    token: str | None = "pat_test",
    credentials: tuple[Stored, Stored] | None = None,
    base: str | None = None,
    transport: Transport | None = None,
    concurrency: int = 4,
    timeout: float = 10.0,
    retries: int = 3,
    max_response_bytes: int = 1 << 24,
    max_pages: int = 100,
    max_rows: int = 100_000,
    clock: Clock | None = None,
    told: Told | None = None,
    worker: Worker | None = None,
) -> AsyncIterator[Client]:
    """A client of the API, with a ready token unless there are credentials."""
    loop = asyncio.get_running_loop()
    session = Session(
        base or api.base_url,
        transport or Transport(user_agent="flatfile-exporter/test"),
        Limiter(concurrency, 10_000, loop.time),
        RequestsConfig(timeout=timeout, retries=retries, max_response_bytes=max_response_bytes),
        told or Told(),
        clock or Clock(),
        retry_base=0.001,
    )
    if credentials:
        session.use_credentials(*credentials)
    elif token:
        api.switches.ready_tokens.add(token)
        session.use_token(stored(token))
    client = Client(session, max_pages, max_rows, worker)
    try:
        yield client
    finally:
        await client.aclose()


# Virtual time


class _Selector(selectors.DefaultSelector):
    """Never waits: the time that would pass has passed."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0)
        if not events:
            assert timeout is not None, "everybody waits and nothing will ever happen: a deadlock"
            self.now += timeout
        return events


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end in no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def clock() -> Clock:
    """The running loop's time."""
    loop = asyncio.get_running_loop()
    return Clock(wall=lambda: EPOCH - 1000.0 + loop.time(), monotonic=loop.time)


@dataclass
class Sent:
    """One request as a transport got it. `at`: loop time."""

    at: float
    base: str
    endpoint: Endpoint
    params: Mapping[str, str]
    bearer: Secret | None
    body: Secret | None


def answer(status: int = 200, body: str = '{"data":[]}', **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in {"content_type": "application/json", **headers}.items()}
    return Answer(status, named, body.encode() if status < 300 else b"", len(body))


def token_answer(token: str = "SECRET-token", **more: str) -> Answer:
    extra = "".join(f',"{name}":{value}' for name, value in more.items())
    return answer(body=f'{{"accessToken":"{token}"{extra}}}')


@dataclass
class Script(Transport):
    """A transport that answers by a function of the request, `latency` seconds later."""

    reply: Callable[[Sent], Answer | FlatfileError]
    latency: float = 0.0
    sent: list[Sent] = field(default_factory=list)

    async def send(self, base: str, endpoint: Endpoint, **asked: Any) -> Answer:
        now = asyncio.get_running_loop().time()
        request = Sent(now, base, endpoint, asked["params"], asked["bearer"], asked["body"])
        self.sent.append(request)
        await asyncio.sleep(self.latency)
        reply = self.reply(request)
        if isinstance(reply, FlatfileError):
            raise type(reply)(str(reply), status=reply.status)
        return reply

    async def aclose(self) -> None:
        pass

    def count(self, endpoint: Endpoint) -> int:
        return sum(request.endpoint is endpoint for request in self.sent)

    def times(self, endpoint: Endpoint) -> list[float]:
        """Seconds from the loop's beginning."""
        return [request.at - 1000.0 for request in self.sent if request.endpoint is endpoint]


def session_of(
    script: Script, *, told: Told | None = None, retries: int = 3, concurrency: int = 4, **more: Any
) -> Session:
    """A session on a virtual loop. No credentials yet."""
    loop = asyncio.get_running_loop()
    return Session(
        "https://flatfile.test/v1",
        script,
        Limiter(concurrency, 1000, loop.time),
        RequestsConfig(retries=retries, max_response_bytes=1 << 20),
        told or Told(),
        clock(),
        **more,
    )


# Secrets


def assert_clean(error: BaseException, secrets: Iterable[str] = MARKERS) -> None:
    """No secret in the error, in those that led to it, nor in what a traceback with all local variables shows of them.

    The frames of tests do not count: they make up the secrets.
    """
    shown = ""
    each: BaseException | None = error
    while each is not None:
        shown += repr(each) + str(each) + repr(vars(each))
        stack = traceback.TracebackException.from_exception(each, capture_locals=True).stack
        frames = [frame for frame in stack if not Path(frame.filename).is_relative_to(TESTS)]
        shown += "".join(traceback.StackSummary.from_list(frames).format())
        each = each.__cause__ or each.__context__
    found = [secret for secret in secrets if secret in shown]
    assert not found, f"{found} in {shown}"
