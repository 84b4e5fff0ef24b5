"""The rows of a list on their way into its table: staged page by page in a temporary table, then written at once."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from exporter.flatfile.client import Listing
from exporter.flatfile.errors import FlatfileError
from exporter.store.database import Connection, Database

T = TypeVar("T")


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


class StagedRows(Generic[T]):
    """The rows of one list. All methods run on the account's thread, in a transaction."""

    def __init__(self, database: Database, table: ListTable[T]) -> None:
        self.table = table
        self._database = database
        # Until a row changes, by the database's generation and scope.
        self._counted: dict[tuple[int, str], Counter[tuple[str, int]]] = {}

    def begin(self, db: Connection, scope: str) -> None:
        """Make the temporary table, without rows of `scope`."""
        names = ", ".join(self.table.columns)
        db.execute(
            f"CREATE TABLE IF NOT EXISTS temp.pass_{self.table.name} "
            f"(scope, id, lists, {names}, PRIMARY KEY (scope, id)) WITHOUT ROWID"
        )
        db.execute(f"DELETE FROM temp.pass_{self.table.name} WHERE scope = ?", (scope,))

    def newest(self, db: Connection, reading: Reading, bit: int, column: str, now: float) -> float | None:
        """Return the newest time in a column of the table that is not in the future."""
        query = f"SELECT max({column}) FROM {self.table.name} WHERE lists & :bit AND {column} <= :now{_own(reading)}"
        at: float | None = db.execute(query, {"bit": bit, "now": now, "scope": reading.scope}).fetchone()[0]
        return at

    def stage(self, db: Connection, reading: Reading, bit: int, rows: Sequence[T], *, compare: bool = False) -> bool:
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

    def forget(self, db: Connection, reading: Reading, bit: int) -> None:
        """Remove the staged rows of a list that is read from its start again."""
        self._check(reading)
        update = f"UPDATE temp.pass_{self.table.name} SET lists = lists & ~? WHERE scope = ?"
        db.execute(update, (bit, reading.scope))

    def _check(self, reading: Reading) -> None:
        if reading.generation != self._database.generation:
            raise FlatfileError(
                "the database was replaced while a list was read", endpoint=str(self.table.listing.endpoint)
            )

    def take(self, db: Connection, reading: Reading) -> bool:
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
