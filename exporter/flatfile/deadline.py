"""A point on the event loop's clock until which a scrape waits."""

from collections.abc import Callable


class Deadline:
    """A point in time that may move later, and never earlier.

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
