"""Each event is in the files exactly once, wherever the process is killed: between any two calls of the operating system,
and in the middle of any of them."""

import asyncio
import contextlib
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.audit.cursor import Cursor, Place
from exporter.audit.disk import Disk
from exporter.audit.line import Line, line_format
from exporter.audit.log_file import LogFile
from exporter.audit.outputs import File, Journal, learn
from exporter.audit.state import StateFile
from exporter.flatfile.times import iso

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

    def replace(self, new: Path, old: Path) -> None:
        if self._dies():
            if self._part > 0.5:
                super().replace(new, old)
            raise Killed
        super().replace(new, old)


@dataclass(frozen=True)
class Event:
    id: str
    stream: str
    at: float
    visible_at: float


def line(event: Event) -> Line:
    nothing = dict.fromkeys(
        (*Line.__struct_fields__[2:4], *Line.__struct_fields__[7:14], "environment", "actor_id"), None
    )
    return Line(
        time=iso(event.at),
        event_id=event.id,
        account="acme",
        environment_id=event.stream,
        actor_type="system",
        **nothing,
    )


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
    disk: Disk
    format_name: str

    async def run(self, events: Sequence[Event], until: float, batch: int) -> None:
        """Make a pass every 20 seconds up to `until`."""
        lines = line_format(self.format_name, people=False, payload=False)  # type: ignore[arg-type]
        state = StateFile(self.directory / "state", self.disk)
        saved = state.load()
        places = saved.accounts if saved else {"acme": Place(START - 1)}
        file = LogFile(self.directory / "audit.log", lines.header, self.disk)
        try:
            learn(file.open(saved.output if saved else None), lines, places)
            journal = Journal(File(file), places, state)
            journal.save()
            cursor = Cursor(places["acme"], OVERLAP)
            now = START
            while now <= until:
                for chunk, to in _passed(cursor, events, now, batch):
                    encoded = [lines.encode(line(event)) for event in chunk]
                    await journal.write(cursor, chunk, encoded, STREAMS, to)
                now += 20
        finally:
            file.close()


def _passed(cursor: Cursor, events: Sequence[Event], now: float, batch: int) -> Iterator[tuple[list[Event], float]]:
    new = [e for e in events if e.visible_at <= now and cursor.is_new(e.stream, e.id, e.at)]
    new.sort(key=lambda event: (event.at, event.id))
    for start in range(0, len(new), batch):
        chunk = new[start : start + batch]
        yield chunk, min(chunk[-1].at, now - 2)


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


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    events=events_lists,
    deaths=st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1), st.booleans()), max_size=8),
    batch=st.integers(1, 7),
    format_name=st.sampled_from(["jsonl", "csv"]),
)
def test_each_event_once_whenever_it_is_killed(
    events: list[Event], deaths: list[tuple[int, float, bool]], batch: int, format_name: str
) -> None:
    """Between two lives the file may be renamed, as logrotate does."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number, (calls, part, rotated) in enumerate(deaths):
            _live(Life(directory, MortalDisk(calls, part), format_name), events, START + 40.0 * (number + 1), batch)
            path = directory / "audit.log"
            if rotated and path.exists():
                path.rename(directory / f"audit.log.{900 - number}")
        _live(Life(directory, MortalDisk(math.inf, 0), format_name), events, START + 400, batch)
        ids = told(directory, format_name)
    assert sorted(ids) == sorted(event.id for event in events)
    at = {event.id: event.at for event in events}
    newest = -math.inf
    for id_ in ids:
        assert at[id_] >= newest - OVERLAP, "in the order of time, but for what came late"
        newest = max(newest, at[id_])


def _live(life: Life, events: Sequence[Event], until: float, batch: int) -> None:
    with contextlib.suppress(Killed):
        asyncio.run(life.run(events, until, batch))
