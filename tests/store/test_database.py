"""One account's database: transactions, and what the disk may do to its file."""

import asyncio
import contextlib
import logging
import os
import random
import resource
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from exporter.core.clock import Clock
from exporter.core.worker import Worker
from exporter.store.database import RETRY_EVERY, SCHEMA_VERSION, Closed, Database


class Passing:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.clock = Clock(wall=lambda: self.now, monotonic=lambda: self.now)


@pytest.fixture(autouse=True)
def all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter.store")


@pytest.fixture
def passing() -> Passing:
    return Passing()


@contextlib.asynccontextmanager
async def opened(path: Path | None, passing: Passing, owner: str = "https://api.test/v1") -> AsyncIterator[Database]:
    worker = Worker("test")
    database = Database(worker, passing.clock, path, account="acme", owner=owner)
    try:
        yield database
    finally:
        await database.close()
        worker.close()


def add(name: str) -> Callable[[sqlite3.Connection], None]:
    def work(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO environment VALUES (?, ?, 0, 1, 1)", (name, name))

    return work


def names(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT id FROM environment ORDER BY id")]


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


async def test_what_fails_half_way_changes_nothing(passing: Passing, tmp_path: Path) -> None:
    for path in (None, tmp_path / "acme.sqlite"):
        async with opened(path, passing) as database:
            await database.run(add("one"))

            def broken(db: sqlite3.Connection) -> None:
                db.execute("DELETE FROM environment")
                raise ZeroDivisionError

            with pytest.raises(ZeroDivisionError):
                await database.run(broken)
            assert await database.run(names) == ["one"]


async def test_a_file_goes_on_where_it_was_and_can_be_read_beside(passing: Passing, tmp_path: Path) -> None:
    path = tmp_path / "acme.sqlite"
    async with opened(path, passing) as database:
        await database.run(add("one"))
        assert database.stored is True
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            assert names(reader) == ["one"]
            await database.run(add("two"))
            assert names(reader) == ["one", "two"]
    async with opened(path, passing) as database:
        assert await database.run(names) == ["one", "two"]
    assert path.stat().st_mode & 0o077 == 0
    async with opened(None, passing) as database:
        await database.run(names)
        assert database.stored is None


async def test_nothing_runs_after_it_is_closed(passing: Passing) -> None:
    async with opened(None, passing) as database:
        await database.run(names)
        await database.close()
        with pytest.raises(Closed):
            await database.run(names)


def unusable_files() -> dict[str, tuple[Callable[[Path], object], str]]:
    def of_version(path: Path, version: int) -> None:
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE something (x)")
            db.execute(f"PRAGMA user_version = {version}")

    return {
        "text": (lambda path: path.write_text("no database at all " * 100), "corrupt"),
        "newer": (lambda path: of_version(path, SCHEMA_VERSION + 1), "version"),
        "foreign": (lambda path: of_version(path, 0), "version 0"),
        "pipe": (os.mkfifo, "not a regular file"),
        "directory": (Path.mkdir, "not a regular file"),
        "pipe beside it": (
            lambda path: os.mkfifo(path.with_name(path.name + "-wal")),
            "acme.sqlite-wal is not a regular file",
        ),
    }


@pytest.mark.parametrize("kind", unusable_files())
async def test_a_file_that_cannot_be_used_is_set_aside_and_named(
    passing: Passing, tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "acme.sqlite"
    make, reason = unusable_files()[kind]
    make(path)
    async with opened(path, passing) as database:
        await database.run(add("one"))
        assert database.stored is True
    (record,) = caplog.records
    assert record.getMessage() == "the state file cannot be used: starting without earlier state"
    about = record.__dict__["fields"]
    assert reason in about["reason"]
    assert [*tmp_path.glob(f"{about['renamed_to']}*")]
    async with opened(path, passing) as database:
        assert await database.run(names) == ["one"]


async def test_another_account_s_file_is_set_aside(passing: Passing, tmp_path: Path) -> None:
    path = tmp_path / "acme.sqlite"
    async with opened(path, passing) as database:
        await database.run(add("one"))
    async with opened(path, passing, owner="https://other.test/v1") as database:
        assert await database.run(names) == []
    assert len([*tmp_path.glob("acme.sqlite.unusable-*Z")]) == 1


async def test_only_the_last_few_that_were_set_aside_are_kept(passing: Passing, tmp_path: Path) -> None:
    path = tmp_path / "acme.sqlite"
    for _ in range(6):
        path.write_text("no database " * 500)
        async with opened(path, passing) as database:
            await database.run(names)
        path.unlink()
    assert len([*tmp_path.glob("acme.sqlite.unusable-*Z")]) == 3


@pytest.mark.parametrize("seed", range(12))
async def test_overwritten_bytes_end_in_a_database_that_works(passing: Passing, tmp_path: Path, seed: int) -> None:
    """Whatever is overwritten, and whenever it shows: rows are right or gone, and never something else."""
    path, rng = tmp_path / "acme.sqlite", random.Random(seed)
    async with opened(path, passing) as database:
        for number in range(2000):
            await database.run(add(f"environment-{number:05}"))
    written = {f"environment-{number:05}" for number in range(2000)}
    content = bytearray(path.read_bytes())
    for _ in range(rng.choice((1, 20, 400))):
        place = rng.randrange(len(content))
        content[place : place + 8] = rng.randbytes(8)
    path.write_bytes(content)
    async with opened(path, passing) as database:
        with contextlib.suppress(sqlite3.DatabaseError):
            before = await database.run(names)
            assert len(before) <= 2000
        await database.run(
            lambda db: db.execute("INSERT OR REPLACE INTO environment VALUES ('new', 'new', 0, 1, 1)").rowcount
        )
        assert "new" in await database.run(names)
    assert written


async def test_no_descriptors_left_is_not_corruption(
    passing: Passing, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "acme.sqlite"
    async with opened(path, passing) as database:
        await database.run(add("one"))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with opened(path, passing) as database:
        await database._worker.run(names_of_threads)  # its thread has started
        free = os.dup(0)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
        try:
            assert await database.run(names) == []
            assert database.stored is False
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        await database.run(add("two"))
        passing.now += RETRY_EVERY
        assert await database.run(names) == ["one"], "the file's own state counts where it was never read"
        assert database.stored is True
    assert not [*tmp_path.glob("*unusable*")]
    assert said(caplog) == ["cannot open the state file: continuing in memory", "writing state to the file again"]


def names_of_threads() -> None:
    """Nothing."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


async def test_a_full_disk_changes_nothing_that_is_known(
    passing: Passing, small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = small_disk / "acme.sqlite"
    async with opened(path, passing) as database:
        await database.run(add("one"))
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        for number in range(2000):
            await database.run(add(f"two-{number:04}-{'x' * 100}"))
        assert database.stored is False
        assert len(await database.run(names)) == 2001
        passing.now += RETRY_EVERY
        await database.run(add("three"))
        assert database.stored is False
        assert len(await database.run(names)) == 2002
        (small_disk / "filler").unlink()
        passing.now += RETRY_EVERY
        await database.run(add("four"))
        assert database.stored is True
    async with opened(path, passing) as database:
        assert len(await database.run(names)) == 2003
    assert said(caplog) == [
        "the state file failed: continuing in memory",
        "the state file still fails: continuing in memory",
        "writing state to the file again",
    ]


async def test_a_pass_knows_when_its_temporary_rows_are_gone(passing: Passing, small_disk: Path) -> None:
    async with opened(small_disk / "acme.sqlite", passing) as database:
        await database.run(add("one"))
        generation = database.generation
        with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        for number in range(2000):
            await database.run(add(f"two-{number:04}-{'x' * 100}"))
        assert database.generation > generation


async def test_writes_from_many_tasks_are_one_after_the_other(passing: Passing, tmp_path: Path) -> None:
    async with opened(tmp_path / "acme.sqlite", passing) as database:
        await asyncio.gather(*(database.run(add(f"{number:03}")) for number in range(100)))
        assert len(await database.run(names)) == 100


def test_a_kill_leaves_what_was_committed(tmp_path: Path) -> None:
    """A process that counts up in single transactions is killed at some moment: no count is lost that it has told of."""
    path = tmp_path / "acme.sqlite"
    program = f"""
import asyncio
from pathlib import Path
from exporter.core.clock import Clock
from exporter.core.worker import Worker
from exporter.store.database import Database

async def main():
    database = Database(Worker("test"), Clock(), Path({str(path)!r}), owner="o")
    for number in range(100000):
        await database.run(lambda db: db.execute("INSERT INTO environment VALUES (?, ?, 0, 1, 1)", (str(number), "")).rowcount)
        print(number, flush=True)

asyncio.run(main())
"""
    rng = random.Random(3)
    for _ in range(5):
        process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        wanted, last = rng.randrange(1, 200), -1
        for line in process.stdout:
            last = int(line)
            if last >= wanted:
                break
        process.kill()
        process.wait()
        process.stdout.close()
        with contextlib.closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM environment").fetchone()[0] > last
            db.execute("DELETE FROM environment")
            db.commit()
