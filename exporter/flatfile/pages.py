"""One pass over a paged list: what is known after each page, and when the list is whole. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.flatfile.models import Pagination

T = TypeVar("T")

LIMITS = (10, 20, 25, 50, 100, 200, 250, 500, 1000)  # rows at which servers cut pages


@dataclass(frozen=True, slots=True)
class RowsPage(Generic[T]):
    """One page of a list.

    `rows` are those that no earlier page of this pass had, `all_rows` the rows as they came. `total` is the server's count of
    the whole list, `None` where it gives none. `restart`: the first page of a pass over the list; what came before is void.
    `last`: the list is known to end with this page.
    """

    rows: list[T]
    all_rows: list[T]
    total: int | None
    restart: bool
    last: bool


class Pass(Generic[T]):
    """Tells new rows from those that came before, whatever the server makes of page sizes, page numbers and totals.

    The end is reached when `pagination` says so and its two numbers agree with the rows that came, else at an empty page or
    one that brings nothing new (the server repeats itself, or does not page at all). That a page holds fewer rows than
    were asked for says nothing: a server may cap the size in silence. Rows past the end that both numbers give are not
    looked for: they would cost each list one request more. A list that is not `paged` ends with its first page, unless
    that has `pagination` all the same.

    Keys are kept as 64-bit hashes. Two different keys have the same hash with a probability of 1 in 2^64, some two among
    400,000 with 1 in 230 million. Then a row is left out, and where the server counts its rows, the list is one that has
    broken off. `alike`: rows have no id, and those of one page are different ones though they may be alike.
    """

    def __init__(self, key: Callable[[T], str], *, paged: bool = True, alike: bool = False) -> None:
        self._key = key
        self._paged = paged
        self._alike = alike
        self._seen: set[int] = set()
        self._totals: list[int] = []
        self._lengths: list[int] = []  # of the pages
        self._repeats = False
        self.whole = False

    def add(self, rows: Sequence[T], pagination: Pagination | None) -> list[T]:
        """Add a page and return its new rows; `whole` says from now on whether the list is complete."""
        self._lengths.append(len(rows))
        new: list[T] = []
        times: Counter[str] = Counter()
        for row in rows:
            key = self._key(row)
            if self._alike:
                times[key] += 1
                key = f"{times[key]} {key}"
            number = hash(key)
            if number not in self._seen:
                self._seen.add(number)
                new.append(row)
        total = pagination.total if pagination else None
        if total is not None and (rows or self.pages == 1):
            self._totals.append(total)  # what a page past the end counts may be its own rows
        pages = pagination.pages if pagination else None
        counted = total is not None and self.count == total and (not pages or self.pages >= pages)
        self._repeats = self.pages == 2 and bool(rows) and not new
        self.whole = not new or counted or (not self._paged and pagination is None)
        return new

    @property
    def pages(self) -> int:
        return len(self._lengths)

    def is_last_page_short(self, size: int) -> bool:
        """Whether the last page had fewer rows than were asked for, or than another page had."""
        return self._lengths[-1] < max(size, *self._lengths)

    def looks_cut(self, size: int) -> bool:
        """Whether the list may be cut off after its first page, of at most `size` rows, with nothing that would tell.

        That is so where the server neither counts its rows nor gives another page than the first, and that has exactly as
        many rows as were asked for, or a number that servers like as a limit. A list that really has so many rows looks the
        same: not known is better than wrong.
        """
        if self.counted or self._lengths[0] not in (size, *LIMITS):
            return False
        return self._repeats or not self._paged

    @property
    def count(self) -> int:
        """How many different rows have come."""
        return len(self._seen)

    def is_disjoint_from(self, other: "Pass[T]") -> bool:
        """Whether no row of this pass has come in the other one."""
        return self._seen.isdisjoint(other._seen)

    @property
    def counted(self) -> bool:
        """Whether the server said how many rows there are."""
        return bool(self._totals)

    @property
    def missing(self) -> int:
        """How many rows fewer came than the server ever declared at the least: more than 0 means that the list broke off.

        The least of the totals counts, because a list may grow or shrink while it is read.
        """
        return max(0, min(self._totals) - self.count) if self._totals else 0
