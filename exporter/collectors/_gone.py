"""Environments that are not listed any more: what was counted of one is kept for an hour, in case it comes back."""

from collections.abc import Sequence

from exporter.collectors._histogram import Histogram
from exporter.store.database import Connection

KEEP = 3600.0  # seconds


def forget_gone(
    db: Connection, reading: str, tables: Sequence[str], histograms: Sequence[Histogram], at: float
) -> None:
    """Delete their rows. `reading` is the table that says when each environment was `looked_at`; `at`: steady unix seconds."""
    db.execute(
        f"DELETE FROM {reading} WHERE looked_at < ? AND environment_id NOT IN (SELECT id FROM environment WHERE shown)",
        (at - KEEP,),
    )
    gone = f"environment_id NOT IN (SELECT environment_id FROM {reading})"
    for table in tables:
        db.execute(f"DELETE FROM {table} WHERE {gone}")
    for histogram in histograms:
        db.execute(f"DELETE FROM histogram WHERE family = ? AND {gone}", (histogram.family,))
