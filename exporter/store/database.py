"""One account's database: transactions on the account's thread, in memory or in a file, whatever the disk does."""

import contextlib
import logging
import os
import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from exporter.core.clock import Clock
from exporter.core.logs import fields
from exporter.core.worker import Worker

log = logging.getLogger(__name__)
T = TypeVar("T")
Connection = sqlite3.Connection
"""What `Database.run` gives to a function; the only SQLite that other rooms see."""

SCHEMA_VERSION = 2
RETRY_EVERY = 60.0  # seconds between two tries to use a file again
MAX_SET_ASIDE = 3  # files of one account that are kept beside it
BUSY_TIMEOUT = 2.0  # seconds for somebody who reads the file with sqlite3
BESIDE = ("-wal", "-shm", "-journal")  # ends of the names of SQLite's own files beside a file
CACHE_KIB = 2048  # of a file that are kept in memory
STATEMENTS = 20  # prepared ones kept for each connection: a statement takes some KiB, an account has about a hundred

_SCHEMA = files("exporter.store").joinpath("schema.sql").read_text(encoding="utf-8")
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Unusable(Exception):
    """A file that cannot be gone on from; the text says why, and quotes nothing of it."""


class Closed(Exception):
    """The database is closed."""


class Database:
    """The state of one account. `path` `None`: in memory.

    A file that cannot be read or written never stops the account: it goes on in memory with all that it has, and the file
    is tried again every minute. What is no database of this version, or of another account (`owner`: any text that tells
    it), is renamed, and the account starts without earlier state.
    """

    def __init__(
        self, worker: Worker, clock: Clock, path: Path | None = None, *, account: str = "", owner: str = ""
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._path = path
        self._account = account
        self._owner = owner
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._retry_at = 0.0
        self._complete = True  # what is in memory holds all that the file held
        self.stored: bool | None = None if path is None else False
        """Whether the state is in its file; `None` where there is none."""
        self.generation = 0
        """Rises whenever the connection is replaced: temporary tables are empty then."""

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in a transaction on the account's thread and return its result.

        What `work` raises undoes what it wrote. It may be run a second time where the file fails meanwhile, so it must change
        nothing but the database.
        """
        return await self._worker.run(self._transaction, work)

    async def close(self) -> None:
        """Close the file after the work that is waiting; `run` raises Closed from then on."""
        await self._worker.run(self._close)

    def _close(self) -> None:
        self._closed = True
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _transaction(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._opened()
        try:
            return _in_transaction(connection, work)
        except sqlite3.Error as error:
            if not self.stored or not _is_storage_failure(error):
                raise
            connection = self._replaced(connection, error)
        return _in_transaction(connection, work)

    def _opened(self) -> sqlite3.Connection:
        """Return the connection; from time to time, one to the file again."""
        if self._closed:
            raise Closed("the database is closed")
        if self._connection is None:
            self._connection = self._first()
            self.generation += 1
        elif self.stored is False and self._clock.monotonic() >= self._retry_at:
            self._write_back(self._connection)
        return self._connection

    def _first(self) -> sqlite3.Connection:
        if self._path is not None:
            try:
                connection = self._from_file(self._path)
            except (sqlite3.Error, OSError) as error:
                self._complete = False
                self._failed("cannot open the state file: continuing in memory", error)
            else:
                self.stored = True
                return connection
        return self._in_memory()

    def _from_file(self, path: Path) -> sqlite3.Connection:
        """Open the file, and set aside one that cannot be used. Raises sqlite3.Error, OSError for failures that may pass."""
        try:
            connection = self._checked(path)
        except Unusable as error:
            self._set_aside(path, str(error))
            connection = self._checked(path)
        return connection

    def _checked(self, path: Path) -> sqlite3.Connection:
        for end in ("", *BESIDE):
            each = path.with_name(path.name + end)
            if each.exists() and not each.is_file():  # a pipe would hold up the thread for ever
                raise Unusable(f"{each.name} is not a regular file")
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600))
        connection = _connect(path)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA journal_size_limit = 16777216")
            connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            _keep_temporary_tables_in_memory(connection)
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0 and not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                _in_transaction(connection, partial(create, owner=self._owner))
            elif version != SCHEMA_VERSION:
                raise Unusable(f"its schema has version {version}, this exporter uses {SCHEMA_VERSION}")
            if (found := connection.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise Unusable(f"it is corrupt: {found[0] if found else ''}"[:200])
            owner = connection.execute("SELECT value FROM meta WHERE name = 'owner'").fetchone()
            if owner != (self._owner,):
                raise Unusable("it is of another account or API")
        except sqlite3.DatabaseError as error:
            connection.close()
            if _code(error) in _CORRUPT:
                raise Unusable(f"it is corrupt: {error}") from None
            raise
        except UnicodeDecodeError:  # of a text in SQLite's own words about it
            connection.close()
            raise Unusable("it is corrupt") from None
        except Unusable:
            connection.close()
            raise
        return connection

    def _in_memory(self) -> sqlite3.Connection:
        connection = _memory()
        _in_transaction(connection, partial(create, owner=self._owner))
        return connection

    def _replaced(self, connection: sqlite3.Connection, error: sqlite3.Error) -> sqlite3.Connection:
        """Continue after a failure of the file: in memory with a copy of it, or without earlier state if it is corrupt."""
        self.generation += 1
        copy, self._complete = None, True
        if _code(error) in _CORRUPT:
            connection.close()
            if self._path is not None:
                with contextlib.suppress(OSError):
                    self._set_aside(self._path, f"it is corrupt: {error}")
        else:
            copy = _copied(connection)
            self._complete = copy is not None
            connection.close()
        self.stored = False
        if copy is None:
            self._failed("the state file failed: continuing in memory without earlier state", error)
        else:
            self._failed("the state file failed: continuing in memory", error)
        self._connection = copy or self._in_memory()
        return self._connection

    def _write_back(self, memory: sqlite3.Connection) -> None:
        """Go on in the file, if that works now: with what is in memory, or with the file's own where that was never read."""
        if self._path is None:
            return
        try:
            connection = self._from_file(self._path)
            if self._complete:
                try:
                    memory.backup(connection)
                finally:
                    connection.close()
                connection = self._checked(self._path)
        except (sqlite3.Error, OSError, Unusable) as error:
            self._failed("the state file still fails: continuing in memory", error)
            return
        memory.close()
        self._connection = connection
        self.generation += 1
        self.stored = self._complete = True
        log.info("writing state to the file again", extra=fields(account=self._account, path=self._path))

    def _failed(self, what: str, error: Exception) -> None:
        self._retry_at = self._clock.monotonic() + RETRY_EVERY
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        log.warning(what, extra=fields(account=self._account, path=self._path, error=why))

    def _set_aside(self, path: Path, why: str) -> None:
        """Rename what cannot be used, and keep the last few of these. Raises OSError."""
        when = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        aside = path.with_name(f"{path.name}.unusable-{when}")
        with contextlib.suppress(FileNotFoundError):
            path.rename(aside)
        for end in BESIDE:
            with contextlib.suppress(FileNotFoundError):
                path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
        log.warning(
            "the state file cannot be used: starting without earlier state",
            extra=fields(account=self._account, path=path, reason=why, renamed_to=aside.name),
        )
        pattern = re.compile(re.escape(path.name) + r"\.unusable-[0-9TZ.]+")
        older = sorted(entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name))
        for surplus in older[:-MAX_SET_ASIDE]:
            for end in ("", *BESIDE):
                with contextlib.suppress(OSError):  # a directory, maybe: whoever made it may remove it
                    surplus.with_name(surplus.name + end).unlink()


def create(connection: sqlite3.Connection, owner: str) -> None:
    """Create the tables, for the state of `owner`."""
    for statement in _statements(_SCHEMA):
        connection.execute(statement)
    connection.execute("INSERT INTO meta VALUES ('owner', ?)", (owner,))
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _connect(path: Path | str) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )


def _memory() -> sqlite3.Connection:
    connection = _connect(":memory:")
    _keep_temporary_tables_in_memory(connection)
    return connection


def _keep_temporary_tables_in_memory(connection: sqlite3.Connection) -> None:
    """Keep them in memory, and give that back when their rows go."""
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA temp.auto_vacuum = FULL")


def _copied(connection: sqlite3.Connection) -> sqlite3.Connection | None:
    """Copy a database into memory; `None` where it cannot be read."""
    copy = _memory()
    try:
        connection.backup(copy)
    except sqlite3.Error:
        copy.close()
        return None
    return copy


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
        raise
    return result


def _statements(script: str) -> list[str]:
    """Split a script at its semicolons; comments hold some too."""
    return [text for text in re.sub(r"--[^\n]*", "", script).split(";") if text.strip()]


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary error code, 0 where there is none."""
    if str(error).startswith("Could not decode to UTF-8"):  # raised by the binding, without a code
        return sqlite3.SQLITE_CORRUPT
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_storage_failure(error: sqlite3.Error) -> bool:
    """Whether the file failed, not the statement."""
    return _code(error) in (
        *_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PROTOCOL,
    )
