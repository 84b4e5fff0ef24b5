"""The directory of --storage.path: one exporter at a time, one file for each account."""

import fcntl
import hashlib
import ipaddress
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

LOCK = "lock"


class StorageError(Exception):
    """A directory that cannot be used; the text names it and says why."""


class Directory:
    """The directory, locked until `close`."""

    def __init__(self, path: Path) -> None:
        """Make the directory if it is not there (for its owner alone), and lock it. Raises StorageError."""
        self._path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(
                path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600
            )
        except FileExistsError:
            raise StorageError(f"--storage.path: {path} is not a directory") from None
        except OSError as error:
            raise StorageError(f"--storage.path: cannot write to {path}: {error.strerror or error}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if isinstance(error, BlockingIOError):
                why = f"{path} is in use by another exporter; each needs a directory of its own"
            else:
                why = f"cannot lock {path}: {error.strerror or error}"
            raise StorageError(f"--storage.path: {why}") from None

    def file(self, account: str) -> Path:
        """Return the file of an account."""
        return file_of(self._path, account)

    def close(self) -> None:
        """Unlock the directory."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def file_of(directory: Path, account: str) -> Path:
    """Return the file of an account: its name, and a digest where a file cannot have that name."""
    safe = re.sub(r"[^A-Za-z0-9_.-]+", "_", account)[:60]
    if safe != account or account.startswith("."):
        safe = f"{safe.lstrip('.')}-{hashlib.sha256(account.encode()).hexdigest()[:16]}"
    return directory / f"{safe}.sqlite"


def api_identity(base_url: str) -> str:
    """Return what tells one API from another: the address, without the port on this machine, which may be any."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host if _is_this_machine(host) else parts.netloc.lower()}{parts.path}"


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
