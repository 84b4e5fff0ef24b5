"""The requests of one refresh, and how its time was spent: shown by the debug page."""

import contextlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

MAX_REQUESTS = 30  # that are kept one by one


class Spent(Enum):
    """What a refresh spends its time on. Where several requests are at different points, the first one of these counts."""

    REQUEST = "requests in flight"
    LIMIT = "waiting for the rate limit"
    BEARER = "waiting for an access token"
    RETRY = "waiting before a retry"
    COLLECTOR = "waiting for another collector"
    OTHER = "processing"


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was sent and what came of it. `code` is the status, or `error`; `waited`: seconds for the rate limit."""

    endpoint: str
    code: str
    attempt: int
    seconds: float
    wire_bytes: int
    params: Mapping[str, str]
    waited: float


class Trace:
    """The requests of one refresh: the last ones one by one, all of them in numbers. `monotonic` returns seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.last: deque[Sent] = deque(maxlen=MAX_REQUESTS)
        self.number = 0
        self.seconds = 0.0
        self.wire_bytes = 0
        self.codes: Counter[tuple[str, str]] = Counter()
        """How many requests by endpoint and code."""
        self._monotonic = monotonic
        self._now: Counter[Spent] = Counter()
        self._spent: Counter[Spent] = Counter()
        self._since: float | None = monotonic()

    def note(self, sent: Sent) -> None:
        self.last.append(sent)
        self.number += 1
        self.seconds += sent.seconds
        self.wire_bytes += sent.wire_bytes
        self.codes[sent.endpoint, sent.code] += 1

    @contextlib.contextmanager
    def measure(self, what: Spent) -> Iterator[None]:
        """Count the time of the block as spent on this."""
        self._count()
        self._now[what] += 1
        try:
            yield
        finally:
            self._count()
            self._now[what] -= 1

    def spent(self) -> dict[Spent, float]:
        """Return the seconds by what they were spent on, from the start to the end, or to now. They add up to all of it."""
        self._count()
        return {what: self._spent[what] for what in Spent if self._spent[what]}

    def end(self) -> None:
        """Count no more time."""
        self._count()
        self._since = None

    def _count(self) -> None:
        if self._since is None:
            return
        now = self._monotonic()
        what = next((what for what in Spent if self._now[what] > 0), Spent.OTHER)
        self._spent[what] += now - self._since  # type: ignore[assignment]
        self._since = now
