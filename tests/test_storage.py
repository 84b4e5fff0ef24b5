"""States that outlive a restart: always the last whole one, or a file set aside; never an exception, never another's."""

import logging
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.log_throttle import REPEAT_AFTER
from exporter.storage import Storage, StorageError, Stored
from exporter.storage import directory as storage_directory
from exporter.storage.envelope import Owner, Unusable, opened, sealed
from exporter.storage.files import LARGEST, MOST_SET_ASIDE
from tests.e2e.process import eventually

URL = "https://platform.flatfile.com/api/v1"
OWNER = Owner("acme", "there", "tea")


class Tea(msgspec.Struct):
    cups: int
    kinds: dict[str, float] = {}


STATE = Tea(7, {"green": 0.1, 'bl"ack': 1793363.25, "тёмный": -0.0})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "states"


@pytest.fixture
def storage(place: Path) -> Iterator[Storage]:
    with Storage(place) as opened_storage:
        yield opened_storage


def file(place: Path) -> Path:
    """The one state in the directory."""
    (found,) = place.glob("tea-*.json")
    return found


def written(place: Path, *states: Tea) -> None:
    """As another run of the exporter left it."""
    with Storage(place) as storage:
        for state in states:
            storage.of("acme", URL).save("tea", state)


async def loaded(place: Path, account: str = "acme", url: str = URL) -> Tea | None:
    """As the next run of the exporter finds it."""
    with Storage(place) as storage:
        return await storage.of(account, url).load("tea", Tea)


# The text of a file


def test_what_is_sealed_can_be_opened() -> None:
    assert opened(sealed(OWNER, STATE), OWNER, Tea) == STATE


def attempt(text: bytes) -> Tea | None:
    try:
        return opened(text, OWNER, Tea)
    except Unusable:
        return None


def test_a_torn_file_is_whole_or_unusable_wherever_it_was_torn() -> None:
    text = sealed(OWNER, STATE)
    whole = [length for length in range(len(text) + 1) if attempt(text[:length]) is not None]
    assert whole == [len(text) - 1, len(text)]  # the newline at its end says nothing
    for length in range(len(text)):
        assert attempt(text[:length] + b"\0" * (len(text) - length)) in (None, STATE)
        assert attempt(text[:length] + text) is None or length == 0


@given(st.data())
def test_a_file_that_was_changed_is_unusable_or_says_the_same(data: st.DataObject) -> None:
    text = bytearray(sealed(OWNER, STATE))
    for place in data.draw(st.lists(st.integers(0, len(text) - 1), min_size=1, max_size=3)):
        text[place] = data.draw(st.integers(0, 255))
    assert attempt(bytes(text)) in (None, STATE)


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists, max_leaves=5).map(msgspec.json.encode))
def test_whatever_else_there_is_is_unusable(text: bytes) -> None:
    assert attempt(text) is None


def changed(**values: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(sealed(OWNER, STATE)) | values)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "written to the end"),
        (b"[" * 100_000, "written to the end"),
        (b'{"format":"flatfile-exporter state"}', "written to the end"),
        (b"\xff\xfe", "written to the end"),
        (changed(format="tea leaves"), "another program"),
        (changed(version=2), "version 2, this exporter reads 1"),
        (changed(owner={"account": "other", "origin": "there", "collector": "tea"}), "another account"),
        (changed(state={"cups": 8}), "checksum"),
        (sealed(OWNER, OWNER), "fields are others"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_a_file_is_unusable(text: bytes, said: str) -> None:
    with pytest.raises(Unusable, match=said) as raised:
        opened(text, OWNER, Tea)
    assert raised.value.__cause__ is None


# The directory


async def test_a_state_outlives_the_exporter_and_the_last_one_counts(place: Path) -> None:
    assert await loaded(place) is None
    written(place, Tea(1), Tea(2), STATE)
    assert await loaded(place) == STATE
    assert await loaded(place) == STATE


async def test_what_is_not_written_yet_is_there_too(storage: Storage) -> None:
    """After a reload the account goes on from what the one before it saved last, be the disk ever so slow."""
    stored = storage.of("acme", URL)
    for cups in range(200):
        stored.save("tea", Tea(cups))
        assert await storage.of("acme", URL).load("tea", Tea) == Tea(cups)


async def test_each_account_collector_and_api_has_a_state_of_its_own(place: Path) -> None:
    accounts = ["acme", "Acme", "acme/../acme", "ac_me", "ac me", "é" * 300, "..", "a" * 60 + "1", "a" * 60 + "2"]
    with Storage(place) as storage:
        for number, account in enumerate(accounts):
            storage.of(account, URL).save("tea", Tea(number))
            storage.of(account, URL).save("coffee", Tea(-number))
    for number, account in enumerate(accounts):
        assert await loaded(place, account) == Tea(number)
    assert await loaded(place, "acme", "https://platform.eu.flatfile.com/api/v1") is None
    assert len(list(place.glob("*.json"))) == 2 * len(accounts)
    assert {path.parent for path in place.rglob("*")} == {place}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (URL, URL, True),
        ("http://127.0.0.1:1234/v1", "http://127.0.0.1:99/v1", True),
        ("http://[::1]:1234/v1", "http://[::1]:99/v1", True),
        ("http://localhost:1234/v1", "http://127.0.0.1:1234/v1", False),
        ("https://a.example/v1", "https://b.example/v1", False),
        ("https://a.example:1/v1", "https://a.example:2/v1", False),
        ("https://a.example/v1", "https://a.example/x/v1", False),
        ("https://a.example/v1", "http://a.example/v1", False),
    ],
)
def test_what_tells_one_api_from_another(one: str, other: str, same: bool) -> None:
    assert (storage_directory.origin(one) == storage_directory.origin(other)) is same


def test_it_is_for_its_owner_alone(tmp_path: Path) -> None:
    place = tmp_path / "not" / "there"
    written(place, STATE)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}


def test_a_directory_that_is_there_keeps_its_mode(place: Path) -> None:
    place.mkdir(mode=0o750)
    place.chmod(0o750)
    written(place, STATE)
    assert stat.S_IMODE(place.stat().st_mode) == 0o750


def test_one_exporter_at_a_time(place: Path) -> None:
    with (
        Storage(place),
        pytest.raises(StorageError, match=r"^--storage\.path: .*states is in use by another exporter"),
    ):
        Storage(place)
    Storage(place).close()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda place: place.write_text("x"), "is no directory"),
        (lambda place: place.symlink_to(place), "is no directory"),
        (lambda place: (place / "lock").mkdir(parents=True), "nothing can be kept in"),
        (lambda place: (place / ".probe").mkdir(parents=True), "nothing can be kept in"),
    ],
    ids=["file", "loop", "lock", "probe"],
)
def test_a_directory_that_cannot_be_used_is_named(place: Path, make: Callable[[Path], object], said: str) -> None:
    make(place)
    with pytest.raises(StorageError, match=r"^--storage\.path: .*states") as raised:
        Storage(place)
    assert said in str(raised.value)


def test_below_what_is_no_directory(place: Path) -> None:
    place.write_text("x")
    with pytest.raises(StorageError, match=r"^--storage\.path: nothing can be kept in .*states/below"):
        Storage(place / "below")


# What cannot be used


def make_nothing(path: Path) -> None:
    path.unlink()


def make_text(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def make_another_s(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"acme"', b'"evil"'))


def make_directory(path: Path) -> None:
    path.unlink()
    (path / "full").mkdir(parents=True)


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def make_huge(path: Path) -> None:
    os.truncate(path, LARGEST + 1)  # a hole: it takes no room


@pytest.mark.parametrize("make", [make_text, make_another_s, make_directory, make_pipe, make_loop, make_huge])
async def test_what_cannot_be_used_is_set_aside(
    place: Path, make: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    written(place, STATE)
    path = file(place)
    make(path)
    assert await loaded(place) is None
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (
        logging.WARNING,
        "a kept state cannot be used: counts begin anew",
    )
    assert record.__dict__["fields"]["account"] == "acme"
    (aside,) = [entry for entry in place.iterdir() if ".corrupt-" in entry.name]
    assert record.__dict__["fields"]["renamed_to"] == aside.name
    assert not path.exists()
    written(place, Tea(1))
    assert await loaded(place) == Tea(1)
    assert len(caplog.records) == 1


async def test_few_files_are_set_aside(place: Path) -> None:
    unrelated = place / "tea.corrupt-20200101T000000.0Z"
    place.mkdir()
    unrelated.write_text("somebody's")
    for number in range(MOST_SET_ASIDE + 4):
        written(place, Tea(number))
        path = file(place)
        path.write_bytes(b"%d" % number)
        assert await loaded(place) is None
    aside = sorted(place.glob(f"{path.name}.corrupt-*"))
    assert [entry.read_bytes() for entry in aside] == [b"4", b"5", b"6"]
    assert unrelated.exists()


async def test_what_a_crash_left_half_written_is_in_nobody_s_way(place: Path) -> None:
    written(place, STATE)
    beside = file(place).with_name(file(place).name + ".tmp")
    beside.write_bytes(sealed(OWNER, Tea(9))[:30])
    assert await loaded(place) == STATE
    written(place, Tea(1))
    assert await loaded(place) == Tea(1)
    assert not beside.exists()


WRITER = """
import sys
from pathlib import Path
from exporter.storage import Storage
from tests.test_storage import URL, Tea
storage = Storage(Path(sys.argv[1]))
stored = storage.of("acme", URL)
for cups in range(int(sys.argv[2]), sys.maxsize):
    stored.save("tea", Tea(cups, {str(n): n / 3 for n in range(5000)}))
    print(cups, flush=True)
"""


async def test_a_process_killed_while_it_writes_leaves_a_whole_state(place: Path) -> None:
    last = 0
    for round_ in range(4):
        process = subprocess.Popen([sys.executable, "-c", WRITER, place, str(last)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        saved = last
        for _ in range(3 + 7 * round_):
            saved = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        state = await loaded(place)
        assert not list(place.glob("*.corrupt-*"))
        if state is not None:
            assert len(state.kinds) == 5000
            assert last <= state.cups
            last = state.cups
    assert last > 0
    assert saved > 0


# Writing that fails


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def wait_for_writing(storage: Storage, stored: Stored) -> None:
    """Until what was saved has been tried."""
    eventually(lambda: not vars(storage)["_waiting"] and vars(storage)["_writing"] is None, "written")


async def test_writing_that_fails_is_said_now_and_then_and_goes_on(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time()
    with caplog.at_level(logging.INFO), Storage(place, time) as storage:
        stored = storage.of("acme", URL)
        stored.save("tea", Tea(1))
        wait_for_writing(storage, stored)
        path = file(place)
        path.unlink()
        (path / "in the way").mkdir(parents=True)
        for cups in range(5):
            stored.save("tea", Tea(cups))
            wait_for_writing(storage, stored)
        (record,) = caplog.records
        assert "cannot write a state" in record.getMessage()
        assert record.__dict__["fields"]["path"] == path
        time.now += REPEAT_AFTER
        stored.save("tea", Tea(6))
        wait_for_writing(storage, stored)
        assert [r.__dict__["fields"]["times"] for r in caplog.records] == [None, 5]
        (path / "in the way").rmdir()
        path.rmdir()
        stored.save("tea", Tea(7))
        wait_for_writing(storage, stored)
        assert caplog.records[-1].getMessage() == "states are written again"
        assert caplog.records[-1].__dict__["fields"]["failures"] == 6
    assert await loaded(place) == Tea(7)


def test_a_disk_that_hangs_does_not_keep_the_exporter_from_ending(
    place: Path, caplog: pytest.LogCaptureFixture
) -> None:
    storage = Storage(place)
    stored = storage.of("acme", URL)
    pipe = storage.path(Owner("acme", storage_directory.origin(URL), "tea"))
    os.mkfifo(pipe.with_name(pipe.name + ".tmp"))  # opening it to write waits for a reader
    stored.save("tea", STATE)
    storage.close(patience=0.05)
    assert "the disk is too slow" in caplog.text
    with pytest.raises(StorageError):
        Storage(place)  # it may still write
    reader = os.open(pipe.with_name(pipe.name + ".tmp"), os.O_RDONLY)
    vars(storage)["_thread"].join()
    os.close(reader)
    os.close(vars(storage)["_lock"])
