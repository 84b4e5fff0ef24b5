"""A database with the exporter's tables, in memory, for what is only a query."""

import sqlite3
from collections.abc import Iterable, Sequence

from exporter.collectors._staged import ListTable
from exporter.store.database import create


def database() -> sqlite3.Connection:
    """Return an empty one."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create(connection, "test")
    return connection


def insert(db: sqlite3.Connection, table: ListTable, rows: Iterable[Sequence[object]], lists: int = 1) -> None:  # type: ignore[type-arg]
    """Insert rows as (id, *columns), each with an id of its own."""
    marks = ", ".join("?" * (len(table.columns) + 2))
    db.executemany(
        f"INSERT INTO {table.name} (id, lists, {', '.join(table.columns)}) VALUES ({marks})",
        [(f"{row[0]}-{number}", lists, *row[1:]) for number, row in enumerate(rows)],
    )
