"""What is written already, in SQLite: how far each environment was read, the ids since then, and where the output ends.

The API documents neither the order of events, nor whether `since` includes its own moment, nor how late an event may become
visible. So each reading goes back `overlap` seconds before the newest event written, and ids tell what is new.
"""

import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from exporter.audit.models import Event, EventWithPayload
from exporter.collectors._context import WHOLE_ACCOUNT

VERSION = 1
APPLICATION_ID = 0x46466175
CACHE_KIB = 8192  # of waiting events in memory; more go to a file without a name in the directory for temporary files

SCHEMA = """
CREATE TABLE account (
  name  TEXT PRIMARY KEY,
  start REAL NOT NULL             -- events are wanted from then on (unix seconds by the server's clock, as all times)
) WITHOUT ROWID;
CREATE TABLE position (
  account        TEXT NOT NULL,
  environment_id TEXT NOT NULL,   -- '' is the account as a whole, and events that name no environment
  read_to        REAL NOT NULL,   -- up to then everything is written, except for what becomes visible late
  known_since    REAL NOT NULL,   -- the ids of events written since then are in `written`
  PRIMARY KEY (account, environment_id)
) WITHOUT ROWID;
CREATE TABLE written (            -- the events that another reading may bring again
  account        TEXT NOT NULL,
  event_id       TEXT NOT NULL,
  environment_id TEXT NOT NULL,
  created        REAL NOT NULL,
  PRIMARY KEY (account, event_id)
) WITHOUT ROWID;
CREATE TABLE output (end TEXT NOT NULL);
"""
WAITING = """
CREATE TEMP TABLE waiting (
  account TEXT, event_id TEXT, environment_id TEXT, created REAL, row BLOB, PRIMARY KEY (account, event_id)
) WITHOUT ROWID;
CREATE INDEX temp.waiting_in_order ON waiting (account, created, event_id);
"""
ADD = """
INSERT INTO waiting SELECT :account, :id, :environment, :created, :row
WHERE NOT EXISTS (SELECT 1 FROM written WHERE account = :account AND event_id = :id)
ON CONFLICT (account, event_id) DO UPDATE SET environment_id = excluded.environment_id WHERE environment_id = ''"""
ADVANCE = """
INSERT INTO position SELECT name, :environment, max(start, :to), start FROM account WHERE name = :account
ON CONFLICT (account, environment_id) DO UPDATE SET read_to = excluded.read_to WHERE excluded.read_to > read_to"""
KNOWN_SINCE = """
UPDATE position SET known_since = read_to - :overlap WHERE account = :account AND known_since < read_to - :overlap"""
FORGET = """
DELETE FROM written WHERE account = :account AND created < (
  SELECT min(known_since) FROM position p
  WHERE p.account = :account AND written.environment_id IN ('', p.environment_id))"""


class AuditError(Exception):
    """The audit log cannot be written or continued. The text is for the user."""


@dataclass(frozen=True, slots=True)
class Found:
    """An event, its `createdAt` in unix seconds, and its environment (`""` if it names none)."""

    environment_id: str
    at: float
    row: Event


@dataclass(frozen=True, slots=True)
class Positions:
    """How far an account was read, and since when ids are known, by environment.

    An event that becomes visible within `overlap` seconds is not lost.
    """

    start: float
    overlap: float
    read_to: Mapping[str, float]
    known_since: Mapping[str, float]

    def since(self, environment: str) -> float:
        """Return the time from which the next reading must ask."""
        read_to = self.read_to.get(environment, self.start)
        return max(read_to - self.overlap, self.known_since.get(environment, self.start))

    def is_behind(self, environment: str) -> bool:
        """Whether the whole account was read further than this environment."""
        return self.read_to.get(environment, self.start) < self.read_to.get(WHOLE_ACCOUNT, self.start)


class State:
    """The state, in a file that no other process uses, or in memory if `path` is `None`.

    It holds ids and times, and no names; events that wait to be written are on disk in a file without a name. Methods raise
    sqlite3.Error if there is no space left, and change nothing then.
    """

    def __init__(self, path: Path | None) -> None:
        """Open or create the file. Raises AuditError."""
        self._db = _file(path) if path else _connection(":memory:")
        if not path:
            _create(self._db)
        self._db.executescript(f"PRAGMA temp_store = FILE; {WAITING} PRAGMA temp.cache_size = -{CACHE_KIB};")
        self._decoder = msgspec.json.Decoder(EventWithPayload)

    def close(self) -> None:
        """Close the file; it can be used by another process from then on."""
        self._db.close()

    def begin(self, overlaps: Mapping[str, float], start: float) -> None:
        """Want events of these accounts from `start` on, if there is no earlier state. `overlaps` in seconds, by account."""
        self._overlaps = overlaps
        with self._transaction() as db:
            db.executemany("INSERT OR IGNORE INTO account VALUES (?, ?)", [(name, start) for name in overlaps])

    @property
    def output_end(self) -> str | None:
        """Where the output ended when the state was saved."""
        found = self._db.execute("SELECT end FROM output").fetchone()
        return found[0] if found else None

    def positions(self, account: str) -> Positions:
        """Return how far an account was read."""
        (start,) = self._db.execute("SELECT start FROM account WHERE name = ?", (account,)).fetchone()
        query = "SELECT environment_id, read_to, known_since FROM position WHERE account = ?"
        rows = self._db.execute(query, (account,)).fetchall()
        read_to, known_since = {row[0]: row[1] for row in rows}, {row[0]: row[2] for row in rows}
        return Positions(start, self._overlaps[account], read_to, known_since)

    def add(self, account: str, events: Sequence[Found]) -> None:
        """Add events that were read, unless they are written or waiting already."""
        with self._transaction() as db:
            db.executemany(
                ADD,
                [
                    {
                        "account": account,
                        "id": found.row.id,
                        "environment": found.environment_id,
                        "created": found.at,
                        "row": msgspec.json.encode(found.row),
                    }
                    for found in events
                ],
            )

    def waiting(self, account: str, limit: int) -> list[Found]:
        """Return the oldest events that wait to be written."""
        query = "SELECT environment_id, created, row FROM waiting WHERE account = ? ORDER BY created, event_id LIMIT ?"
        return [
            Found(environment, at, self._decoder.decode(row))
            for environment, at, row in self._db.execute(query, (account, limit))
        ]

    def save(
        self, account: str, events: Iterable[Found], environments: Collection[str], to: float, end: str | None
    ) -> None:
        """Note that these events are written, and everything up to `to` in these environments. The output ends at `end`."""
        with self._transaction() as db:
            for found in events:
                id_ = found.row.id
                db.execute("DELETE FROM waiting WHERE account = ? AND event_id = ?", (account, id_))
                values = (account, id_, found.environment_id, found.at)
                db.execute("INSERT OR REPLACE INTO written VALUES (?, ?, ?, ?)", values)
            named = {"account": account, "to": to, "overlap": self._overlaps[account]}
            db.executemany(ADVANCE, [{**named, "environment": environment} for environment in environments])
            db.execute(KNOWN_SINCE, named)
            db.execute(FORGET, named)
            self._set_end(end)

    def recover(self, written: Iterable[tuple[str, str, str, float]], end: Callable[[], str | None]) -> None:
        """Note events (account, environment, id, time) that the output holds, and where it ends afterwards."""
        with self._transaction() as db:
            # lines round times down
            query = "INSERT OR IGNORE INTO written SELECT name, ?3, ?2, ?4 + 0.001 FROM account WHERE name = ?1"
            db.executemany(query, written)
            self._set_end(end())

    def _set_end(self, end: str | None) -> None:
        if end is not None and end != self.output_end:
            self._db.execute("DELETE FROM output")
            self._db.execute("INSERT INTO output VALUES (?)", (end,))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        with self._db:
            yield self._db


def _file(path: Path) -> sqlite3.Connection:
    """Open or create a file, and lock it until it is closed. Raises AuditError."""
    try:
        for file in (path, path.with_name(path.name + "-journal")):
            if file.exists() and not file.is_file():
                raise AuditError(f"{file} is not a regular file: choose another path for --state")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, 0o600))
        db = _connection(path)
    except OSError as error:
        raise AuditError(f"cannot open {path}: {error.strerror}") from None
    except sqlite3.Error as error:
        raise AuditError(f"cannot open {path}: {error}") from None
    try:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with db:
            about = [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
            if not db.execute("SELECT 1 FROM sqlite_master").fetchone():
                _create(db)
            elif about != [APPLICATION_ID, VERSION]:
                known = about[0] == APPLICATION_ID
                raise AuditError(
                    f"{path} was written by another version of the exporter" if known else _not_a_state(path)
                )
        (found,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise AuditError(f"{path} is corrupt: {found}; to start over, move it and the output away")
    except sqlite3.Error as error:
        db.close()
        code = error.sqlite_errorcode & 0xFF
        if code == sqlite3.SQLITE_BUSY:
            raise AuditError(f"{path} is in use by another process") from None
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise AuditError(_not_a_state(path)) from None
        raise AuditError(f"cannot use {path}: {error}") from None
    except AuditError:
        db.close()
        raise
    return db


def _not_a_state(path: Path) -> str:
    return f"{path} is not the state of an audit log; to start over, move it and the output away"


def _connection(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)


def _create(db: sqlite3.Connection) -> None:
    for statement in SCHEMA.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {VERSION}")
