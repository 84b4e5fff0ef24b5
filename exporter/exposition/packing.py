"""Pieces of a page that are packed once and joined to a gzip stream as often as it takes.

Each piece is deflated by itself and ends at a byte's border (RFC 1951, an empty stored block), so that one piece after
another is one deflate stream. Its CRC follows from those of the pieces. Several gzip streams in a row would be simpler,
but many readers, browsers and curl among them, take the first one for all of it.
"""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, of no system in particular
_LAST_BLOCK = b"\x03\x00"  # an empty one that says that it is the last
_LEVEL = 5

# CRC-32 takes bytes for polynomials over two elements; the highest bit of a number is the coefficient of x^0.
_ONE = 1 << 31
_MODULUS = 0xEDB88320


@dataclass(frozen=True, slots=True)
class Packed:
    """A packed piece: its deflated bytes, and of its plain ones the number, the CRC, and what a CRC before them turns by."""

    deflated: bytes
    length: int
    crc: int
    shift: int


def pack(plain: bytes) -> Packed:
    """Pack a piece. The same bytes always give the same."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    deflated = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
    return Packed(deflated, len(plain), zlib.crc32(plain), _x_to_the(8 * len(plain)))


def joined(pieces: Iterable[Packed]) -> bytes:
    """Give the gzip stream of all pieces, one after the other."""
    stream = [_HEAD]
    crc = length = 0
    for piece in pieces:
        stream.append(piece.deflated)
        crc = _product(crc, piece.shift) ^ piece.crc
        length += piece.length
    return b"".join([*stream, _LAST_BLOCK, crc.to_bytes(4, "little"), (length % 2**32).to_bytes(4, "little")])


def _product(one: int, other: int) -> int:
    product = 0
    while one:
        if one & _ONE:
            product ^= other
        one = one << 1 & 0xFFFFFFFF
        other = other >> 1 ^ (_MODULUS if other & 1 else 0)
    return product


def _x_to_the(exponent: int) -> int:
    power, square = _ONE, _ONE >> 1
    while exponent:
        if exponent & 1:
            power = _product(power, square)
        square = _product(square, square)
        exponent >>= 1
    return power
