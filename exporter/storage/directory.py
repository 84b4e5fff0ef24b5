"""The directory of states: one exporter's at a time, written by a thread of its own.

A disk that is slow or hangs holds up no scrape. Of several states of one file that wait to be written only the last is.
"""

import asyncio
import errno
import fcntl
import hashlib
import ipaddress
import logging
import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from exporter.core.log_throttle import LogThrottle
from exporter.core.logs import fields
from exporter.storage import files
from exporter.storage.envelope import Owner, Unusable, opened, sealed

log = logging.getLogger(__name__)
T = TypeVar("T")

LOCK = "lock"
PROBE = ".probe"
LONGEST_CLOSE = 1.0  # seconds for what waits to be written when the exporter ends
_FULL = (errno.ENOSPC, errno.EDQUOT)


class StorageError(Exception):
    """A directory that cannot be used; the text names it and says why."""


class Storage:
    """The directory, locked until `close`."""

    def __init__(self, directory: Path, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Make the directory if it is not there (for its owner alone), and lock it. Raises StorageError."""
        self._directory = directory
        self._log_throttle = LogThrottle(monotonic)
        self._failures = 0
        self._waiting: dict[Path, bytes] = {}
        self._writing: tuple[Path, bytes] | None = None
        self._changed = threading.Condition()
        self._closing = False
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _locked(directory / LOCK)
            try:
                _probe(directory / PROBE)
            except OSError:
                os.close(self._lock)
                raise
        except BlockingIOError:
            raise StorageError(
                f"--storage.path: {directory} is in use by another exporter; each needs a directory of its own"
            ) from None
        except FileExistsError:
            raise StorageError(f"--storage.path: {directory} is no directory") from None
        except OSError as error:
            raise StorageError(
                f"--storage.path: nothing can be kept in {directory}: {error.strerror or error}"
            ) from None
        self._thread = threading.Thread(target=self._write_on, name="storage", daemon=True)
        self._thread.start()

    def of(self, account: str, base_url: str) -> "Stored":
        """One account's states."""
        return Stored(self, account, origin(base_url))

    def path(self, owner: Owner) -> Path:
        """The file of a state. Its name is readable, and each owner's is another."""
        readable = re.sub(r"[^A-Za-z0-9_-]+", "_", owner.account)[:40]
        digest = hashlib.sha256(msgspec.json.encode(owner)).hexdigest()[:16]
        return self._directory / f"{owner.collector}-{readable}-{digest}.json"

    def put(self, path: Path, content: bytes) -> None:
        """Have a file written soon. A failure is logged, and what is put next is tried again."""
        with self._changed:
            self._waiting[path] = content
            self._changed.notify_all()

    def content(self, path: Path) -> bytes | None:
        """What was put last, be it written yet or not; `None` where there is nothing. Raises OSError, Unusable."""
        with self._changed:
            if path in self._waiting:
                return self._waiting[path]
            if self._writing is not None and self._writing[0] == path:
                return self._writing[1]
        return files.read(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self, patience: float = LONGEST_CLOSE) -> None:
        """Write what waits, for so many seconds at most, and unlock."""
        if self._closing:
            return
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(patience)
        if self._thread.is_alive():
            log.warning("the last states are not written: the disk is too slow", extra=fields(path=self._directory))
        else:
            os.close(self._lock)

    def _write_on(self) -> None:
        while True:
            with self._changed:
                self._writing = None
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                path = next(iter(self._waiting))
                self._writing = (path, self._waiting.pop(path))
                content = self._writing[1]
            try:
                files.write(path, content)
            except OSError as error:
                self._failed(path, error)
            else:
                if self._failures:
                    log.info("states are written again", extra=fields(path=self._directory, failures=self._failures))
                self._failures = 0
                self._log_throttle.reset()

    def _failed(self, path: Path, error: OSError) -> None:
        self._failures += 1
        times = self._log_throttle.should_log(error.errno)
        if times is not None:
            log.warning(
                "cannot write a state: a restart would go on from an older one",
                extra=fields(path=path, error=error.strerror or str(error), times=times if times > 1 else None),
            )


class Stored:
    """One account's states, by collector."""

    def __init__(self, storage: Storage, account: str, where: str) -> None:
        self._storage = storage
        self._account = account
        self._where = where

    async def load(self, collector: str, kind: type[T]) -> T | None:
        """The state saved last; `None` where there is none to go on from. What cannot be used is set aside with a warning."""
        return await asyncio.to_thread(self._load, Owner(self._account, self._where, collector), kind)

    def save(self, collector: str, state: msgspec.Struct) -> None:
        """Keep a state, as it is now, instead of the one before. It is written in the background."""
        owner = Owner(self._account, self._where, collector)
        self._storage.put(self._storage.path(owner), sealed(owner, state))

    def _load(self, owner: Owner, kind: type[T]) -> T | None:
        path = self._storage.path(owner)
        try:
            content = self._storage.content(path)
            return None if content is None else opened(content, owner, kind)
        except Unusable as error:
            why = str(error)
        except OSError as error:
            why = error.strerror or str(error)
        about = fields(account=owner.account, collector=owner.collector, path=path, reason=why)
        try:
            about["fields"]["renamed_to"] = files.set_aside(path).name
        except OSError as error:
            about["fields"]["not_renamed"] = error.strerror or str(error)
        log.warning("a kept state cannot be used: counts begin anew", extra=about)
        return None


def origin(base_url: str) -> str:
    """What tells one API from another: a digest of the address, without the port on this machine, which may be any."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    where = host if _is_this_machine(host) else parts.netloc.lower()
    return hashlib.sha256(f"{parts.scheme}://{where}{parts.path}".encode()).hexdigest()[:16]


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _locked(path: Path) -> int:
    """Lock a file for as long as it is open. Raises BlockingIOError where another process holds it, OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _probe(path: Path) -> None:
    """Raises OSError where no file can be made. A full disk may have room later: it is only said when a state is written."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        path.unlink()
    except OSError as error:
        if error.errno not in _FULL:
            raise
