"""Whether a list comes newest first: its rows show it, for the API documents no order. Pure."""

from collections.abc import Iterable

from exporter.flatfile.tail import EVIDENCE


class Descent:
    """Follows moments in the order of their rows.

    Rows that never go up in time are no sign of an order where they hardly go down either: bulk work happens within the same
    millisecond.
    """

    def __init__(self) -> None:
        self.holds = True
        self._last: float | None = None
        self._steps = 0

    def follow(self, moments: Iterable[float]) -> None:
        """Look at what comes next (unix seconds)."""
        for at in moments:
            if self._last is not None:
                self.holds &= at <= self._last
                self._steps += at < self._last
            self._last = at

    @property
    def shown(self) -> bool:
        """Whether the rows so far tell that later ones are older."""
        return self.holds and self._steps >= EVIDENCE
