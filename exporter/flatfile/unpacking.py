"""gzip bodies, unpacked piece by piece. Pure."""

import zlib
from collections.abc import Iterator

MAX_MEMBERS = 100  # of one body
PIECE = 256 * 1024  # bytes unpacked at a time: a small piece may unpack to a thousand times its size


class BadPacking(Exception):
    """What cannot be unpacked; the text says why."""


class Unpacker:
    """Unpacks one body. It may have several members, and zeros after the last one, as RFC 1952 and gzip have it."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)
        self._members = 1
        self._padded = False

    def unpack(self, packed: bytes) -> Iterator[bytes]:
        """Yield what a piece of the body unpacks to, at most PIECE bytes at a time. Raises BadPacking."""
        while True:
            if self._member.eof:
                packed = self._begin(packed)
                if not packed:
                    return
            try:
                unpacked = self._member.decompress(packed, PIECE)
            except zlib.error:
                raise BadPacking("an answer that does not unpack") from None
            yield unpacked
            packed = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
            is_all = self._member.eof or len(unpacked) < PIECE  # else there may be more, also of nothing
            if is_all and not packed:
                return

    def _begin(self, packed: bytes) -> bytes:
        """Begin the next member, if there is one. Return what belongs to it."""
        rest = packed.lstrip(b"\0")
        self._padded |= len(rest) < len(packed)
        if not rest:
            return b""
        if self._padded or not rest.startswith(b"\x1f") or self._members == MAX_MEMBERS:
            raise BadPacking("a packed answer that goes on after its end")
        self._member = zlib.decompressobj(wbits=31)
        self._members += 1
        return rest

    def end(self) -> None:
        """Tell that the body has ended. Raises BadPacking where it breaks off."""
        if not self._member.eof:
            raise BadPacking("a packed answer that breaks off")
