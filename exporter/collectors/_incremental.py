"""Follows a long list: its newest rows until they are known and unchanged, and all of it now and then.

A list of a few pages is read whole each time. Of a longer one only the rows with the newest activity are read, and the newest
rows where the total says that some are missing; they are believed when the server's total and the rows agree afterwards. Where
they do not, or where the server neither sorts nor counts, the whole list is read, but no faster than one request in three
seconds. After `full_resync` seconds it is read whatever else is known.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Generic, TypeVar

from exporter.collectors._context import Context, side_by_side
from exporter.flatfile.client import Listing
from exporter.flatfile.errors import BadResponse, FlatfileError
from exporter.flatfile.session import Call
from exporter.store.database import Connection

T = TypeVar("T")

SHORT = 2  # pages: reading so many costs no more than finding out what has changed
SMALL_PAGE = 100  # rows: what changes between two looks, as a rule
MAX_WAITED_FOR = 20  # requests; a scrape does not wait for a longer reading
SECONDS_A_REQUEST = 3.0
NOT_COMPARABLE = "UPDATE list_reading SET comparable = 0 WHERE list = ? AND scope = ?"
SLACK = 60.0  # seconds by which a change may become visible later than one with a newer time


@dataclass(frozen=True, slots=True)
class ListTable(Generic[T]):
    """A list and the table that holds it.

    `lists` are the parameters of the list, or of two lists of the same objects: bit 1 and 2 of the column `lists` say which
    of them a row is in. `columns` follow `id` and `lists` and hold `activity` and `created`, whose API names `sort` gives.
    `values` reads a row, given the environment that was asked for, as (id, *columns).
    """

    name: str
    columns: tuple[str, ...]
    listing: Listing[T]
    lists: tuple[Mapping[str, str], ...]
    sort: Mapping[str, str]
    values: Callable[[T, str], tuple[object, ...]]


@dataclass(slots=True)
class Reading:
    """A reading in progress. The rows of a whole one wait in the temporary table, those of a partial one are in the table."""

    scope: str
    began: float
    generation: int
    whole: bool = True
    changed: bool = False
    """Of a partial reading: whether it changed anything in the table."""
    pages: dict[int, int] = field(default_factory=dict)
    totals: dict[int, int | None] = field(default_factory=dict)


class IncrementalList(Generic[T]):
    """Reads a list into its table. `scope` is the id of the environment asked for, or '' for the whole account."""

    def __init__(self, context: Context, table: ListTable[T], *, full_resync: float, max_pause: float) -> None:
        self.table = table
        self._context = context
        self._full_resync = full_resync
        self._max_pause = max_pause
        self._bits = {1 << place: params for place, params in enumerate(table.lists)}
        # Until a row changes, by the database's generation and scope.
        self._counted: dict[tuple[int, str], Counter[tuple[str, int]]] = {}

    async def read(self, scope: str, where: Mapping[str, str], call: Call) -> Reading | None:
        """Read what is needed; `None` where the table is out of date and it is too early to read the whole list.

        A whole list waits for `merge`. Raises FlatfileError.
        """
        database, name = self._context.database, self.table.name
        query = "SELECT at, pages, comparable FROM list_reading WHERE list = ? AND scope = ?"
        last = await database.run(lambda db: db.execute(query, (name, scope)).fetchone())
        if last is None:
            return await self._whole(scope, where, call, 0)
        at, pages, comparable = last
        age = self._context.clock.steady() - at
        if pages <= SHORT or not 0 <= age < self._full_resync:
            return await self._whole(scope, where, call, pages)
        if comparable:
            reading = await self._newest(scope, where, call, pages)
            if reading is not None:
                return reading
        if age < min(self._max_pause, pages * len(self._bits) * SECONDS_A_REQUEST):
            return None
        return await self._whole(scope, where, call, pages)

    async def _whole(self, scope: str, where: Mapping[str, str], call: Call, pages: int) -> Reading:
        """Read the whole list; the last time it took so many `pages`."""
        if pages * len(self._bits) > MAX_WAITED_FOR:
            call = call.detached()
        reading = await self._begin(scope)
        await side_by_side(self._one_list(reading, bit, where, call) for bit in self._bits)
        return reading

    async def _one_list(self, reading: Reading, bit: int, where: Mapping[str, str], call: Call) -> None:
        database, params = self._context.database, {**where, **self._bits[bit]}
        async for page in self._context.client.pages(self.table.listing, params, call):
            if page.restart:
                reading.pages[bit] = 0
                await database.run(lambda db: self._forget(db, reading, bit))
            reading.pages[bit] += 1
            if page.all_rows or page.restart:  # a page past the end may count its own rows
                reading.totals[bit] = page.total
            await database.run(partial(self._stage, reading=reading, bit=bit, rows=page.rows))

    async def _newest(self, scope: str, where: Mapping[str, str], call: Call, pages: int) -> Reading | None:
        """Read the newest rows of each list; `None` where that does not make the table complete."""
        reading = await self._begin(scope)
        reading.whole = False
        for column in ("activity", "created"):
            try:
                heads = await side_by_side(self._head(reading, bit, column, where, call, pages) for bit in self._bits)
            except BadResponse as error:
                if error.status not in (400, 422):
                    raise
                heads = [False]
            if not all(heads):
                await self._context.database.run(lambda db: db.execute(NOT_COMPARABLE, (self.table.name, scope)))
                return None
            if await self._context.database.run(lambda db: self._take(db, reading)):
                return reading
        return None

    async def _head(
        self, reading: Reading, bit: int, column: str, where: Mapping[str, str], call: Call, pages: int
    ) -> bool:
        """Stage a list's rows from the newest down to one that is known, unchanged, and older than all that was known.

        Returns False where the server does not give them in that order, or where too many have changed.
        """
        database, table = self._context.database, self.table
        query = f"SELECT max({column}) FROM {table.name} WHERE lists & :bit AND {column} <= :now{_own(reading)}"
        now = self._context.client.session.objects_now
        (mark,) = await database.run(
            lambda db: db.execute(query, {"bit": bit, "now": now, "scope": reading.scope}).fetchone()
        )
        listing = replace(table.listing, sort=None, page_size=SMALL_PAGE)
        params = {**where, **self._bits[bit], "sortField": table.sort[column], "sortDirection": "desc"}
        place = table.columns.index(column) + 1
        low, seen, ended = float("inf"), 0, False
        async with aclosing(self._context.client.pages(listing, params, call)) as read:
            async for page in read:
                if page.restart:
                    low, seen, ended = float("inf"), 0, False
                seen += len(page.all_rows)
                if page.all_rows or page.restart:
                    reading.totals[bit] = page.total
                for row in page.all_rows:
                    at = table.values(row, reading.scope)[place]
                    if at is None:
                        ended = low < float("inf")  # rows without a time come first or last
                    elif not isinstance(at, float) or ended or at > low:
                        return False
                    else:
                        low = at
                changed = await database.run(
                    partial(self._stage, reading=reading, bit=bit, rows=page.rows, compare=True)
                )
                if mark is not None and not changed and low < mark - SLACK:
                    return True
                if seen > max(SHORT, pages // 4) * table.listing.page_size:
                    return False
        return True

    # What follows runs on the account's thread.

    async def _begin(self, scope: str) -> Reading:
        def begin(db: Connection) -> None:
            names = ", ".join(self.table.columns)
            db.execute(
                f"CREATE TABLE IF NOT EXISTS temp.pass_{self.table.name} "
                f"(scope, id, lists, {names}, PRIMARY KEY (scope, id)) WITHOUT ROWID"
            )
            db.execute(f"DELETE FROM temp.pass_{self.table.name} WHERE scope = ?", (scope,))

        began = self._context.clock.steady()
        await self._context.database.run(begin)
        return Reading(scope, began, self._context.database.generation)

    def _stage(self, db: Connection, reading: Reading, bit: int, rows: Sequence[T], *, compare: bool = False) -> bool:
        """Add rows to the temporary table; with `compare`, return whether the last of them is new or changed."""
        self._check(reading)
        table, changed = self.table, False
        values = [table.values(row, reading.scope) for row in rows]
        if compare and values:
            id_, *others = values[-1]
            query = f"SELECT {', '.join(table.columns)} FROM {table.name} WHERE id = ? AND lists & ?"
            changed = db.execute(query, (id_, bit)).fetchone() != tuple(others)
        newer = "excluded.updated >= updated OR updated IS NULL" if "updated" in table.columns else "true"
        columns = ", ".join(f"{column} = iif({newer}, excluded.{column}, {column})" for column in table.columns)
        db.executemany(
            f"INSERT INTO temp.pass_{table.name} VALUES (?, ?, ?, {', '.join('?' * len(table.columns))}) "
            f"ON CONFLICT DO UPDATE SET lists = lists | excluded.lists, {columns}",
            [(reading.scope, id_, bit, *others) for id_, *others in values],
        )
        return changed

    def _forget(self, db: Connection, reading: Reading, bit: int) -> None:
        self._check(reading)
        update = f"UPDATE temp.pass_{self.table.name} SET lists = lists & ~? WHERE scope = ?"
        db.execute(update, (bit, reading.scope))

    def _check(self, reading: Reading) -> None:
        if reading.generation != self._context.database.generation:
            raise FlatfileError(
                "the database was replaced while a list was read", endpoint=str(self.table.listing.endpoint)
            )

    def _take(self, db: Connection, reading: Reading) -> bool:
        """Add the newest rows to the table if that leaves it with as many rows as the server counts, in each list."""
        self._check(reading)
        name = self.table.name
        query = (
            f"SELECT count(*) FROM temp.pass_{name} AS new WHERE scope = ? AND lists & ? "
            f"AND id NOT IN (SELECT id FROM {name} WHERE id = new.id AND lists & ?)"
        )
        new = {bit: db.execute(query, (reading.scope, bit, bit)).fetchone()[0] for bit in reading.totals}
        if not self._comparable(db, reading, new):
            return False
        reading.changed = self._write(db, reading)
        return True

    def _counts(self, db: Connection, reading: Reading) -> Counter[tuple[str, int]]:
        """Return how many rows the table has by (environment, lists)."""
        key = reading.generation, reading.scope
        if key not in self._counted:
            environment = "environment_id" if "environment_id" in self.table.columns else "''"
            query = f"SELECT {environment}, lists FROM {self.table.name} WHERE true{_own(reading)}"
            self._counted[key] = Counter(db.execute(query, {"scope": reading.scope}))
        return self._counted[key]

    def _comparable(self, db: Connection, reading: Reading, new: Mapping[int, int]) -> bool:
        """Whether the table, with the `new` rows, has as many rows as the server counts, in each list."""
        counts = self._counts(db, reading)
        return all(
            total == new.get(bit, 0) + sum(number for (_, lists), number in counts.items() if lists & bit)
            for bit, total in reading.totals.items()
        )

    def environments(self, db: Connection, reading: Reading) -> set[str]:
        """Return the environments that have rows according to a reading, and to what is known beside it."""
        self._check(reading)
        if not reading.whole:
            return {environment for environment, _ in self._counts(db, reading)}
        query = f"SELECT DISTINCT environment_id FROM temp.pass_{self.table.name} WHERE scope = ? AND lists"
        return {environment for (environment,) in db.execute(query, (reading.scope,))}

    def merge(self, db: Connection, reading: Reading, keep: Collection[str] = ()) -> bool:
        """Make the table what was read, but for the environments to `keep` as they are; return whether anything changed."""
        self._check(reading)
        if not reading.whole:
            return reading.changed
        changed = self._write(db, reading, keep)
        comparable = not keep and self._comparable(db, reading, {})
        values = (self.table.name, reading.scope, reading.began, max(reading.pages.values()), comparable)
        db.execute("INSERT OR REPLACE INTO list_reading VALUES (?, ?, ?, ?, ?)", values)
        db.execute(f"DELETE FROM temp.pass_{self.table.name} WHERE scope = ?", (reading.scope,))
        return changed

    def _write(self, db: Connection, reading: Reading, keep: Collection[str] = ()) -> bool:
        """Write what was read; after a whole reading, delete what did not come. Returns whether anything changed."""
        name, own, before = self.table.name, _own(reading), db.total_changes
        named = {"scope": reading.scope, **{f"keep{place}": environment for place, environment in enumerate(keep)}}
        if keep:
            own += f" AND environment_id NOT IN ({', '.join(f':keep{place}' for place in range(len(keep)))})"
        columns = ", ".join(self.table.columns)
        lists = "excluded.lists" if reading.whole else f"{name}.lists | excluded.lists"
        old = ", ".join(f"{name}.{column}" for column in self.table.columns)
        new = ", ".join(f"excluded.{column}" for column in self.table.columns)
        staged = f"FROM temp.pass_{name} WHERE scope = :scope AND lists"
        db.execute(
            f"INSERT INTO {name} (id, lists, {columns}) SELECT id, lists, {columns} {staged}{own} "
            f"ON CONFLICT (id) DO UPDATE SET (lists, {columns}) = ({lists}, {new}) "
            f"WHERE ({name}.lists, {old}) IS NOT ({lists}, {new})",
            named,
        )
        if reading.whole:
            db.execute(f"DELETE FROM {name} WHERE id NOT IN (SELECT id {staged}){own}", named)
        if changed := db.total_changes > before:
            self._counted.clear()
        return changed


def _own(reading: Reading) -> str:
    """Return the condition for the rows of the environment that was asked for."""
    return " AND environment_id = :scope" if reading.scope else ""
