"""One pass over a paged list: what is known after each page, and when the list is whole. Pure."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from exporter.flatfile.models import Pagination

T = TypeVar("T")


class Pass(Generic[T]):
    """Collects rows by their key, whatever the server makes of page sizes, page numbers and totals.

    The end is reached when `pagination` says so and its two numbers agree with the rows that came, else at an empty page or
    one that brings nothing new (the server repeats itself, or does not page at all). That a page holds fewer rows than
    were asked for says nothing: a server may cap the size in silence. Rows past the end that both numbers give are not
    looked for: they would cost each list one request more.
    """

    def __init__(self, key: Callable[[T], str]) -> None:
        self._key = key
        self._totals: list[int] = []
        self.rows: dict[str, T] = {}
        self.pages = 0

    def add(self, rows: Sequence[T], pagination: Pagination | None) -> bool:
        """Take a page in and tell whether the list is whole with it."""
        self.pages += 1
        before = len(self.rows)
        for row in rows:
            self.rows.setdefault(self._key(row), row)
        total = pagination.total if pagination else None
        if total is not None and (rows or self.pages == 1):
            self._totals.append(total)  # what a page past the end counts may be its own rows
        if len(self.rows) == before:
            return True
        pages = pagination.pages if pagination else None
        return total is not None and len(self.rows) == total and (not pages or self.pages >= pages)

    @property
    def counted(self) -> bool:
        """Whether the server told how many rows there are."""
        return bool(self._totals)

    @property
    def missing(self) -> int:
        """How many rows fewer came than the server ever declared at the least: more than 0 means that the list broke off.

        The least of the totals counts, because a list may grow or shrink while it is read.
        """
        return max(0, min(self._totals) - len(self.rows)) if self._totals else 0
