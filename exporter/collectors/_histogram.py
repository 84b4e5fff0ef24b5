"""Histograms in the table `histogram`, a row for each bucket."""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from exporter.exposition.families import HistogramValue
from exporter.store.database import Connection

CUMULATIVE = """
SELECT environment_id, label, le,
  sum(count) OVER (PARTITION BY environment_id, label ORDER BY le), sum(sum) OVER (PARTITION BY environment_id, label)
FROM histogram WHERE family = ? ORDER BY environment_id, label, le"""


class Histogram:
    """The histograms of one family; `bounds` are the upper bounds of its buckets, without infinity, in ascending order."""

    def __init__(self, family: str, bounds: Sequence[float]) -> None:
        self.family = family
        self._bounds = (*bounds, math.inf)

    def create(self, db: Connection, environment: str, label: str = "") -> None:
        """Start a histogram at 0, unless it is there."""
        rows = [(self.family, environment, label, bound) for bound in self._bounds]
        db.executemany("INSERT OR IGNORE INTO histogram VALUES (?, ?, ?, ?, 0, 0)", rows)

    def observe(self, db: Connection, environment: str, label: str, seconds: float) -> None:
        """Add an observation to a histogram that is there."""
        bound = self._bounds[bisect_left(self._bounds, seconds)]
        db.execute(
            "UPDATE histogram SET count = count + 1, sum = sum + ? "
            "WHERE family = ? AND environment_id = ? AND label = ? AND le = ?",
            (seconds, self.family, environment, label, bound),
        )

    def select(self, db: Connection) -> Iterator[tuple[str, str, HistogramValue]]:
        """Yield all of them as (environment id, label, value)."""
        buckets: list[tuple[float, float]] = []
        for environment, label, bound, count, total in db.execute(CUMULATIVE, (self.family,)):
            buckets.append((bound, count))
            if bound == math.inf:
                yield environment, label, HistogramValue(tuple(buckets), total)
                buckets = []
