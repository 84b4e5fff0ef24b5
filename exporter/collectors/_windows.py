"""What a sorted list shows from its newest row down to where reading stops, or between two rows of it. Pure."""

from exporter.collectors._book import NEVER

SLACK = 60.0  # seconds by which a change may show itself later than one with a newer time


class Head:
    """The newest rows of a list, page by page: those whose time is above `low` are all among them.

    Rows without a time may come first or last. A row that is newer than the one before it shows that the list is not sorted
    as it was asked to be (`unsorted`).
    """

    def __init__(self, mark: float) -> None:
        self.low = float("inf")
        self.unsorted = False
        self.rows: set[int] = set()
        self.pages = 0
        self.needed = 0  # rows down to what was known already
        self._mark = mark
        self._ended = False  # rows without a time have come after others
        self._settled = False

    def add(self, row: int, at: float, *, changed: bool) -> None:
        """The next row of the list."""
        self.rows.add(row)
        if at == NEVER:
            self._ended = self.low < float("inf")
        elif self._ended or at > self.low:
            self.unsorted = True
        else:
            self.low = at
        self._settled = not changed and self.low < self._mark - SLACK
        if not self._settled:
            self.needed = len(self.rows)

    @property
    def enough(self) -> bool:
        """Whether reading has come down to what is known already."""
        return self._settled or self.unsorted

    def whole(self) -> None:
        """The list has ended: nothing is below."""
        self.low = NEVER
