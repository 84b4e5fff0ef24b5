"""Until when a scrape must be answered: the arithmetic, and a point on the event loop's clock."""

import re
from collections.abc import Callable

DEFAULT_TIMEOUT = 10.0
"""Seconds for a scrape that does not say how long it waits: Prometheus' own default."""

LONGEST_TIMEOUT = 300.0

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+")


def scrape_timeout(header: str | None, offset: float) -> float:
    """Seconds from now in which the answer must be sent.

    `header` is X-Prometheus-Scrape-Timeout-Seconds: after that time Prometheus hangs up. `offset` seconds are kept
    for the way back, but never more than a tenth of the header's value. Without a header, or with one that is not a
    number above 0, the answer is 10 s; it is never more than 300 s.
    """
    text = (header or "").strip()
    if not _SECONDS.fullmatch(text):
        return DEFAULT_TIMEOUT
    timeout = float(text)
    if not 0 < timeout < float("inf"):
        return DEFAULT_TIMEOUT
    return min(timeout - min(offset, timeout / 10), LONGEST_TIMEOUT)


class Deadline:
    """A point in time that may move later while somebody waits for it, and never earlier.

    `clock` and the points are those of one clock, in seconds: the event loop's `time`.
    """

    def __init__(self, at: float, clock: Callable[[], float]) -> None:
        self._at = at
        self._clock = clock

    @property
    def at(self) -> float:
        """The point as it is now."""
        return self._at

    def extend(self, at: float) -> None:
        """Move the point to `at`, unless that is earlier."""
        self._at = max(self._at, at)

    def left(self) -> float:
        """Seconds until the point; 0 when it has passed."""
        return max(0.0, self._at - self._clock())

    @property
    def passed(self) -> bool:
        """Whether the point is now or was before."""
        return self._clock() >= self._at
