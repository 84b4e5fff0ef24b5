"""Which guest is in which space, as told by each space's own list. Pure."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.collectors._labels import WINDOWS
from exporter.flatfile import models, times


@dataclass(frozen=True, slots=True)
class Counts:
    """An environment's guests: different ones, (guest, space) pairs, and those seen lately by window."""

    guests: int
    memberships: int
    active: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One space's guests with their last access (unix seconds, `None`: never, or not told), and when it was asked."""

    environment_id: str
    guests: Mapping[str, float | None]
    asked_at: float


class GuestBook:
    """One page a space; whole for an environment once each of its spaces has been asked."""

    def __init__(self) -> None:
        self._pages: dict[str, Page] = {}

    def write(self, space: str, environment: str, guests: Iterable[models.Guest], asked_at: float) -> None:
        """Note a space's guests. Its own list says who is in it, whatever the guests' `spaces` name besides."""
        self._pages[space] = Page(environment, {guest.id: _last_access(guest, space) for guest in guests}, asked_at)

    def keep(self, listed: Mapping[str, str]) -> None:
        """Drop the pages of spaces that are not listed any more, and move those whose environment is another now."""
        self._pages = {
            space: page if page.environment_id == listed[space] else Page(listed[space], page.guests, page.asked_at)
            for space, page in self._pages.items()
            if space in listed
        }

    def unasked(self, listed: Iterable[str]) -> list[str]:
        """The spaces without a page."""
        return [space for space in listed if space not in self._pages]

    def oldest(self, elapsed: float, cycle: float) -> list[str]:
        """The pages whose turn it is so that each is renewed within `cycle` seconds, `elapsed` after the last turn."""
        number = min(len(self._pages), math.ceil(len(self._pages) * elapsed / cycle))
        return sorted(self._pages, key=lambda space: self._pages[space].asked_at)[:number] if number > 0 else []

    def counts(self, now: float) -> dict[str, Counts]:
        """Count each environment's guests at `now` (unix seconds)."""
        by_environment: dict[str, tuple[dict[str, float], int]] = {}
        for page in self._pages.values():
            latest, pairs = by_environment.get(page.environment_id, ({}, 0))
            for guest, at in page.guests.items():
                latest[guest] = max(latest.get(guest, -math.inf), -math.inf if at is None else at)
            by_environment[page.environment_id] = (latest, pairs + len(page.guests))
        return {env: counted(latest.values(), pairs, now) for env, (latest, pairs) in by_environment.items()}


def counted(latest: Iterable[float], memberships: int, now: float) -> Counts:
    """Count guests by their latest access (unix seconds, `-inf`: none)."""
    moments = [*latest]
    active = tuple((window, sum(at > now - seconds for at in moments)) for window, seconds in WINDOWS)
    return Counts(len(moments), memberships, active)


def account_wide(rows: Sequence[models.Guest], environments: Iterable[str], now: float) -> dict[str, Counts]:
    """Count guests of one list that holds all guests with all their spaces. Each row names its environment and its spaces."""
    latest: dict[str, list[float]] = {environment: [] for environment in environments}
    pairs = dict.fromkeys(latest, 0)
    for row in rows:
        environment = row.environment_id or ""
        if environment in latest:
            spaces = {space.id: times.unix(space.last_accessed) for space in row.spaces or ()}
            latest[environment].append(max((at for at in spaces.values() if at is not None), default=-math.inf))
            pairs[environment] += len(spaces)
    return {env: counted(moments, pairs[env], now) for env, moments in latest.items()}


def _last_access(guest: models.Guest, space: str) -> float | None:
    return next((times.unix(entry.last_accessed) for entry in guest.spaces or () if entry.id == space), None)


NOBODY = counted((), 0, 0.0)
