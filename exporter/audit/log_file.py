"""The output file: whole lines appended, found again after a crash or a rotation, with a torn last line cut off."""

import contextlib
import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path

from exporter.audit.disk import PRIVATE, Disk
from exporter.audit.state import AuditError, Position
from exporter.core.logs import fields

log = logging.getLogger(__name__)

FINGERPRINT = 4096  # bytes before the offset that tell a file apart
PIECE = 1 << 16


class LogFile:
    """One process writes it at a time. `header` is what each new file begins with."""

    def __init__(self, path: Path, header: bytes, disk: Disk) -> None:
        self.path = path
        self._header = header
        self._disk = disk
        self._file = -1
        self._offset = 0
        self._before = b""
        self._torn = False  # bytes after the offset are part of what could not be written

    def open(self, last: Position | None) -> Iterator[bytes]:
        """Open the file, and give the lines that were written after the position `last`, without their newlines.

        They are in this file, or in the one that it was renamed or copied to meanwhile. A torn line at their end is cut
        off. Nothing is opened before the first line is asked for. Raises AuditError, and OSError.
        """
        self._file = self._alone()
        self._look()
        found = None if last is None else self._find(last)
        if last is not None and found is not None:
            with _opened(found, os.O_RDWR) as file:
                yield from self._recovered(file, last.offset)
            self._look()
        elif last is not None:
            log.warning(
                "what was written last was not found: up to a few hundred events may be written again",
                extra=fields(path=last.path),
            )
        self._must_end_with_a_line()

    def append(self, data: bytes) -> None:
        """Write whole lines and wait until they are on the disk. Raises OSError; nothing of them counts as written then."""
        if self._torn:
            self._disk.truncate(self._file, self._offset)
        elif os.fstat(self._file).st_size != self._offset:
            self._look()  # cut off or written to by somebody else
        if not self._offset:
            data = self._header + data
        self._torn = True
        self._disk.write_all(self._file, data)
        self._disk.sync(self._file)
        self._torn = False
        self._offset += len(data)
        self._before = (self._before + data)[-FINGERPRINT:]

    def reopen(self) -> None:
        """Go on in the file that has the name now: a new one, where the old one was renamed.

        Raises AuditError and OSError; the old file is kept then.
        """
        if self.path.exists() and os.path.samestat(self.path.stat(), os.fstat(self._file)):
            return
        if self._torn:
            self._disk.truncate(self._file, self._offset)
            self._torn = False
        old, offset, before = self._file, self._offset, self._before
        self._file = self._alone()
        try:
            self._look()
            self._must_end_with_a_line()
        except (AuditError, OSError):
            os.close(self._file)
            self._file, self._offset, self._before = old, offset, before
            raise
        os.close(old)

    def close(self) -> None:
        """Leave the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @property
    def position(self) -> Position:
        """How far the file has been written."""
        about = os.fstat(self._file)
        path = str(self.path.absolute())
        return Position(path, about.st_dev, about.st_ino, self._offset, _hash(self._before))

    def _alone(self) -> int:
        """Open the file, and see to it that nobody else writes it."""
        if self.path.exists() and not self.path.is_file():
            raise AuditError(f"{self.path} is no file: leave --output out, and send standard output there")
        file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._disk.sync_directory(self.path.absolute())
        except BlockingIOError:
            os.close(file)
            raise AuditError(f"{self.path} is written by another process") from None
        except BaseException:
            os.close(file)
            raise
        return file

    def _look(self) -> None:
        """Learn where the file ends, and what stands there. Raises AuditError where it begins otherwise than ours do."""
        self._offset = os.fstat(self._file).st_size
        self._before = _last(self._file, self._offset)
        start = os.pread(self._file, len(self._header), 0)
        if not self._header.startswith(start):
            raise AuditError(f"{self.path} begins with another header: it has other columns, or is no CSV file")

    def _must_end_with_a_line(self) -> None:
        if self._before and not self._before.endswith(b"\n"):
            raise AuditError(f"{self.path} does not end with a whole line: mend it, or choose another file")

    def _find(self, last: Position) -> Path | None:
        """The file that holds the position: under its own name, or under another one in the same folder."""
        known = []
        with contextlib.suppress(FileNotFoundError), os.scandir(Path(last.path).parent) as entries:
            for path in (self.path.absolute(), *(Path(entry.path) for entry in entries if entry.is_file())):
                with contextlib.suppress(FileNotFoundError):
                    known.append((path, path.stat()))
        known.sort(key=lambda one: _likelihood(one[0], one[1], last), reverse=True)
        for path, about in known:
            is_it = (about.st_dev, about.st_ino) == (last.device, last.inode)
            if about.st_size >= last.offset and (last.offset or is_it) and _holds(path, last):
                return path
        return None

    def _recovered(self, file: int, offset: int) -> Iterator[bytes]:
        """The whole lines from the offset on; what follows them is cut off."""
        rest, end = b"", offset
        while piece := os.pread(file, PIECE, end + len(rest)):
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                end += len(line) + 1
                yield line
        if rest:
            log.warning("a line was cut short by a crash and is written anew", extra=fields(path=str(self.path)))
            self._disk.truncate(file, end)
            self._disk.sync(file)


def _likelihood(path: Path, about: os.stat_result, last: Position) -> tuple[bool, bool, int]:
    """The file itself first, then one of its name, then the longest: a copy may have been made before the last lines."""
    is_it = (about.st_dev, about.st_ino) == (last.device, last.inode)
    return is_it, str(path) == last.path, about.st_size


def _holds(path: Path, last: Position) -> bool:
    try:
        with _opened(path, os.O_RDONLY) as file:
            return _hash(_last(file, last.offset)) == last.before
    except OSError:
        return False


@contextlib.contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _last(file: int, offset: int) -> bytes:
    """The bytes before an offset, as many as a fingerprint takes."""
    start = max(0, offset - FINGERPRINT)
    return os.pread(file, offset - start, start)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
