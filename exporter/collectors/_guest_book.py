"""Which guest is in which space, as told by each space's own list. Pure."""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from exporter.collectors._labels import WINDOWS
from exporter.flatfile import models, times


@dataclass(frozen=True, slots=True)
class Counts:
    """An environment's guests: different ones, (guest, space) pairs, and those seen lately by window (`None`: not told)."""

    guests: int
    memberships: int
    active: tuple[tuple[str, int], ...] | None


@dataclass(frozen=True, slots=True)
class Page:
    """One space's guests with their last access (unix seconds, `-inf`: never), and when it was asked.

    `told`: whether the list said of each guest when it was in the space last, or that it never was.
    """

    environment_id: str
    guests: Mapping[str, float]
    asked_at: float
    told: bool


class GuestBook:
    """One page a space; whole for an environment once each of its spaces has been asked."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}

    def write(self, space: str, environment: str, guests: Iterable[models.Guest], asked_at: float) -> None:
        """Note a space's guests. Its own list says who is in it, whatever the guests' `spaces` name besides."""
        rows = [*guests]
        memberships = [next((entry for entry in row.spaces or () if entry.id == space), None) for row in rows]
        found = {row.id: _moment(entry) for row, entry in zip(rows, memberships, strict=True)}
        self._pages[space] = Page(environment, found, asked_at, None not in memberships)

    def keep(self, listed: Mapping[str, str]) -> None:
        """Drop the pages of spaces that are not listed any more, and move those whose environment is another now."""
        self._pages = {
            space: page if page.environment_id == listed[space] else replace(page, environment_id=listed[space])
            for space, page in self._pages.items()
            if space in listed
        }

    def unasked(self, listed: Iterable[str]) -> list[str]:
        """The spaces without a page."""
        return [space for space in listed if space not in self._pages]

    def oldest(self, elapsed: float, cycle: float) -> list[str]:
        """The pages whose turn it is so that each is renewed within `cycle` seconds, `elapsed` after the last turn."""
        number = math.ceil(len(self._pages) * min(1.0, elapsed / cycle))
        return heapq.nsmallest(number, self._pages, key=lambda space: self._pages[space].asked_at)

    def counts(self, now: float) -> dict[str, Counts]:
        """Count each environment's guests at `now` (unix seconds)."""
        by_environment: defaultdict[str, list[Page]] = defaultdict(list)
        for page in self._pages.values():
            by_environment[page.environment_id].append(page)
        return {environment: _together(pages, now) for environment, pages in by_environment.items()}


def counted(latest: Iterable[float], memberships: int, now: float) -> Counts:
    """Count guests by their latest access (unix seconds, `-inf`: none)."""
    moments = [*latest]
    active = tuple((window, sum(at > now - seconds for at in moments)) for window, seconds in WINDOWS)
    return Counts(len(moments), memberships, active)


def account_wide(rows: Iterable[models.Guest], now: float) -> dict[str, Counts]:
    """Count the guests of one list that holds all guests with all their spaces, by the environment that each names."""
    latest: defaultdict[str, list[float]] = defaultdict(list)
    pairs: Counter[str] = Counter()
    for row in rows:
        spaces = {entry.id: _moment(entry) for entry in row.spaces or ()}
        latest[row.environment_id or ""].append(max(spaces.values(), default=-math.inf))
        pairs[row.environment_id or ""] += len(spaces)
    return {environment: counted(moments, pairs[environment], now) for environment, moments in latest.items()}


def _together(pages: Iterable[Page], now: float) -> Counts:
    latest: dict[str, float] = {}
    pairs = 0
    told = True
    for page in pages:
        pairs += len(page.guests)
        told = told and page.told
        for guest, at in page.guests.items():
            latest[guest] = max(latest.get(guest, -math.inf), at)
    counts = counted(latest.values(), pairs, now)
    return counts if told else replace(counts, active=None)


def _moment(membership: models.GuestSpace | None) -> float:
    at = times.unix(membership.last_accessed) if membership else None
    return -math.inf if at is None else at


NOBODY = counted((), 0, 0.0)
