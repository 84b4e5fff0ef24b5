"""One pass over a paged list: what is known after each page, and when the list is whole. Pure."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from exporter.core.identities import Rows, number
from exporter.flatfile.models import Pagination

T = TypeVar("T")


class Pass(Generic[T]):
    """Tells new rows from those that came before, whatever the server makes of page sizes, page numbers and totals.

    The end is reached when `pagination` says so and its two numbers agree with the rows that came, else at an empty page or
    one that brings nothing new (the server repeats itself, or does not page at all). That a page holds fewer rows than
    were asked for says nothing: a server may cap the size in silence. Rows past the end that both numbers give are not
    looked for: they would cost each list one request more.

    Keys are kept as 64-bit numbers (`identities` gives the odds that two are the same). Then a row is left out, and where
    the server counts its rows, the list is one that has broken off. `alike`: rows have no id, and those of one page are
    different ones though they may be alike.
    """

    def __init__(self, key: Callable[[T], str], *, alike: bool = False) -> None:
        self._key = key
        self._alike = alike
        self._seen = Rows()
        self._totals: list[int] = []
        self.pages = 0
        self.whole = False

    def add(self, rows: Sequence[T], pagination: Pagination | None) -> list[T]:
        """Take a page in and give its new rows; `whole` tells from now on whether the list is whole with it."""
        self.pages += 1
        new: list[T] = []
        times: Counter[str] = Counter()
        for row in rows:
            before, key = len(self._seen), self._key(row)
            if self._alike:
                times[key] += 1
                key = f"{times[key]} {key}"
            if self._seen.row(number(key)) == before:
                new.append(row)
        total = pagination.total if pagination else None
        if total is not None and (rows or self.pages == 1):
            self._totals.append(total)  # what a page past the end counts may be its own rows
        pages = pagination.pages if pagination else None
        self.whole = not new or (total is not None and self.count == total and (not pages or self.pages >= pages))
        return new

    @property
    def count(self) -> int:
        """How many different rows have come."""
        return len(self._seen)

    @property
    def counted(self) -> bool:
        """Whether the server told how many rows there are."""
        return bool(self._totals)

    @property
    def missing(self) -> int:
        """How many rows fewer came than the server ever declared at the least: more than 0 means that the list broke off.

        The least of the totals counts, because a list may grow or shrink while it is read.
        """
        return max(0, min(self._totals) - self.count) if self._totals else 0
