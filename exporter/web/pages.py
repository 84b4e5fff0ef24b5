"""Makes pages of metrics on a thread of its own: joins rendered parts and compresses the page."""

import gzip
from collections.abc import Callable, Iterable, Sequence

from exporter.core.worker import Worker
from exporter.exposition.families import Family
from exporter.exposition.text import Format, Lines, join, lines

GZIP_LEVEL = 1
FIRST_PAGE = 0.01  # seconds that an account takes on the first page of many
MIN_RESERVE = 0.1  # seconds


class Pages:
    """Makes pages, one at a time."""

    def __init__(self) -> None:
        self._worker = Worker("pages")
        self._took: dict[int, float] = {}

    async def make(
        self, rendered: Sequence[Lines], families: Callable[[], Iterable[Family]], fmt: Format, *, compressed: bool
    ) -> bytes:
        """Return the page of `rendered` and of `families`, as gzip where `compressed`. Raises ValueError as `join` does."""

        def work() -> bytes:
            body = join([*rendered, lines(families(), fmt)], fmt)
            return gzip.compress(body, GZIP_LEVEL, mtime=0) if compressed else body

        return await self._worker.run(work)

    def took(self, accounts: int, seconds: float) -> None:
        """Note how long the page of so many accounts took, with the rendering of its parts."""
        self._took[accounts] = seconds

    def reserve(self, timeout: float, accounts: int) -> float:
        """Return how many seconds of a scrape to keep for its page: as long as the last one took, at most a quarter.

        Nothing of the first page of many accounts is rendered yet, and thousands of responses come in beside it.
        """
        took = self._took.get(accounts, accounts * FIRST_PAGE)
        return min(max(took, MIN_RESERVE), timeout / 4)
