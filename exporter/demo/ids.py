"""Ids as the API writes them: `us_<kind>_<random>`, from a seeded generator."""

import random
import string

ALPHABET = string.digits + string.ascii_letters
LONG_KINDS = frozenset({"evt", "sec"})  # 16 characters after the kind, all others 8


class Ids:
    """Makes ids that no other id of the same world equals: the last part of each is a running number."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._made = 0

    def new(self, kind: str) -> str:
        """A new id of this kind (`env`, `sp`, `ag`, `evt`, ...)."""
        self._made += 1
        number, tail = self._made, ""
        while number or len(tail) < 4:
            number, digit = divmod(number, 62)
            tail = ALPHABET[digit] + tail
        head = self._rng.choices(ALPHABET, k=12 if kind in LONG_KINDS else 4)
        return f"us_{kind}_{''.join(head)}{tail}"
