"""Files that are whole or not there: written beside and renamed, read with a limit, set aside when they cannot be used."""

import contextlib
import os
import re
import stat
from datetime import UTC, datetime
from pathlib import Path

from exporter.storage.envelope import Unusable

LARGEST = 64 * 1024 * 1024
MOST_SET_ASIDE = 3  # of one file
TEMPORARY = ".tmp"  # at the end of the name; the same each time, so that a crash leaves one behind at most


def write(path: Path, content: bytes) -> None:
    """Replace a file's content, so that a crash at any moment leaves the old content or the new one. Raises OSError."""
    beside = path.with_name(path.name + TEMPORARY)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(beside, flags, 0o600)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(file, view) :]
        os.fsync(file)
    finally:
        os.close(file)
    beside.replace(path)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make a rename outlive a loss of power. Raises OSError."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(path: Path) -> bytes | None:
    """A file's content; `None` where there is none. Raises Unusable for what is no file of ours, OSError."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not hold up the start
    except FileNotFoundError:
        return None
    about = os.fstat(file)
    if not stat.S_ISREG(about.st_mode) or about.st_size > LARGEST:
        os.close(file)
        raise Unusable(f"it is no regular file of at most {LARGEST // 1024 // 1024} MiB")
    with os.fdopen(file, "rb") as opened:
        return opened.read()


def set_aside(path: Path) -> Path:
    """Rename what cannot be used, keep the last few of these, and give the new name. Raises OSError."""
    when = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}.corrupt-{when}")
    path.rename(aside)
    pattern = re.compile(re.escape(path.name) + r"\.corrupt-[0-9TZ.]+")
    older = sorted(entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name))
    for surplus in older[:-MOST_SET_ASIDE]:
        with contextlib.suppress(OSError):  # a directory, maybe: whoever made it may remove it
            surplus.unlink()
    return aside
