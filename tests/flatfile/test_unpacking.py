"""gzip bodies: several members and zero padding are read, everything else that goes on is refused, in bounded pieces."""

import gzip
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.flatfile.unpacking import MAX_MEMBERS, PIECE, BadPacking, Unpacker


def unpacked(packed: bytes, size: int = 1 << 30) -> bytes:
    """Unpack a body that comes in pieces of `size` bytes."""
    unpacker = Unpacker()
    parts = [part for start in range(0, len(packed), size) for part in unpacker.unpack(packed[start : start + size])]
    unpacker.end()
    assert all(len(part) <= PIECE for part in parts)
    return b"".join(parts)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=5), st.integers(0, 20), st.integers(1, 50))
def test_members_and_padding(members: list[bytes], zeros: int, size: int) -> None:
    packed = b"".join(gzip.compress(member, mtime=0) for member in members) + bytes(zeros)
    assert unpacked(packed, size) == b"".join(members)


@pytest.mark.parametrize("length", [PIECE - 1, PIECE, PIECE + 1, 5 * PIECE])
@pytest.mark.parametrize("size", [1000, 1 << 30])
def test_a_small_body_that_unpacks_to_a_large_one(length: int, size: int) -> None:
    assert unpacked(gzip.compress(b"x" * length) * 2, size) == b"x" * length * 2


ONE = gzip.compress(b"x", mtime=0)


@pytest.mark.parametrize(
    ("packed", "match"),
    [
        (ONE + b"and more", "goes on after its end"),
        (ONE + bytes(3) + ONE, "goes on after its end"),
        (gzip.compress(b"", mtime=0) * (MAX_MEMBERS + 1), "goes on after its end"),
        (ONE + b"\x1fjunk", "does not unpack"),
        (zlib.compress(b"x"), "does not unpack"),
        (ONE[:-1], "breaks off"),
        (ONE * 2 + ONE[:-1], "breaks off"),
        (b"", "breaks off"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 30])
def test_what_cannot_be_unpacked(packed: bytes, match: str, size: int) -> None:
    with pytest.raises(BadPacking, match=match):
        unpacked(packed, size)
