"""Spaces by environment: how many in which state, how many inactive, their files and workbooks."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from exporter.collectors import _single_spaces
from exporter.collectors._context import (
    WHOLE_ACCOUNT,
    Context,
    Environment,
    fresh_environments,
    mark_known,
    mark_verified,
    needs_check,
)
from exporter.collectors._incremental import IncrementalList
from exporter.collectors._labels import ENVIRONMENT, family
from exporter.collectors._memo import Memo
from exporter.collectors._staged import ListTable, Reading
from exporter.collectors._way import Way
from exporter.core.malloc import return_freed
from exporter.core.units import format_duration
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call
from exporter.flatfile.texts import cut
from exporter.store.database import Connection

NAME = "spaces"
SPACES = Desc(
    "flatfile_spaces",
    "gauge",
    "Spaces by state: archived, else expired (data removed by retention, still listed), else active (GET /spaces).",
    (*ENVIRONMENT, "state"),
)
INACTIVE = Desc(
    "flatfile_spaces_inactive",
    "gauge",
    "Active spaces without activity for that long, by lastActivityAt, else updatedAt, else createdAt.",
    (*ENVIRONMENT, "idle"),
)
FILES = Desc(
    "flatfile_files",
    "gauge",
    "Files in all spaces of every state. Absent where Flatfile leaves out a space's count.",
    ENVIRONMENT,
)
WORKBOOKS = Desc(
    "flatfile_workbooks",
    "gauge",
    "Workbooks in all spaces of every state. Absent where Flatfile leaves out a space's count.",
    ENVIRONMENT,
)
LAST_CREATED = Desc(
    "flatfile_environment_last_space_created_timestamp_seconds",
    "gauge",
    "When the newest space was created, in unix seconds. Absent where the environment has no space.",
    ENVIRONMENT,
)
LAST_ACTIVITY = Desc(
    "flatfile_environment_last_activity_timestamp_seconds",
    "gauge",
    "Newest lastActivityAt of a space, in unix seconds. Absent where no space has one.",
    ENVIRONMENT,
)
FAMILIES = (SPACES, INACTIVE, FILES, WORKBOOKS, LAST_CREATED, LAST_ACTIVITY, *_single_spaces.FAMILIES)

Counts = tuple[Sequence[tuple[Any, ...]], Sequence[Mapping[str, int]]]
"""The rows of COUNT, and for each of spaces.inactive_after the rows of COUNT_INACTIVE."""
STATES = ("active", "archived", "expired")
COLUMNS = (
    *("environment_id", "state", "created", "updated", "activity", "files", "workbooks", "name", "namespace", "app_id"),
)
MANY = 20_000  # spaces: reading and counting more takes megabytes for a short time
SORT = {"sortField": "createdAt", "sortDirection": "asc"}

COUNT = """
SELECT environment_id, sum(state = 'active'), sum(state = 'archived'), sum(state = 'expired'),
  iif(count(files) = count(*), sum(files), NULL), iif(count(workbooks) = count(*), sum(workbooks), NULL),
  max(created), max(activity), sum(state = 'active' AND coalesce(activity, updated, created) IS NULL)
FROM space GROUP BY environment_id"""
COUNT_INACTIVE = """
SELECT environment_id, count(*) FROM space
WHERE state = 'active' AND coalesce(activity, updated, created) <= ? GROUP BY environment_id"""


def values(space: models.Space, scope: str) -> tuple[object, ...]:
    """Read a row as (id, *columns). One that does not name its environment is of that which was asked for."""
    names: tuple[str | None, ...] = (None, None, None)
    if isinstance(space, models.NamedSpace):
        names = (cut(space.name or ""), cut(space.namespace or ""), cut(space.app_id or ""))
    return (
        space.id,
        cut(space.environment_id or scope),
        "archived" if times.is_set(space.archived_at) else "expired" if times.is_set(space.expired_at) else "active",
        times.unix(space.created_at),
        times.unix(space.updated_at),
        times.unix(space.last_activity_at),
        space.files_count,
        space.workbooks_count,
        *names,
    )


class Collector:
    """Follows the spaces of the whole account, or of each environment where the API does not give that."""

    requires = ("environments",)
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._config = context.config.spaces
        self._max_pause = context.config.collectors[NAME].max_age / 3
        row = models.NamedSpace if self._config.per_space else models.Space
        table: ListTable[models.Space] = ListTable(
            "space",
            COLUMNS,
            Listing(Endpoint.SPACES, row, identity, sort=SORT),
            ({}, {"archived": "true"}),  # whether the second adds archived spaces or gives them alone is not documented
            {"activity": "lastActivityAt", "created": "createdAt"},
            values,
        )
        self._list = IncrementalList(context, table, full_resync=self._config.full_resync, max_pause=self._max_pause)
        self._account_wide = Way(context.clock.monotonic)
        self._counts: Memo[Counts] = Memo(context.clock.monotonic)

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read what has changed, in archived spaces too."""
        environments = await self._context.environments()
        if self._account_wide.open:
            try:
                reading = await self._list.read(WHOLE_ACCOUNT, {}, call)
            except FlatfileError as error:
                if not error.is_request_rejected:
                    raise
            else:
                if reading is None:
                    return []
                errors = await self._take_account(reading, environments, call)
                if errors is not None:
                    self._account_wide.works()
                    return errors
            self._account_wide.refused()
        _, errors = await self._context.gather(environments, lambda env: self._take_environment(env, call), call)
        return errors

    async def _take_account(
        self, reading: Reading, environments: Sequence[Environment], call: Call
    ) -> Sequence[FlatfileError] | None:
        """Write what an account-wide list told; an environment that has no row in it is asked by itself now and then.

        Returns `None` where the list cannot be told by environment, or lacks one's spaces.
        """
        database, since = self._context.database, reading.began - self._max_pause

        def silent(db: Connection) -> tuple[set[str], list[Environment]]:
            named = self._list.rows.environments(db, reading)
            return named, needs_check(db, NAME, [env for env in environments if env.id not in named], since)

        named, unlisted = await database.run(silent)
        if WHOLE_ACCOUNT in named:
            return None
        answers, errors = await self._context.gather_partial(unlisted, lambda env: self._is_empty(env, call), call)
        if not all(answers.values()):
            return None
        unread = {env.id for env in unlisted} - answers.keys()

        def write(db: Connection) -> None:
            self._merge(db, reading, unread)
            mark_known(db, NAME, named, reading.began)
            mark_verified(db, NAME, answers, reading.began)

        await database.run(write)
        return errors

    async def _is_empty(self, environment: Environment, call: Call) -> bool:
        for params in self._list.table.lists:
            where = {"environmentId": environment.id, **params}
            rows = await self._context.client.rows(self._list.table.listing, where, call, stop=lambda _: True)
            if any(row.environment_id in (None, environment.id) for row in rows):
                return False
        return True

    async def _take_environment(self, environment: Environment, call: Call) -> None:
        reading = await self._list.read(environment.id, {"environmentId": environment.id}, call)
        if reading is None:
            return

        def write(db: Connection) -> None:
            self._merge(db, reading)
            db.execute("DELETE FROM space WHERE environment_id NOT IN (SELECT id FROM environment)")
            mark_verified(db, NAME, [environment.id], reading.began)

        await self._context.database.run(write)

    def _merge(self, db: Connection, reading: Reading, keep: Collection[str] = ()) -> None:
        if self._list.rows.merge(db, reading, keep):
            self._counts.clear()
        if self._config.per_space:
            query = "SELECT count(*) FROM space JOIN environment ON environment.id = environment_id WHERE shown"
            (number,) = db.execute(query).fetchone()
            dropped = max(0, number - self._config.max_series)
            db.execute("INSERT OR REPLACE INTO series_dropped VALUES (?, ?)", (NAME, dropped))

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Count the environments' spaces."""
        labels = fresh_environments(db, self._context.account, NAME, fresh)
        counts, inactive = self._counts.get(lambda: self._count(db))
        counted = {row[0]: row[1:] for row in counts}
        rows = {env: counted.get(env, (0, 0, 0, 0, 0, None, None, 0)) for env in labels}
        states = enumerate(STATES)
        yield family(SPACES, labels, [(env, state, row[place]) for place, state in states for env, row in rows.items()])
        for place, desc in enumerate((FILES, WORKBOOKS, LAST_CREATED, LAST_ACTIVITY), len(STATES)):
            yield family(desc, labels, [(env, row[place]) for env, row in rows.items()])
        known = [env for env, row in rows.items() if not row[-1]]
        idle = zip(map(format_duration, self._config.inactive_after), inactive, strict=True)
        yield family(INACTIVE, labels, [(env, name, numbers.get(env, 0)) for name, numbers in idle for env in known])
        if self._config.per_space:
            yield from _single_spaces.families(db, labels, self._config.max_series)

    def _count(self, db: Connection) -> Counts:
        now = self._context.client.session.objects_now
        inactive = [dict(db.execute(COUNT_INACTIVE, (now - seconds,))) for seconds in self._config.inactive_after]
        counts = db.execute(COUNT).fetchall()
        if sum(sum(row[1:4]) for row in counts) > MANY:
            return_freed()  # what SQLite sorted them in, and what a whole list waited in
        return counts, inactive
