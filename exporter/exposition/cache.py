"""Rendered parts of an account's page: only what changed is selected and rendered again."""

import math
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from dataclasses import dataclass

from exporter.exposition.families import Family
from exporter.exposition.freshness import Freshness
from exporter.exposition.text import Format, Lines, lines


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an account's page, of one collector for example.

    What `families` returns depends only on `state` and on which samples are within `max_age` (seconds). Read the state
    first: a part whose state changes while it is rendered is then rendered again the next time.
    """

    name: str
    state: Hashable
    families: Callable[[Freshness], Iterable[Family]]
    max_age: float = math.inf


@dataclass(frozen=True, slots=True)
class _Entry:
    """Rendered lines. They are valid for this state, from `since` until `until` (unix seconds)."""

    state: Hashable
    since: float
    until: float
    lines: Lines


class AccountCache:
    """The rendered parts of one account.

    `lines` may run on one thread while the others run on another.
    """

    def __init__(self) -> None:
        self.truncated = 0
        """Label values that were cut, counted each time that a part with one is rendered."""
        self._entries: dict[tuple[str, Format], _Entry] = {}

    def lines(self, parts: Iterable[Part], fmt: Format, now: float) -> dict[str, Lines]:
        """Return the lines of each part by its name, as of `now` (unix seconds). Raises ValueError as `text.lines` does.

        A part that has not changed gives the same object as before.
        """
        return {part.name: self._part(part, fmt, now) for part in parts}

    def cached(self, fmt: Format, now: float, names: Collection[str] | None = None) -> dict[str, Lines]:
        """Return the lines that were rendered last and are within max_age, of the parts in `names` where given."""
        return {
            name: entry.lines
            for (name, of), entry in self._entries.copy().items()
            if of is fmt and now <= entry.until and (names is None or name in names)
        }

    def current(self, states: Mapping[str, Hashable], fmt: Format, now: float) -> dict[str, Lines] | None:
        """Return the lines of these parts, by name, if none of them has to be rendered again."""
        found = {name: self._current(name, state, fmt, now) for name, state in states.items()}
        return {name: lines for name, lines in found.items() if lines is not None} if all(found.values()) else None

    def _current(self, name: str, state: Hashable, fmt: Format, now: float) -> Lines | None:
        entry = self._entries.get((name, fmt))
        return entry.lines if entry and entry.state == state and entry.since <= now <= entry.until else None

    def _part(self, part: Part, fmt: Format, now: float) -> Lines:
        current = self._current(part.name, part.state, fmt, now)
        if current is not None:
            return current
        before = self._entries.get((part.name, fmt))
        fresh = Freshness(now, part.max_age)
        rendered = lines(part.families(fresh), fmt)
        self.truncated += rendered.truncated
        self._entries[part.name, fmt] = _Entry(part.state, now, fresh.until, rendered)
        if before is not None:
            for other in Format:
                if other is not fmt:  # out of date as well, and maybe never asked for again
                    self._entries.pop((part.name, other), None)
        return rendered
