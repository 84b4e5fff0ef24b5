"""Each event is in the files exactly once, wherever the process is killed: between any two calls of the operating system,
and in the middle of any of them."""

import contextlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from exporter.audit.journal import Journal
from exporter.audit.line import KEYS, Line, line_format
from exporter.audit.log_file import Disk, LogFile
from exporter.audit.models import Event as Row
from exporter.audit.state import Found, State
from exporter.core.worker import Worker
from exporter.flatfile.times import iso
from tests.examples import examples

OVERLAP = 60.0
START = 1763628900.0
STREAMS = ("us_env_1", "us_env_2")


class Killed(BaseException):
    """`kill -9`: nothing is tidied up after it."""


class MortalDisk(Disk):
    """Works for so many calls; the last one is done in part."""

    def __init__(self, calls: float, part: float) -> None:
        self._left = calls
        self._part = part

    def _dies(self) -> bool:
        self._left -= 1
        if self._left < -1:
            raise AssertionError("a dead process goes on")
        return self._left < 0

    def write(self, file: int, data: bytes) -> int:
        if self._dies():
            super().write(file, data[: int(len(data) * self._part)])
            raise Killed
        return super().write(file, data)

    def sync(self, file: int) -> None:
        if self._dies():
            raise Killed

    def truncate(self, file: int, size: int) -> None:
        if self._dies():
            raise Killed
        super().truncate(file, size)

    @contextlib.contextmanager
    def commit(self) -> Iterator[None]:
        """A transaction of the state, after which or before which it dies; SQLite itself knows nothing in between."""
        dies = self._dies()
        if dies and self._part <= 0.5:
            raise Killed
        yield
        if dies:
            raise Killed


class MortalState(State):
    """Dies with its disk."""

    def __init__(self, path: Path, disk: MortalDisk) -> None:
        super().__init__(path)
        self._disk = disk
        try:
            with disk.commit():
                pass
        except Killed:
            self.close()
            raise

    def save(self, *args: Any, **named: Any) -> None:
        with self._disk.commit():
            super().save(*args, **named)

    def recover(self, *args: Any, **named: Any) -> None:
        with self._disk.commit():
            super().recover(*args, **named)


@dataclass(frozen=True)
class Event:
    id: str
    stream: str
    at: float
    visible_at: float


def line(event: Event) -> Line:
    given = dict.fromkeys(KEYS) | {
        "time": iso(event.at),
        "event_id": event.id,
        "account": "acme",
        "actor_type": "system",
    }
    return Line(**given | {"environment_id": event.stream})  # type: ignore[arg-type]


events_lists = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, int(OVERLAP) - 5), st.sampled_from(STREAMS)), min_size=1, max_size=40
).map(
    lambda rows: [
        Event(f"us_evt_{number}", stream, START + at, START + at + late)
        for number, (at, late, stream) in enumerate(rows)
    ]
)


@dataclass
class Life:
    """One process, from its start until it ends or is killed."""

    directory: Path
    disk: MortalDisk
    format_name: str
    number: int

    def run(self, events: Sequence[Event], until: float, batch: int, reopened_at: float | None) -> None:
        """Make a pass every 20 seconds up to `until`; before one of them the output is renamed, and reopened as on SIGHUP."""
        lines = line_format(self.format_name, people=False, payload=False)  # type: ignore[arg-type]
        path = self.directory / "audit.log"
        with contextlib.closing(MortalState(self.directory / "state", self.disk)) as state:
            state.begin({"acme": OVERLAP}, START - 1)
            journal = Journal(state, LogFile(path, lines.header, self.disk), lines, Worker("none"))
            with contextlib.closing(journal):
                journal.recover()
                now = START
                while now <= until:
                    if reopened_at == now:
                        path.rename(self.directory / f"audit.log.{901 - 2 * self.number}")
                        journal.reopen()
                    positions = journal.positions("acme")
                    visible = [event for event in events if event.visible_at <= now]
                    wanted = [event for event in visible if event.at >= positions.since(event.stream)]
                    state.add("acme", [Found(event.stream, event.at, Row(id=event.id)) for event in wanted])
                    at = {event.id: event for event in events}
                    while chunk := state.waiting("acme", batch):
                        encoded = [lines.encode(line(at[found.row.id])) for found in chunk]
                        journal.write("acme", chunk, encoded, STREAMS, min(chunk[-1].at, now - 2))
                    now += 20


def told(directory: Path, format_name: str) -> list[str]:
    """The ids in all files, the oldest file first."""
    lines = line_format(format_name, people=False, payload=False)  # type: ignore[arg-type]
    found = []
    for path in sorted(directory.glob("audit.log*"), reverse=True):
        text = path.read_bytes()
        assert not text or text.endswith(b"\n")
        for raw in text.splitlines(keepends=True):
            decoded = lines.decode(raw.rstrip(b"\n"))
            if decoded is None:
                assert raw == lines.header
            else:
                found.append(decoded.event_id)
    return found


@examples(100)
@given(
    events=events_lists,
    deaths=st.lists(
        st.tuples(st.integers(0, 30), st.floats(0, 1), st.booleans(), st.one_of(st.none(), st.integers(0, 20))),
        max_size=8,
    ),
    batch=st.integers(1, 7),
    format_name=st.sampled_from(["jsonl", "csv"]),
)
@example(
    events=[Event("us_evt_0", STREAMS[0], START, START)], deaths=[(4, 0.0, False, 0)], batch=1, format_name="jsonl"
)
def test_each_event_once_whenever_it_is_killed(
    events: list[Event], deaths: list[tuple[int, float, bool, int | None]], batch: int, format_name: str
) -> None:
    """Within a life the file may be renamed and reopened, and between two lives renamed, as logrotate does."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number, (calls, part, rotated, reopened) in enumerate(deaths):
            life = Life(directory, MortalDisk(calls, part), format_name, number)
            with contextlib.suppress(Killed):
                life.run(
                    events, START + 40.0 * (number + 1), batch, START + reopened * 20 if reopened is not None else None
                )
            path = directory / "audit.log"
            if rotated and path.exists():
                path.rename(directory / f"audit.log.{900 - 2 * number}")
        Life(directory, MortalDisk(math.inf, 0), format_name, 99).run(events, START + 400, batch, None)
        ids = told(directory, format_name)
    assert sorted(ids) == sorted(event.id for event in events)
    at = {event.id: event.at for event in events}
    newest = -math.inf
    for id_ in ids:
        assert at[id_] >= newest - OVERLAP, "in the order of time, but for what came late"
        newest = max(newest, at[id_])
