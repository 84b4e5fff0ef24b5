"""A state as the text of a file, and back. Pure.

The file is one JSON object: what wrote it, whose it is, a checksum, and the state itself.
"""

import zlib
from typing import TypeVar

import msgspec

from exporter import __version__

T = TypeVar("T")

FORMAT = "flatfile-exporter state"
VERSION = 1


class Unusable(Exception):
    """A file that holds no state to go on from; the text says why, and quotes nothing of it."""


class Owner(msgspec.Struct, frozen=True):
    """Whose state it is: the account's name, where its API is, and the collector."""

    account: str
    origin: str
    collector: str


class _Envelope(msgspec.Struct):
    format: str
    version: int
    exporter: str
    owner: Owner
    crc32: int
    state: msgspec.Raw


def sealed(owner: Owner, state: msgspec.Struct) -> bytes:
    """The text of a file."""
    raw = msgspec.json.encode(state)
    return (
        msgspec.json.encode(_Envelope(FORMAT, VERSION, __version__, owner, zlib.crc32(raw), msgspec.Raw(raw))) + b"\n"
    )


def opened(text: bytes, owner: Owner, kind: type[T]) -> T:
    """The state in a file's text. Raises Unusable where it is not what was written, not this owner's or not of this kind."""
    envelope = _decoded(text, _Envelope, "it is no state that was written to the end")
    if envelope.format != FORMAT:
        raise Unusable("it is of another program")
    if envelope.version != VERSION:
        raise Unusable(f"its format has version {envelope.version}, this exporter reads {VERSION}")
    if envelope.owner != owner:
        raise Unusable("it is of another account or collector")
    raw = bytes(envelope.state)
    if zlib.crc32(raw) != envelope.crc32:
        raise Unusable("its checksum is wrong")
    return _decoded(raw, kind, "its fields are others than this exporter's")


def _decoded(text: bytes, kind: type[T], otherwise: str) -> T:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Unusable(otherwise) from None  # its own text may quote the file
