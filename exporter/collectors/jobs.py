"""Jobs of each environment by status, the oldest that are open, and how those that finished went.

The API's list of jobs has no time to begin from. After a first reading back to the edge of the window, the newest jobs are read
as far as something is new or open; open jobs further down, and whatever else may change there, are looked at less often.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from dataclasses import astuple, dataclass, fields, replace
from functools import partial

from exporter.collectors._context import Context, fresh_environments, mark_known, not_counted, shown_environments
from exporter.collectors._gone import forget_gone
from exporter.collectors._histogram import Histogram
from exporter.collectors._job import TAIL, Reading
from exporter.collectors._labels import ENVIRONMENT, family
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call
from exporter.store.database import Connection

NAME = "jobs"
JOBS = Desc(
    "flatfile_jobs",
    "gauge",
    "Jobs created within jobs.window (24h unless configured) by their present status (GET /jobs).",
    (*ENVIRONMENT, "status"),
)
OLDEST_OPEN = Desc(
    "flatfile_job_oldest_open_timestamp_seconds",
    "gauge",
    "When the oldest job was created that is in this open status, in unix seconds. Absent where there is none.",
    (*ENVIRONMENT, "status"),
)
FINISHED = Desc(
    "flatfile_jobs_finished_total",
    "counter",
    "Jobs that finished since counting began, each counted once.",
    (*ENVIRONMENT, "type", "status"),
)
WAIT = Desc(
    "flatfile_job_wait_seconds",
    "histogram",
    "From the creation to the start of the jobs of flatfile_jobs_finished_total, where Flatfile gives both times.",
    (*ENVIRONMENT, "type"),
)
DURATION = Desc(
    "flatfile_job_duration_seconds",
    "histogram",
    "From the start to the end of the jobs of flatfile_jobs_finished_total, where Flatfile gives both times.",
    (*ENVIRONMENT, "type"),
)
FAMILIES = (JOBS, OLDEST_OPEN, FINISHED, WAIT, DURATION)

# Jobs bring their configuration and outcome, which may be large.
NEWEST = Listing(Endpoint.JOBS, models.Job, identity, page_size=100, sort={"sortDirection": "desc"})
ALL = replace(NEWEST, page_size=500)
STATUSES = ("created", "planning", "scheduled", "ready", "executing", "waiting", "complete", "failed", "canceled")
ENDS = ("complete", "failed", "canceled")
UNKNOWN = "unknown"  # the status of a job whose status the API does not tell
SETTLED = frozenset({*ENDS, UNKNOWN})
SPELLINGS = {"cancelled": "canceled"}  # as parts of the documentation write it
TYPES = ("file", "workbook", "sheet", "space", "document", "app", "agent", "autobuild", "onboarding")
OTHER = "other"
MAX_STATUSES = 20  # that the exporter does not know, of an account
BOUNDS = (1.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0)
WAITS, DURATIONS = Histogram("job_wait", BOUNDS), Histogram("job_duration", BOUNDS)
FOLLOWED_FOR = 7 * 86400.0  # seconds for which an open job is followed at the longest
FULL_EVERY = 3600.0  # seconds after which the whole window is read again
PACE = 6.0  # seconds between two looks further down for each page that one takes, within max_age / 3 and max_age / 2
NEVER = -math.inf

UPSERT = """
INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0) ON CONFLICT DO UPDATE SET type = excluded.type, status = excluded.status,
  created = excluded.created, started = excluded.started, finished = excluded.finished, counted = excluded.counted, missed = 0
WHERE (type, status, created, started, finished, counted, missed) IS NOT
  (excluded.type, excluded.status, excluded.created, excluded.started, excluded.finished, excluded.counted, 0)"""
OPEN = "SELECT id, created FROM job WHERE environment_id = ? AND status IN (SELECT name FROM job_status WHERE open)"
SINCE = "SELECT id FROM job WHERE environment_id = ? AND status IN (SELECT name FROM job_status) AND created > ?"
PURGES = (
    "DELETE FROM job WHERE environment_id = :environment AND coalesce(finished, created) < :edge AND id IN (SELECT id FROM job "
    "WHERE environment_id = :environment AND status IN (SELECT name FROM job_status WHERE NOT open) AND created < :edge)",
    "DELETE FROM job WHERE environment_id = :environment AND created < :followed "
    "AND status IN (SELECT name FROM job_status WHERE open)",
)
BY_STATUS = """
SELECT environment_id, name,
  (SELECT count(*) FROM job AS j WHERE j.environment_id = r.environment_id AND status = name AND created >= read_at - ?),
  iif(open, (SELECT min(created) FROM job AS j WHERE j.environment_id = r.environment_id AND status = name), NULL)
FROM job_reading AS r CROSS JOIN job_status ORDER BY 1, 2"""


@dataclass(frozen=True, slots=True)
class Last:
    """What is known of an environment's jobs. `read_at`, `began`: the server's clock; the others: steady unix seconds."""

    began: float
    read_at: float = NEVER
    window_read_at: float = NEVER
    deep_read_at: float = NEVER
    pages: int = 0
    unreached: bool = False
    unordered: bool = False


COLUMNS = ", ".join(field.name for field in fields(Last))


@dataclass(frozen=True, slots=True)
class Job:
    """A job as the table holds it. Times in unix seconds; `None` where the API does not say."""

    type: str
    status: str
    created: float
    started: float | None
    finished: float | None


class Collector:
    """Follows the jobs of each environment."""

    requires = ("environments",)
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started = context.clock.monotonic()
        self._max_age = context.config.collectors[NAME].max_age
        self._window = context.config.jobs.window

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read what is new of each environment's jobs; one environment's failure leaves the others alone."""
        context, at, now = self._context, self._context.clock.steady(), self._context.client.session.objects_now
        shown, lasts = await context.database.run(lambda db: (shown_environments(db), _lasts(db)))
        began = now - (context.clock.monotonic() - self._started)
        due = [
            env
            for env in shown
            if env.id not in lasts or not lasts[env.id].unordered or self._is_deep_due(lasts[env.id], at)
        ]
        for env, last in lasts.items():
            if last.began > began:  # the clock was ahead before
                lasts[env] = replace(last, began=began)
        found, errors = await context.gather(
            due, lambda env: self._look(env.id, lasts.get(env.id, Last(began)), at, now, call), call
        )
        gone = ("job", "job_count"), (WAITS, DURATIONS)
        await context.database.run(lambda db: forget_gone(db, "job_reading", *gone, at))
        return [*errors, *not_counted(sum(found.values()), "jobs without a readable time", Endpoint.JOBS)]

    def _is_deep_due(self, last: Last, at: float) -> bool:
        """Whether it is time to look further down again, if there is a reason to."""
        wait = min(max(self._max_age / 3, PACE * last.pages), self._max_age / 2)
        return abs(at - last.deep_read_at) >= wait

    async def _look(self, environment: str, last: Last, at: float, now: float, call: Call) -> int:
        """Read an environment's list and write what came; return how many rows could not be used."""
        database, edge = self._context.database, now - self._window
        open_ = await database.run(lambda db: dict(db.execute(OPEN, (environment,))))
        oldest, deep = min(open_.values(), default=math.inf), self._is_deep_due(last, at)
        floor = None  # as far as there is anything new
        if abs(at - last.window_read_at) >= FULL_EVERY or (deep and last.unordered):
            floor = min(edge, oldest)
        elif deep and last.unreached:
            floor = oldest
        listing, reading = NEWEST if floor is None else ALL, Reading(environment, edge, last.read_at, floor, open_)
        async with aclosing(self._context.client.pages(listing, {"environmentId": environment}, call)) as pages:
            async for page in pages:
                if page.restart:
                    reading = Reading(environment, edge, last.read_at, floor, open_)
                known = None
                if floor is None:
                    ids = [row.id for row in page.all_rows[-TAIL:]]
                    known = await database.run(partial(_known, environment=environment, ids=ids))
                if reading.add(page.all_rows, known or ()) and not page.last:
                    break
            else:
                reading.covered = -math.inf
        last = replace(last, read_at=now, unreached=reading.unreached, unordered=reading.unordered)
        if floor is not None:
            window_read_at = at if floor <= edge else last.window_read_at
            last = replace(last, deep_read_at=at, pages=reading.pages, window_read_at=window_read_at)
        return await database.run(lambda db: self._write(db, environment, last, reading, at, edge))

    def _write(self, db: Connection, environment: str, last: Last, reading: Reading, at: float, edge: float) -> int:
        """Write the jobs that came and count those that finished; return how many have no time that can be read."""
        followed = reading.covered if reading.cut else min(edge, last.read_at - FOLLOWED_FOR)
        db.executemany(
            "INSERT OR IGNORE INTO job_status VALUES (?, ?)", [(name, name not in SETTLED) for name in STATUSES]
        )
        statuses = {name for (name,) in db.execute("SELECT name FROM job_status")}
        unusable = 0
        for row in reading.rows:
            created, finished = times.unix(row.created_at), times.unix(row.finished_at)
            if created is None:
                unusable += 1
                continue
            status = _status(db, row.status, statuses)
            job = Job(row.type if row.type in TYPES else OTHER, status, created, times.unix(row.started_at), finished)
            before = db.execute(
                "SELECT status, counted FROM job WHERE environment_id = ? AND id = ?", (environment, row.id)
            )
            was, counted = before.fetchone() or (None, False)
            if was is None and status in SETTLED and max(created, finished or created) < edge:
                continue
            _create(db, environment, job.type)
            if job.status in ENDS and not counted:
                counted = True
                since = max(last.began, edge)
                if (was or UNKNOWN) not in SETTLED or (created if finished is None else finished) >= since:
                    _count(db, environment, job)
            db.execute(UPSERT, (environment, row.id, *astuple(job), counted))
        for purge in PURGES:
            db.execute(purge, {"environment": environment, "edge": edge, "followed": followed})
        _delete_missed(db, environment, reading)
        query = f"INSERT OR REPLACE INTO job_reading (environment_id, looked_at, {COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
        db.execute(query, (environment, at, *astuple(last)))
        mark_known(db, NAME, [environment], at)
        return unusable

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Return the jobs of the window by status, the oldest open ones, and those that finished."""
        labels = fresh_environments(db, self._context.account, NAME, fresh)
        rows = db.execute(BY_STATUS, (self._window,)).fetchall()
        yield family(JOBS, labels, ((env, status, number) for env, status, number, _ in rows))
        yield family(OLDEST_OPEN, labels, ((env, status, oldest) for env, status, _, oldest in rows))
        yield family(FINISHED, labels, db.execute("SELECT environment_id, type, status, count FROM job_count"))
        yield family(WAIT, labels, WAITS.select(db))
        yield family(DURATION, labels, DURATIONS.select(db))


def _lasts(db: Connection) -> dict[str, Last]:
    return {env: Last(*row) for env, *row in db.execute(f"SELECT environment_id, {COLUMNS} FROM job_reading")}


def _known(db: Connection, environment: str, ids: Sequence[str]) -> set[str]:
    query = "SELECT 1 FROM job WHERE environment_id = ? AND id = ?"
    return {id_ for id_ in ids if db.execute(query, (environment, id_)).fetchone()}


def _status(db: Connection, status: str | None, known: set[str]) -> str:
    """Return the name under which a status is counted; a new one is noted, as long as there are not too many."""
    name = SPELLINGS.get(status or UNKNOWN, status or UNKNOWN)
    if name not in known:
        if len(known) >= len(STATUSES) + MAX_STATUSES:
            name = OTHER
        known.add(name)
        db.execute("INSERT OR IGNORE INTO job_status VALUES (?, ?)", (name, name not in SETTLED))
    return name


def _create(db: Connection, environment: str, type_: str) -> None:
    """Start to count a type's jobs at 0, unless that has been done."""
    rows = [(environment, type_, status) for status in ENDS]
    if db.executemany("INSERT OR IGNORE INTO job_count VALUES (?, ?, ?, 0)", rows).rowcount:
        WAITS.create(db, environment, type_)
        DURATIONS.create(db, environment, type_)


def _count(db: Connection, environment: str, job: Job) -> None:
    key = (environment, job.type, job.status)
    db.execute("UPDATE job_count SET count = count + 1 WHERE environment_id = ? AND type = ? AND status = ?", key)
    for histogram, begin, end in ((WAITS, job.created, job.started), (DURATIONS, job.started, job.finished)):
        if begin is not None and end is not None and end >= begin:
            histogram.observe(db, environment, job.type, end - begin)


def _delete_missed(db: Connection, environment: str, reading: Reading) -> None:
    """Delete the jobs that two lists in a row lacked: one may lack some because rows moved while it was read."""
    came = {row.id for row in reading.rows}
    lacking = [(environment, id_) for (id_,) in db.execute(SINCE, (environment, reading.covered)) if id_ not in came]
    db.executemany("DELETE FROM job WHERE environment_id = ? AND id = ? AND missed", lacking)
    db.executemany("UPDATE job SET missed = 1 WHERE environment_id = ? AND id = ?", lacking)
