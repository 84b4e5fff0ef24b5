"""What has been rendered and packed already: a page is put together anew, and only what changed is written anew.

Each account keeps the lines of its parts (`Kept`); the pages of one account, or of all, keep the packed chunks that these
lines make (`Pages`). Both may be used from several threads: what is put in is complete, and at worst made twice.
"""

import asyncio
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, TypeVar

from exporter.exposition.families import Family
from exporter.exposition.freshness import Freshness
from exporter.exposition.packing import Packed, joined, pack
from exporter.exposition.text import Format, Lines, Page, end, family_name, lines, merged

T = TypeVar("T")

FIRST_PAGE = 0.01  # seconds that an account takes on the first page of many


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an account's page, a collector's for example.

    What `families` gives depends on `state`, and on what is not older than `max_age` (seconds), alone. It may be called in
    any thread. The state is read first: where it changes meanwhile, the part is rendered once more the next time.
    """

    name: str
    state: Hashable
    families: Callable[[Freshness], Iterable[Family]]
    max_age: float = math.inf


@dataclass(frozen=True, slots=True)
class _Entry:
    """Rendered lines, and how long they hold: while the state is this one, and for these unix seconds."""

    state: Hashable
    since: float
    until: float
    lines: Lines


class Kept:
    """The rendered parts of one account."""

    def __init__(self) -> None:
        self._entries: dict[tuple[str, Format], _Entry] = {}

    def lines(self, part: Part, fmt: Format, now: float) -> Lines:
        """Give the part's lines at `now` (unix seconds): the same object as before where nothing has changed."""
        before = self._entries.get((part.name, fmt))
        if before is not None and before.state == part.state and before.since <= now <= before.until:
            return before.lines
        fresh = Freshness(now, part.max_age)
        made = lines(part.families(fresh), fmt)
        if before is not None:
            made = before.lines if before.lines == made else made
            _drop_others(self._entries, part.name, fmt)
        self._entries[part.name, fmt] = _Entry(part.state, now, fresh.until, made)
        return made


class _Chunk:
    """One part of a page, of one account or of several. Its families are described in it, so they stand nowhere else."""

    def __init__(self, rendered: Sequence[Lines], fmt: Format) -> None:
        self.rendered = rendered
        self._fmt = fmt
        self.names = frozenset(family_name(desc) for each in rendered for desc, _ in each.blocks)
        self.dropped = sum(each.dropped for each in rendered)

    def is_of(self, rendered: Sequence[Lines]) -> bool:
        """Whether it holds these very lines."""
        return len(self.rendered) == len(rendered) and all(map(_same, self.rendered, rendered))

    @property
    def plain(self) -> bytes:
        """Its text. Not kept: hardly anybody asks for a page that is not packed."""
        return merged(self.rendered, self._fmt)

    @cached_property
    def packed(self) -> Packed:
        """The same packed."""
        return pack(self.plain)


class Pages:
    """The pages of one account, or of all together."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._took: float | None = None  # seconds
        self._chunks: dict[tuple[str, Format], _Chunk] = {}

    async def in_turn(self, make: Callable[[], T]) -> T:
        """Make a page in a thread, after those under way: what they have rendered and packed is there already."""
        async with self._turn:
            loop = asyncio.get_running_loop()
            began = loop.time()
            try:
                return await asyncio.to_thread(make)
            finally:
                self._took = loop.time() - began

    def needs(self, timeout: float, accounts: int = 1) -> float:
        """How many seconds of a scrape to leave for its page: as long as the last one took, at most a quarter.

        The first page of many `accounts` is all new, and thousands of answers come in beside it.
        """
        took = self._took if self._took is not None else (accounts - 1) * FIRST_PAGE
        return min(took, timeout / 4)

    def page(self, parts: Iterable[Mapping[str, Lines]], more: Lines, fmt: Format, *, packed: bool) -> Page:
        """Give the page of the accounts' `parts` by name, and `more` behind them; as gzip where `packed`.

        Raises ValueError for a family that is in two parts.
        """
        by_name: dict[str, list[Lines]] = {}
        for rendered in parts:
            for name, each in rendered.items():
                by_name.setdefault(name, []).append(each)
        chunks = [self._chunk(name, fmt, rendered) for name, rendered in by_name.items()]
        chunks.append(_Chunk([more], fmt))
        names = [*chain.from_iterable(chunk.names for chunk in chunks)]
        if len(names) != len({*names}):
            raise ValueError(f"families of two parts: {sorted({name for name in names if names.count(name) > 1})}")
        dropped = sum(chunk.dropped for chunk in chunks)
        if packed:
            return Page(joined([*(chunk.packed for chunk in chunks), pack(end(fmt))]), dropped)
        return Page(b"".join([*(chunk.plain for chunk in chunks), end(fmt)]), dropped)

    def _chunk(self, name: str, fmt: Format, rendered: Sequence[Lines]) -> _Chunk:
        before = self._chunks.get((name, fmt))
        if before is not None:
            if before.is_of(rendered):
                return before
            _drop_others(self._chunks, name, fmt)
        chunk = self._chunks[name, fmt] = _Chunk(rendered, fmt)
        return chunk


def _same(one: object, other: object) -> bool:
    return one is other


def _drop_others(kept: dict[tuple[str, Format], Any], name: str, fmt: Format) -> None:
    """Let go of the part in the formats that are not asked for now: out of date as well, and maybe never asked for again."""
    for other in Format:
        if other is not fmt:
            kept.pop((name, other), None)
