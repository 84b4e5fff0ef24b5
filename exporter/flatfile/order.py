"""Whether a list is newest first. Its rows show it: the API documents no order. Pure."""

from collections.abc import Iterable, Sequence

from exporter.flatfile import models, times

EVIDENCE = 9  # steps back in time that show an order: as many as the server's own page of ten holds


class NewestFirst:
    """Follows the times of rows, in the order of the rows.

    Rows whose times never increase do not show an order while they hardly decrease either: bulk operations create many rows
    in the same millisecond.
    """

    def __init__(self) -> None:
        self.holds = True
        self._last: float | None = None
        self._steps = 0

    def follow(self, moments: Iterable[float]) -> None:
        """Add the times of the next rows (unix seconds)."""
        for at in moments:
            if self._last is not None:
                self.holds &= at <= self._last
                self._steps += at < self._last
            self._last = at

    @property
    def shown(self) -> bool:
        """Whether the rows so far show that later ones are older."""
        return self.holds and self._steps >= EVIDENCE


class Before:
    """Says when reading of events may end early: the server ignores `since`, and has come to older events, newest first."""

    def __init__(self, since: float) -> None:
        self._since = since
        self._order = NewestFirst()

    def __call__(self, rows: Sequence[models.Event]) -> bool:
        """Add a page. Return whether all later pages are older than `since`."""
        moments = [at for row in rows if (at := times.unix(row.created_at)) is not None]
        self._order.follow(moments)
        return self._order.shown and bool(moments) and max(moments) < self._since
