"""What was asked of the API for one purpose: for people who want to know where a scrape's time goes."""

from collections import Counter, deque
from dataclasses import dataclass

LAST = 30  # requests that are kept one by one


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was sent and what came of it, without anything that it asked for. `code` is the status, or `error`."""

    endpoint: str
    code: str
    attempt: int
    seconds: float
    wire_bytes: int


class Trace:
    """The requests of one refresh: the last ones by themselves, all of them in numbers."""

    def __init__(self) -> None:
        self.last: deque[Sent] = deque(maxlen=LAST)
        self.number = 0
        self.seconds = 0.0
        self.wire_bytes = 0
        self.codes: Counter[tuple[str, str]] = Counter()
        """How many requests by endpoint and code."""

    def note(self, sent: Sent) -> None:
        """Add a request."""
        self.last.append(sent)
        self.number += 1
        self.seconds += sent.seconds
        self.wire_bytes += sent.wire_bytes
        self.codes[sent.endpoint, sent.code] += 1
