"""What time it is by the server's clock, as the `Date` headers of its answers tell."""

from collections.abc import Callable

TOLERANCE = 1.0  # seconds beyond what a header can tell: a smaller difference is none


class ServerTime:
    """How far the server's clock is ahead of ours. A header is to the second, and as old as the answer took to come."""

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._ahead = 0.0

    @property
    def now(self) -> float:
        """Unix seconds by the server's clock."""
        return self._wall() + self._ahead

    def note(self, date: float, asked: float, answered: float) -> None:
        """Learn from an answer: its `Date`, and when by our clock it was asked for and had come (all unix seconds).

        What is known already stays as long as it agrees.
        """
        least, most = date - answered, date + 1.0 - asked
        for ahead in (0.0, self._ahead):
            if least - TOLERANCE <= ahead <= most + TOLERANCE:
                self._ahead = ahead
                return
        self._ahead = (least + most) / 2
