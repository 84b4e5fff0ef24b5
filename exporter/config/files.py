"""Reads the files that a configuration names, and the configuration itself: regular files of a limited size."""

import asyncio
import errno
import os
import re
import ssl
import stat
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

from exporter.config.schema import Kind
from exporter.config.values import check_value
from exporter.core.worker import start_thread

T = TypeVar("T")

READABLE_BY_ALL = "the file is readable by every user of this machine: run chmod o-r on it"
READ_SECONDS = 3.0
"""For one file, because a mount may hang: several of them fit into the time for a reload."""
MAX_SECRET_BYTES = 64 * 1024
MAX_PEM_BYTES = 4 * 2**20
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_reading: dict[Path, Future[tuple[bytes, int]]] = {}
_OTHER_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device", stat.S_IFSOCK: "a socket"}


def read_file(path: Path, max_bytes: int) -> tuple[bytes, int]:
    """Return the content and the mode.

    Raises OSError, also for what is not a regular file, is too large, or does not answer within READ_SECONDS.
    """
    try:
        return _start_reading(path, max_bytes).result(READ_SECONDS)
    except TimeoutError as error:
        raise _too_late(error) from None


async def read_secret_file(path: Path, kind: Kind[T]) -> T:
    """Return the one value that a file holds, as `read_file` reads it, without blocking the event loop.

    Raises OSError, or ValueError with a text that does not repeat the value.
    """
    return parse_secret(await _read_soon(path, MAX_SECRET_BYTES), kind)


async def reread_certificates(path: Path) -> str:
    """Return what `read_certificates` does, without blocking the event loop."""
    return _pem(await _read_soon(path, MAX_PEM_BYTES))


async def _read_soon(path: Path, max_bytes: int) -> bytes:
    try:
        content, _ = await asyncio.wait_for(asyncio.wrap_future(_start_reading(path, max_bytes)), READ_SECONDS)
    except TimeoutError as error:
        raise _too_late(error) from None
    return content


def _start_reading(path: Path, max_bytes: int) -> Future[tuple[bytes, int]]:
    """Read on a thread of its own, or join a read of the same file: one that a hung mount blocks is the only one."""
    future = _reading.get(path)
    if future is None or future.done():
        future = _reading[path] = start_thread("file", lambda: _read(path, max_bytes))
        future.add_done_callback(lambda _: _reading.pop(path, None))
    return future


def _too_late(error: TimeoutError) -> OSError:
    return error if error.errno else OSError(errno.ETIMEDOUT, f"no answer within {READ_SECONDS:g}s")


def _read(path: Path, max_bytes: int) -> tuple[bytes, int]:
    try:
        with open(path, "rb", opener=_open) as file:
            mode = os.fstat(file.fileno()).st_mode
            if not stat.S_ISREG(mode):
                kind = _OTHER_KINDS.get(stat.S_IFMT(mode), "of another kind")
                raise OSError(errno.EINVAL, f"it is {kind}, not a regular file")
            content = file.read(max_bytes + 1)
    except ValueError:
        raise OSError(errno.EINVAL, "this cannot be the name of a file") from None
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, f"the file is larger than {max_bytes} bytes")
    return content, mode


def _open(path: str, flags: int) -> int:
    """Open without waiting for the other end of a FIFO or for a device."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def is_public(mode: int) -> bool:
    """Return whether every user may read a file of this mode."""
    return bool(mode & stat.S_IROTH)


def parse_secret(content: bytes, kind: Kind[T]) -> T:
    """Return the one value of a file; one line break at its end does not count, nor a byte order mark.

    Raises ValueError with a text that does not repeat the value.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text") from None
    return check_value(text.removesuffix("\n").removesuffix("\r"), kind)


def check_secret_file(path: Path, kind: Kind[Any], *, confidential: bool) -> list[str]:
    """Return warnings about a file that is read whenever a token is needed; it may well appear or be filled later.

    Raises ValueError for a file that cannot be what is wanted.
    """
    later = "the file is read whenever a token is needed, and no data is collected until then"
    try:
        content, mode = read_file(path, MAX_SECRET_BYTES)
    except PermissionError:
        return ["the exporter has no permission to read the file"]
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EINVAL, errno.EFBIG, errno.ENXIO):
            raise ValueError(reason(error)) from None
        return [f"{reason(error)}; {later}"]
    if not content.strip():
        return [f"the file is empty; {later}"]
    try:
        parse_secret(content, kind)
    except ValueError as error:
        raise ValueError(f"the content {error}") from None
    return [READABLE_BY_ALL] if confidential and is_public(mode) else []


def read_certificates(path: Path) -> str:
    """Return the certificates in a file, as PEM. Raises OSError, or ValueError where there is none or one is damaged."""
    return _pem(read_file(path, MAX_PEM_BYTES)[0])


def _pem(content: bytes) -> str:
    found = certificates(content)
    if found is None:
        raise ValueError("the file contains no certificate in PEM format")
    return found


def certificates(content: bytes) -> str | None:
    """Return the certificates of a PEM text; None where there is none, or one of them is damaged."""
    found = b"\n".join(_CERTIFICATE.findall(content)).decode("ascii")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=found)
    except (ssl.SSLError, ValueError):  # ValueError: of nothing
        return None
    return found


def reason(error: OSError) -> str:
    """Return why a file could not be read, in the system's words."""
    text = error.strerror or "cannot be read"
    return text[0].lower() + text[1:]
