"""Which guest is in which space, as told by each space's own list, in columns: 16 bytes for each of them. Pure.

Guests and spaces are known by 64-bit numbers of their ids: `core.identities` says how often two of them are taken for one.
"""

import heapq
import math
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress

from exporter.collectors._labels import WINDOWS
from exporter.collectors._space_guests import SpaceGuests
from exporter.core.identities import Rows, number
from exporter.flatfile import models, times

NEVER = -math.inf  # in a column of times
NOWHERE = 0  # in the column of environments: the space is not listed any more
MOST_AT_ONCE = 10_000  # memberships that are counted together: as objects they take ten times the memory


@dataclass(frozen=True, slots=True)
class Counts:
    """An environment's guests: different ones, (guest, space) pairs, and those seen lately by window (`None`: not told)."""

    guests: int
    memberships: int
    active: tuple[tuple[str, int], ...] | None


@dataclass(frozen=True, slots=True)
class _Tally:
    """What does not change with the time: `latest` are the guests' last accesses (unix seconds) in sorted pieces."""

    guests: int
    memberships: int
    latest: "tuple[array[float], ...] | None"

    def at(self, now: float) -> Counts:
        active = None
        if self.latest is not None:
            active = tuple(
                (window, sum(len(piece) - bisect_right(piece, now - seconds) for piece in self.latest))
                for window, seconds in WINDOWS
            )
        return Counts(self.guests, self.memberships, active)


class GuestBook:
    """A row for each listed space, and a page of its guests once it has been asked.

    The pages lie one behind the other. One that becomes longer or shorter goes to the end; what is left behind, and the rows
    of spaces that are gone, stay until the book is `tidied`.
    """

    def __init__(self) -> None:
        self._index = Rows()
        self._listed: dict[str, Sequence[str]] = {}
        self._names = [""]  # of environments, by their numbers; NOWHERE has none
        self._numbers: dict[str, int] = {}
        self._environment, self._place = array("I"), array("I")  # where the space is listed, and at which place
        self._turns, self._turn = array("I"), 0  # when it was listed last
        self._asked_at = array("d")  # unix seconds
        self._told = bytearray()
        self._start, self._length = array("I"), array("I")  # of its page
        self._guests, self._accessed = array("Q"), array("d")  # the pages; unix seconds
        self._wasted = 0
        self._gone = 0
        self._tallies: dict[int, _Tally] = {}  # of environments in which nothing has changed since

    def follow(self, listed: Mapping[str, Sequence[str]]) -> None:
        """Take over which spaces there are in each environment. A page goes with its space, or moves with it."""
        self._turn += 1
        before, self._listed = self._listed, dict(listed)
        changed = {env for env in before.keys() | listed.keys() if not same(before.get(env), listed.get(env))}
        for environment in changed & listed.keys():
            here = self._number_of(environment)
            for place, space in enumerate(listed[environment]):
                row = self._index.row(number(space))
                if row == len(self._turns):
                    self._append()
                if self._environment[row] != here:
                    self._move(row, here)
                self._place[row], self._turns[row] = place, self._turn
        for environment in before.keys() - listed.keys():
            self._tallies.pop(self._numbers[environment], None)
        looked_at = {self._numbers[environment] for environment in changed if environment in self._numbers}
        for row, (environment_number, turn) in enumerate(zip(self._environment, self._turns, strict=True)):
            if turn != self._turn and environment_number in looked_at:
                self._drop(row)

    def tidied(self) -> "GuestBook":
        """Give the same book without what is left of old pages and spaces, where that is much; rows have other numbers then."""
        if self._wasted * 3 <= len(self._guests) and self._gone * 2 <= len(self._turns):
            return self
        book = GuestBook()
        book.follow(self._listed)
        for row, environment in enumerate(self._environment):
            if environment != NOWHERE and self._asked_at[row] > NEVER:
                book._put(
                    book._index.row(number(self.space(row))), *self._page(row), self._told[row], self._asked_at[row]
                )
        book._tallies = {book._numbers[env]: self._tallies[n] for env, n in self._numbers.items() if n in self._tallies}
        return book

    def find(self, space: str) -> int | None:
        """Give the row of a listed space."""
        row = self._index.find(number(space))
        return None if row is None or self._environment[row] == NOWHERE else row

    def listed(self, row: int) -> bool:
        """Whether the space in a row is still listed."""
        return self._environment[row] != NOWHERE

    def space(self, row: int) -> str:
        """Give the id of the space in a row."""
        return self._listed[self.environment(row)][self._place[row]]

    def environment(self, row: int) -> str:
        """Give the id of the environment of the space in a row."""
        return self._names[self._environment[row]]

    def unasked(self) -> "array[int]":
        """The rows without a page."""
        pairs = zip(self._environment, self._asked_at, strict=True)
        return array("I", (row for row, (env, at) in enumerate(pairs) if env != NOWHERE and at == NEVER))

    def oldest(self, elapsed: float, cycle: float) -> list[int]:
        """The rows whose turn it is so that each page is renewed within `cycle` seconds, `elapsed` after the last turn."""
        asked = [row for row in compress(range(len(self._turns)), self._environment) if self._asked_at[row] > NEVER]
        return heapq.nsmallest(math.ceil(len(asked) * min(1.0, elapsed / cycle)), asked, key=self._asked_at.__getitem__)

    def write(self, row: int, guests: Iterable[models.Guest], asked_at: float) -> None:
        """Note a space's guests. Its own list says who is in it, whatever the guests' `spaces` name besides."""
        if self._environment[row] == NOWHERE:
            return
        space, told, found = self.space(row), True, {}
        for guest in guests:
            membership = next((entry for entry in guest.spaces or () if entry.id == space), None)
            told = told and membership is not None
            found[number(guest.id)] = _moment(membership)
        ordered = sorted(found.items())
        page = array("Q", (guest for guest, _ in ordered)), array("d", (at for _, at in ordered))
        if self._asked_at[row] == NEVER or (*page, told) != (*self._page(row), bool(self._told[row])):
            self._tallies.pop(self._environment[row], None)
            self._put(row, *page, told, asked_at)
        self._asked_at[row] = asked_at

    def by_space(self) -> SpaceGuests:
        """Give the guests of each space that has been asked, as of now."""
        asked = (row for row, at in enumerate(self._asked_at) if at > NEVER)
        return SpaceGuests(self._listed.values(), ((self.space(row), self._length[row]) for row in asked))

    def counts(self, now: float, without: Collection[str] = ()) -> dict[str, Counts]:
        """Count the guests of each environment whose spaces have all been asked, but those `without`, at `now` (unix seconds)."""
        lacking = {self._environment[row] for row in self.unasked()}
        found = {}
        for environment in self._listed:
            here = self._numbers[environment]
            if here in lacking or environment in without:
                continue
            if here not in self._tallies:
                self._tallies[here] = self._tallied(here)
            found[environment] = self._tallies[here].at(now)
        return found

    def _number_of(self, environment: str) -> int:
        if environment not in self._numbers:
            self._numbers[environment] = len(self._names)
            self._names.append(environment)
        return self._numbers[environment]

    def _append(self) -> None:
        self._environment.append(NOWHERE)
        self._asked_at.append(NEVER)
        self._told.append(False)
        for column in (self._place, self._turns, self._start, self._length):
            column.append(0)
        self._gone += 1

    def _move(self, row: int, environment: int) -> None:
        before = self._environment[row]
        self._gone += (environment == NOWHERE) - (before == NOWHERE)
        self._tallies.pop(before, None)
        self._tallies.pop(environment, None)
        self._environment[row] = environment

    def _drop(self, row: int) -> None:
        self._move(row, NOWHERE)
        self._wasted += self._length[row]
        self._length[row], self._asked_at[row] = 0, NEVER

    def _page(self, row: int) -> "tuple[array[int], array[float]]":
        where = slice(self._start[row], self._start[row] + self._length[row])
        return self._guests[where], self._accessed[where]

    def _put(self, row: int, guests: "array[int]", accessed: "array[float]", told: int, asked_at: float) -> None:
        if len(guests) != self._length[row]:
            self._wasted += self._length[row]
            self._start[row], self._length[row] = len(self._guests), len(guests)
        where = slice(self._start[row], self._start[row] + len(guests))
        self._guests[where], self._accessed[where] = guests, accessed
        self._told[row], self._asked_at[row] = told, asked_at

    def _tallied(self, environment: int) -> _Tally:
        """Count an environment. Of many guests, a part of the numbers at a time: those with the same first bits."""
        rows = [row for row, here in enumerate(self._environment) if here == environment]
        memberships = sum(self._length[row] for row in rows)
        bits = max(0, math.ceil(math.log2(max(memberships, 1) / MOST_AT_ONCE)))
        parts = [(array("Q"), array("d")) for _ in range(2**bits)]
        for row in rows:
            for guest, at in zip(*self._page(row), strict=True):
                guests, accessed = parts[guest >> (64 - bits)]
                guests.append(guest)
                accessed.append(at)
        told = all(self._told[row] for row in rows)
        different = 0
        latest = []
        for guests, accessed in parts:
            of_guest: dict[int, float] = {}
            for guest, at in zip(guests, accessed, strict=True):
                of_guest[guest] = max(of_guest.get(guest, NEVER), at)
            different += len(of_guest)
            latest.append(array("d", sorted(of_guest.values())))
        return _Tally(different, memberships, tuple(latest) if told else None)


def counted(latest: Sequence[float], memberships: int, now: float) -> Counts:
    """Count guests by their latest access (unix seconds, `-inf`: none)."""
    return _Tally(len(latest), memberships, (array("d", sorted(latest)),)).at(now)


def account_wide(rows: Iterable[models.Guest], now: float) -> dict[str, Counts]:
    """Count the guests of one list that holds all guests with all their spaces, by the environment that each names."""
    latest: defaultdict[str, array[float]] = defaultdict(lambda: array("d"))
    pairs: Counter[str] = Counter()
    for row in rows:
        spaces = {entry.id: _moment(entry) for entry in row.spaces or ()}
        latest[row.environment_id or ""].append(max(spaces.values(), default=NEVER))
        pairs[row.environment_id or ""] += len(spaces)
    return {environment: counted(moments, pairs[environment], now) for environment, moments in latest.items()}


def _moment(membership: models.GuestSpace | None) -> float:
    at = times.unix(membership.last_accessed) if membership else None
    return NEVER if at is None else at


def same(one: Sequence[str] | None, other: Sequence[str] | None) -> bool:
    """Whether two lists of ids say the same, as far as that can be told without reading them."""
    return one is other or (one is not None and one == other)


NOBODY = counted((), 0, 0.0)
