"""Pieces packed apart are one gzip stream when joined."""

import gzip
import subprocess
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.exposition.packing import joined, pack

pieces = st.lists(
    st.one_of(st.binary(), st.builds(lambda piece, n: piece * n, st.binary(max_size=50), st.integers(0, 3000)))
)


@given(pieces)
def test_they_come_back_as_one_stream(plain: list[bytes]) -> None:
    stream = joined(map(pack, plain))
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(stream) == b"".join(plain)
    assert reader.eof
    assert reader.unused_data == b"", "a reader that looks no further than the first stream has all of it"
    assert gzip.decompress(stream) == b"".join(plain)  # checks length and CRC


def test_another_program_reads_it() -> None:
    text = [f"line {number}\n".encode() * 1000 for number in range(20)]
    done = subprocess.run(["gzip", "-dc"], input=joined(map(pack, text)), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"".join(text), b"")


@given(st.binary())
def test_the_same_bytes_give_the_same_stream(plain: bytes) -> None:
    assert joined([pack(plain)]) == joined([pack(plain)])


def test_it_packs() -> None:
    piece = pack(b'flatfile_spaces{account="acme",environment_id="us_env_1",environment="e",state="active"} 3\n' * 1000)
    assert len(joined([piece] * 10)) < piece.length * 10 / 50


def test_a_piece_in_the_place_of_another_does_not_go_unnoticed() -> None:
    one, two = pack(b"one\n"), pack(b"two\n")
    torn = joined([one, two]).replace(two.deflated, one.deflated)
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(torn)
