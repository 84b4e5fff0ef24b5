"""How many guests each space has, at one moment: 12 bytes a space, and may be read in any thread. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence

from exporter.core.identities import number


class SpaceGuests(Mapping[str, int]):
    """The number of guests by the id of the space. `listed` are lists of ids; an id without a number is left out."""

    def __init__(self, listed: Iterable[Sequence[str]], numbers: Iterable[tuple[str, int]]) -> None:
        self._listed = tuple(listed)
        ordered = sorted((number(space), guests) for space, guests in numbers)
        self._spaces = array("Q", (space for space, _ in ordered))
        self._guests = array("I", (guests for _, guests in ordered))

    def __getitem__(self, space: str) -> int:
        key = number(space)
        place = bisect_left(self._spaces, key)
        if place == len(self._spaces) or self._spaces[place] != key:
            raise KeyError(space)
        return self._guests[place]

    def __iter__(self) -> Iterator[str]:
        return (space for ids in self._listed for space in ids if space in self)

    def __len__(self) -> int:
        return len(self._spaces)
