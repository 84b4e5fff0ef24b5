"""The database of an account as another process reads it while an exporter writes it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from exporter.store.database import BUSY_TIMEOUT, SCHEMA_VERSION, Connection
from exporter.store.directory import StorageError, file_of


@contextlib.contextmanager
def open_read_only(directory: Path, account: str, owner: str) -> Iterator[Connection]:
    """Open an account's file in the directory of --storage.path, as it is at this moment, whatever is written meanwhile.

    `owner` is what `Database` was given. The file is not changed; SQLite may leave its empty -wal and -shm beside it.
    Raises StorageError, also for a failure while it is open.
    """
    path = file_of(directory, account)
    if not path.is_file():
        raise StorageError(
            f"--storage.path: no state of account {account!r}: there is no file {path}; an exporter makes it at its first scrape"
        )
    try:
        with contextlib.closing(_connect(path)) as db:
            db.execute("BEGIN")
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != SCHEMA_VERSION:
                why = f"its schema has version {version}, this program reads {SCHEMA_VERSION}"
                raise StorageError(f"--storage.path: cannot read {path}: {why}")
            if db.execute("SELECT value FROM meta WHERE name = 'owner'").fetchone() != (owner,):
                raise StorageError(f"--storage.path: cannot read {path}: it is of another account or API")
            yield db
    except sqlite3.Error as error:
        raise StorageError(f"--storage.path: cannot read {path}: {error}") from None


def _connect(path: Path) -> Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT, isolation_level=None)
