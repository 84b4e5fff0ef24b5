"""The database of a running exporter as another process reads it: of one moment, whatever is written meanwhile."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.store.database import SCHEMA_VERSION, create
from exporter.store.directory import Directory, StorageError, file_of
from exporter.store.read_only import open_read_only

OWNER = "https://api.test/v1"
WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("PRAGMA journal_mode = WAL")
for line in sys.stdin:
    db.execute(line)
    print("done", flush=True)
"""


class Writer:
    """Another process that keeps the file open and writes it."""

    def __init__(self, path: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def execute(self, statement: str) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(statement + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"

    def add(self, name: str) -> None:
        self.execute(f"INSERT INTO environment VALUES ('{name}', '{name}', 0, 1, 1)")

    def end(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of an account."""
    path = file_of(tmp_path, "acme")
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    create(db, OWNER)
    db.close()
    return path


def names(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT id FROM environment ORDER BY id")]


def read(path: Path) -> list[str]:
    with open_read_only(path.parent, "acme", OWNER) as db:
        return names(db)


def test_it_is_as_of_one_moment_while_another_process_writes(path: Path) -> None:
    writer = Writer(path)
    try:
        writer.add("one")
        with open_read_only(path.parent, "acme", OWNER) as db:
            assert names(db) == ["one"]
            writer.add("two")  # is not kept waiting
            assert names(db) == ["one"]
            writer.execute("BEGIN IMMEDIATE")
            writer.add("three")
            assert read(path) == ["one", "two"]
            writer.execute("COMMIT")
        assert read(path) == ["one", "three", "two"]
    finally:
        writer.end()
    assert read(path) == ["one", "three", "two"], "after kill -9 of the writer"


def test_the_exporter_may_hold_the_directory_and_starts_again_afterwards(path: Path) -> None:
    with Directory(path.parent) as directory:
        assert directory.file("acme") == path
        assert read(path) == []
    with Directory(path.parent):
        pass


def test_nothing_can_be_written(path: Path) -> None:
    before = path.read_bytes()
    with (
        pytest.raises(StorageError, match="readonly"),
        open_read_only(path.parent, "acme", OWNER) as db,
    ):
        db.execute("DELETE FROM environment")
    assert path.read_bytes() == before


def test_a_name_of_a_directory_means_nothing_in_a_uri(tmp_path: Path) -> None:
    odd = tmp_path / "a?mode=rwc#b%20 c"
    odd.mkdir()
    db = sqlite3.connect(file_of(odd, "acme"), isolation_level=None)
    create(db, OWNER)
    db.close()
    with open_read_only(odd, "acme", OWNER) as opened:
        assert names(opened) == []
    assert [each.name for each in tmp_path.iterdir()] == [odd.name]


def broken(path: Path, statement: str) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(statement)
    db.close()


def test_a_file_that_cannot_be_used_is_named_and_left_alone(path: Path) -> None:
    with pytest.raises(StorageError, match=r"no state of account 'other': there is no file .*other.sqlite"):
        open_read_only(path.parent, "other", OWNER).__enter__()
    with pytest.raises(StorageError, match=r"acme\.sqlite: it is of another account or API"):
        open_read_only(path.parent, "acme", "https://other.test/v1").__enter__()
    broken(path, f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    said = rf"acme\.sqlite: its schema has version {SCHEMA_VERSION + 1}, this program reads {SCHEMA_VERSION}"
    with pytest.raises(StorageError, match=said):
        open_read_only(path.parent, "acme", OWNER).__enter__()
    noise = os.urandom(8192)
    path.write_bytes(noise)
    with pytest.raises(StorageError, match=r"acme\.sqlite: file is not a database"):
        open_read_only(path.parent, "acme", OWNER).__enter__()
    assert path.read_bytes() == noise
