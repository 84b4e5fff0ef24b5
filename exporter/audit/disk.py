"""The few things that the audit log does to files. Passed in, so that a test can let any of them fail half way."""

import os
from pathlib import Path

PRIVATE = 0o600


class Disk:
    """Calls of the operating system. Each raises OSError."""

    def write(self, file: int, data: bytes) -> int:
        """Write as much as fits now; gives how many bytes."""
        return os.write(file, data)

    def sync(self, file: int) -> None:
        """Wait until what was written is on the disk."""
        os.fsync(file)

    def truncate(self, file: int, size: int) -> None:
        """Cut the file off."""
        os.ftruncate(file, size)

    def replace(self, new: Path, old: Path) -> None:
        """Put one file in the place of another, in one step."""
        os.replace(new, old)  # noqa: PTH105 - what pathlib would do

    def write_all(self, file: int, data: bytes) -> None:
        """Write everything."""
        rest = memoryview(data)
        while rest:
            rest = rest[self.write(file, bytes(rest)) :]

    def sync_directory(self, path: Path) -> None:
        """Wait until a file's name is on the disk, too."""
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self.sync(directory)
        finally:
            os.close(directory)
