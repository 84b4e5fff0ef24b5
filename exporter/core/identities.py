"""Ids as 64-bit numbers, and tables of them in flat arrays: 12 bytes a place instead of a text and a place in a dict. Pure.

Two different ids share a number with a probability of 1 in 2^64. Among n of them some two do with one of n²/2^65: 1 in
3.7 billion among 100,000 and 1 in 230 million among 400,000. One of the two would then be taken for the other.
"""

from array import array
from hashlib import blake2b

_SMALLEST = 64  # places; always a power of two


def number(identity: str) -> int:
    """Give the number of an id: never 0, and the same in every process."""
    return int.from_bytes(blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little") or 1


class Rows:
    """Gives each id a row, by its number: 0, 1, 2 and so on. Open addressing with linear probing, at most two thirds full."""

    def __init__(self) -> None:
        self._keys = array("Q", bytes(8 * _SMALLEST))
        self._rows = array("I", bytes(4 * _SMALLEST))
        self._used = 0

    def __len__(self) -> int:
        return self._used

    def find(self, key: int) -> int | None:
        """Give the row of a key, `None` where it has none."""
        place = self._place(key)
        return self._rows[place] if self._keys[place] else None

    def row(self, key: int) -> int:
        """Give the row of a key; a new key gets the next row, whose number is the length before."""
        place = self._place(key)
        if self._keys[place]:
            return self._rows[place]
        row = self._used
        self._keys[place], self._rows[place] = key, row
        self._used += 1
        if self._used * 3 > len(self._keys) * 2:
            self._grow()
        return row

    def _place(self, key: int) -> int:
        """Where the key is, or the free place where it would be."""
        keys = self._keys
        mask = len(keys) - 1
        place = key & mask
        while keys[place] not in (0, key):
            place = (place + 1) & mask
        return place

    def _grow(self) -> None:
        keys, rows = self._keys, self._rows
        self._keys, self._rows = array("Q", bytes(16 * len(keys))), array("I", bytes(8 * len(rows)))
        for key, row in zip(keys, rows, strict=True):
            if key:
                place = self._place(key)
                self._keys[place], self._rows[place] = key, row
