"""The output file: appends whole lines, finds them again after a crash or a rotation, cuts off a torn last line."""

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from exporter.audit.state import AuditError
from exporter.core.logs import fields

log = logging.getLogger(__name__)

FINGERPRINT_BYTES = 4096  # before the end, by which a file is recognised
CHUNK_BYTES = 1 << 16


class Disk:
    """System calls that change the output. A test can make any of them fail half way. Each raises OSError."""

    def write(self, file: int, data: bytes) -> int:
        """Write as much as possible at once; return the number of bytes."""
        return os.write(file, data)

    def sync(self, file: int) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(file)

    def truncate(self, file: int, size: int) -> None:
        os.ftruncate(file, size)

    def write_all(self, file: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(file, bytes(rest)) :]


class End(msgspec.Struct, frozen=True):
    """Where an output file ends, as the state keeps it.

    `before` is a hash of the last bytes before `offset`: another file may have the same name or the same inode.
    """

    path: str
    device: int
    inode: int
    offset: int
    before: str


class LogFile:
    """An open output file, locked against other processes. `header` is what each new file begins with."""

    def __init__(self, path: Path, header: bytes, disk: Disk) -> None:
        """Open or create the file. Raises AuditError and OSError."""
        self._path = path
        self._header = header
        self._disk = disk
        self._offset, self._before = 0, b""
        self._torn = False  # bytes after the offset are part of a failed write
        if path.exists() and not path.is_file():
            raise AuditError(f"{path} is not a regular file: omit --output, and redirect standard output instead")
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with _opened(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY) as directory:
                disk.sync(directory)
            self._look()
        except BlockingIOError:
            self.close()
            raise AuditError(f"{path} is in use by another process") from None
        except BaseException:
            self.close()
            raise

    def recover(self, saved: str | None) -> Iterator[bytes]:
        """Yield the lines that were written after the end that was saved, without their newlines.

        They are in this file, or in the one that it was renamed or copied to meanwhile. A torn line is cut off. Raises
        AuditError and OSError.
        """
        if saved is not None:
            last = msgspec.json.decode(saved, type=End)
            if (path := self._find(last)) is None:
                log.warning(
                    "the last lines were not found: up to a few hundred events may be written again",
                    extra=fields(path=last.path),
                )
            else:
                with _opened(path, os.O_RDWR) as file:
                    yield from self._lines_after(file, last.offset)
                self._look()
        self._must_end_with_a_line()

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines and wait until they are on the disk. Raises OSError; then none of them counts as written."""
        self._cut_off_torn_line()
        if os.fstat(self._file).st_size != self._offset:
            self._look()  # somebody else has truncated or written it
        data = b"".join([b"" if self._offset else self._header, *lines])
        self._torn = True
        self._disk.write_all(self._file, data)
        self._disk.sync(self._file)
        self._torn = False
        self._offset += len(data)
        self._before = (self._before + data)[-FINGERPRINT_BYTES:]

    def successor(self) -> "LogFile | None":
        """Open the file that has the name now; `None` where it is still this one. Raises AuditError and OSError."""
        if self._path.exists() and os.path.samestat(self._path.stat(), os.fstat(self._file)):
            return None
        self._cut_off_torn_line()
        new = LogFile(self._path, self._header, self._disk)
        try:
            new._must_end_with_a_line()
        except AuditError:
            new.close()
            raise
        return new

    def close(self) -> None:
        os.close(self._file)

    @property
    def is_removed(self) -> bool:
        """Whether the file has no name any more."""
        return os.fstat(self._file).st_nlink == 0

    @property
    def end(self) -> str:
        """Where the file ends, for `recover`."""
        about = os.fstat(self._file)
        end = End(str(self._path.absolute()), about.st_dev, about.st_ino, self._offset, _hash(self._before))
        return msgspec.json.encode(end).decode()

    def _cut_off_torn_line(self) -> None:
        """Remove what a failed write left. Raises OSError."""
        if self._torn:
            self._disk.truncate(self._file, self._offset)
            self._torn = False

    def _must_end_with_a_line(self) -> None:
        """Raise AuditError if the file ends within a line."""
        if self._before and not self._before.endswith(b"\n"):
            raise AuditError(f"{self._path} does not end with a whole line: repair it, or choose another file")

    def _look(self) -> None:
        """Learn where the file ends. Raises AuditError if it begins with another header."""
        self._offset = os.fstat(self._file).st_size
        self._before = _last(self._file, self._offset)
        if not self._header.startswith(os.pread(self._file, len(self._header), 0)):
            raise AuditError(f"{self._path} begins with another header: it has other columns, or is not a CSV file")

    def _find(self, last: End) -> Path | None:
        """Return the file that holds an end: under its own name, or another one in the same directory."""

        def likelihood(known: tuple[Path, os.stat_result]) -> tuple[bool, bool, int]:
            """The file itself first, then one of its name, then the longest: a copy may lack the last lines."""
            path, about = known
            return (about.st_dev, about.st_ino) == (last.device, last.inode), str(path) == last.path, about.st_size

        files = []
        with suppress(FileNotFoundError), os.scandir(Path(last.path).parent) as entries:
            for path in (self._path.absolute(), *(Path(entry.path) for entry in entries if entry.is_file())):
                with suppress(FileNotFoundError):
                    files.append((path, path.stat()))
        for known in sorted(files, key=likelihood, reverse=True):
            path, about = known
            is_itself = likelihood(known)[0]
            if about.st_size >= last.offset and (last.offset or is_itself) and _holds(path, last):
                return path
        return None

    def _lines_after(self, file: int, offset: int) -> Iterator[bytes]:
        """Yield the whole lines from the offset on, and cut off what follows them."""
        rest, end = b"", offset
        while chunk := os.pread(file, CHUNK_BYTES, end + len(rest)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                end += len(line) + 1
                yield line
        if rest:
            log.warning("a line that a crash had cut short was removed", extra=fields(path=str(self._path)))
            self._disk.truncate(file, end)
            self._disk.sync(file)


def _holds(path: Path, last: End) -> bool:
    try:
        with _opened(path, os.O_RDONLY) as file:
            return _hash(_last(file, last.offset)) == last.before
    except OSError:
        return False


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    file = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield file
    finally:
        os.close(file)


def _last(file: int, offset: int) -> bytes:
    """Return the bytes before an offset, as many as a fingerprint takes."""
    start = max(0, offset - FINGERPRINT_BYTES)
    return os.pread(file, offset - start, start)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
