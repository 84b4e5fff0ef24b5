"""Where lines go: a file that keeps each event once, or standard output."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from exporter.audit.cursor import Cursor, Place
from exporter.audit.disk import Disk
from exporter.audit.line import Format, Told
from exporter.audit.log_file import LogFile
from exporter.audit.state import Position, State, StateFile

T = TypeVar("T")
PIECE = 1 << 16  # bytes handed to a reader at a time


class Entry(Protocol):
    """An event that is told."""

    @property
    def stream(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def at(self) -> float: ...


class Output(Protocol):
    """Takes lines. One caller at a time."""

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write lines, each with its newline; returns when a reader has taken them. Raises OSError."""

    def reopen(self) -> None:
        """Go on in another file, where the output is one that was renamed."""

    @property
    def position(self) -> Position | None:
        """How far it is written, where it is a file."""


class Stream:
    """Standard output, or whatever has that file descriptor. Nobody can tell what its reader has made of it."""

    def __init__(self, file: int, header: bytes, disk: Disk) -> None:
        self._file = file
        self._disk = disk
        self._header = header

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write piece by piece, so that an end does not wait for more than one; never a part of a line."""
        piece = [self._header] if self._header else []
        self._header = b""
        size = 0
        for line in lines:
            piece.append(line)
            size += len(line)
            if size >= PIECE:
                await self._write(b"".join(piece))
                piece, size = [], 0
        if piece:
            await self._write(b"".join(piece))

    async def _write(self, data: bytes) -> None:
        await to_the_end(lambda: self._disk.write_all(self._file, data))

    def reopen(self) -> None:
        """Nothing to be done."""

    @property
    def position(self) -> None:
        """None."""


class File:
    """A file."""

    def __init__(self, file: LogFile) -> None:
        self._file = file

    async def write(self, lines: Sequence[bytes]) -> None:
        """Write, and wait for the disk."""
        await to_the_end(lambda: self._file.append(b"".join(lines)))

    def reopen(self) -> None:
        """Go on in the file that has the name now. Raises AuditError and OSError."""
        self._file.reopen()

    @property
    def position(self) -> Position:
        """How far it is written."""
        return self._file.position


class Journal:
    """Writes lines and, where there is a state file, keeps what is told in step with them.

    The order is lines, then state; lines after the state's position were written before a crash, and their ids are
    learnt from them at the next start. So a file has each event once, whenever the process ends.
    """

    def __init__(self, output: Output, places: dict[str, Place], state: StateFile | None) -> None:
        self._output = output
        self._places = places
        self._state = state
        self._lock = asyncio.Lock()

    async def write(
        self, cursor: Cursor, entries: Sequence[Entry], lines: Sequence[bytes], streams: Iterable[str], to: float
    ) -> None:
        """Write the lines of these entries; with them the streams are told up to `to`. Raises OSError."""
        async with self._lock:
            if lines:
                await self._output.write(lines)
            for entry in entries:
                cursor.tell(entry.stream, entry.id, entry.at)
            if cursor.advance(streams, to) or lines:
                await to_the_end(self.save)

    async def reopen(self) -> None:
        """Go on in another file. Raises AuditError and OSError."""
        async with self._lock:
            await to_the_end(self._output.reopen)
            await to_the_end(self.save)

    def save(self) -> None:
        """Write the state. Raises OSError."""
        if self._state is not None:
            self._state.save(State(self._places, self._output.position))


def learn(lines: Iterable[bytes], line_format: Format, places: dict[str, Place]) -> None:
    """Note the events of lines that were written after the state was saved."""
    for text in lines:
        told: Told | None = line_format.decode(text)
        if told is None or told.at is None or told.account not in places:
            continue
        places[told.account].told.setdefault(told.environment_id or "", {})[told.event_id] = told.at


async def to_the_end(work: Callable[[], T]) -> T:
    """Do something that may block, aside; when the task is cancelled meanwhile, that counts once it is done."""
    doing = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await asyncio.gather(doing, return_exceptions=True)
        raise
