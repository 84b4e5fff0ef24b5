"""Events of one pass on disk: each once, in the order of their time, whatever order the server gives them in."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from exporter.audit.models import Event, EventWithPayload

CACHE = 8 << 10  # KiB of memory; what is more goes to a file without a name in the folder for temporary files


@dataclass(frozen=True, slots=True)
class Found:
    """An event with its time (unix seconds), and the environment that it is of (`""`: it names none)."""

    stream: str
    at: float
    row: Event

    @property
    def id(self) -> str:
        """The event's id."""
        return self.row.id


class Spool:
    """Sorts on disk, so that memory does not grow with the number of events. Raises sqlite3.Error where there is no room."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(
            f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{CACHE};"
            "CREATE TABLE event (id TEXT PRIMARY KEY, stream TEXT, at REAL, row BLOB) WITHOUT ROWID"
        )
        self._decoder = msgspec.json.Decoder(EventWithPayload)

    def add(self, events: Sequence[Found]) -> None:
        """Take events in; one that is there already stays as it is, unless its environment was not known."""
        self._database.executemany(
            "INSERT INTO event VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET stream = excluded.stream WHERE stream = ''",
            [(found.id, found.stream, found.at, msgspec.json.encode(found.row)) for found in events],
        )

    def batches(self, size: int) -> Iterator[list[Found]]:
        """Give the events by time, then id, so many at a time."""
        rows = self._database.execute("SELECT stream, at, row FROM event ORDER BY at, id")
        while batch := rows.fetchmany(size):
            yield [Found(stream, at, self._decoder.decode(row)) for stream, at, row in batch]

    def close(self) -> None:
        """Forget everything."""
        self._database.close()
