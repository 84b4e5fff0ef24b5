"""What was counted of an environment that is not listed any more is kept for an hour."""

from exporter.collectors._gone import KEEP, forget_gone
from exporter.collectors._histogram import Histogram
from tests.collectors.tables import database

NOW = 1_000_000.0


def test_rows_of_environments_that_are_gone_for_longer_are_deleted() -> None:
    db = database()
    db.execute("INSERT INTO environment VALUES ('listed', 'Listed', 0, 1, 1)")
    db.execute("INSERT INTO environment VALUES ('hidden', 'Not selected any more', 0, 0, 0)")
    kept, other = Histogram("job_wait", (1.0,)), Histogram("queue_lag", (1.0,))
    for environment, looked_at in (
        ("listed", NOW - 10 * KEEP),
        ("lately", NOW - KEEP + 1),
        ("gone", NOW - KEEP - 1),
        ("hidden", NOW - KEEP - 1),
    ):
        values = (environment, looked_at)
        db.execute("INSERT INTO job_reading VALUES (?, ?, 0, 0, 0, 0, 0, 0, 0)", values)
        db.execute("INSERT INTO job_count VALUES (?, 'file', 'failed', 1)", (environment,))
        kept.create(db, environment, "file")
        other.create(db, environment)
    forget_gone(db, "job_reading", ("job", "job_count"), (kept,), NOW)
    for table in ("job_reading", "job_count"):
        assert db.execute(f"SELECT environment_id FROM {table} ORDER BY 1").fetchall() == [("lately",), ("listed",)]
    assert {environment for environment, *_ in kept.select(db)} == {"lately", "listed"}
    assert {environment for environment, *_ in other.select(db)} == {"listed", "lately", "gone", "hidden"}
