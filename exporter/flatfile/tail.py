"""Reading `/events` so that each event is told exactly once. Pure.

The API documents neither the order of events, nor whether `since` includes its own moment, nor how late an event may become
visible. So every pass asks again for the last `overlap` seconds before the newest event seen, and ids tell what is new.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from exporter.flatfile import models, times

SLACK = 2.0  # seconds by which the server's time may be misjudged
EVIDENCE = 9  # steps back in time that show an order: as many as the server's own page of ten holds


@dataclass(frozen=True, slots=True)
class Happened:
    """An event, as far as the exporter counts it; `at` is its own `createdAt` in unix seconds."""

    id: str
    at: float
    topic: str
    environment_id: str | None
    space_id: str | None
    actor_id: str | None


def happened(row: models.Event) -> Happened | None:
    """Read an event. `None` where its time cannot be read: it cannot be told when it happened."""
    at = times.unix(row.created_at)
    if at is None:
        return None
    context = row.context or models.EventContext()
    topic = row.topic or row.type or "unknown"
    return Happened(row.id, at, topic, context.environment_id, context.space_id, context.actor_id)


class Mark(msgspec.Struct, frozen=True):
    """Where a tail has come to, for another one to go on from: `seen` are all ids told since `known_since`, with their times."""

    newest: float
    known_since: float
    seen: dict[str, float]


class Tail:
    """Where reading has come to in one stream of events, and the ids seen since a little before that.

    `start` is the time from which events are wanted (unix seconds, the server's clock). An event that becomes visible at
    most `overlap` seconds after its `createdAt` is never lost, one that comes again is never told twice.
    """

    def __init__(self, start: float, overlap: float) -> None:
        self._newest = start
        self._overlap = overlap
        self._known_since = start - overlap  # an older event may have been told, though its id is not in `_seen`
        self._seen: dict[str, float] = {}

    @classmethod
    def at(cls, mark: Mark, overlap: float) -> Self:
        """A tail that goes on from a mark, which may have been made with another overlap."""
        tail = cls(mark.newest, overlap)
        tail._known_since = mark.known_since
        tail._seen = dict(mark.seen)
        return tail

    @property
    def mark(self) -> Mark:
        """Where it has come to."""
        return Mark(self._newest, self.since, dict(self._seen))

    @property
    def since(self) -> float:
        """The moment from which the next pass must ask."""
        return max(self._newest - self._overlap, self._known_since)

    def take(self, events: Iterable[Happened], asked_at: float) -> list[Happened]:
        """Give the events of one complete pass that were not told before, and move on.

        `asked_at` is the server's time when the pass began: an event from later, which a page read towards the end may hold,
        does not move the mark past what may still become visible among what was read before.
        """
        since = self.since
        new = []
        newest = self._newest
        for event in events:
            if event.at < since or event.id in self._seen:
                continue  # from before, because the server reads `since` in its own way; or told already
            self._seen[event.id] = event.at
            new.append(event)
            newest = max(newest, event.at)
        self._newest = max(self._newest, min(newest, asked_at - SLACK))
        self._seen = {id_: at for id_, at in self._seen.items() if at >= self.since}
        return new

    def branch(self) -> Self:
        """A tail that goes on from here by itself."""
        return self.at(self.mark, self._overlap)


class Before:
    """Tells when a pass may end early: the server ignores `since`, gives the newest first, and has come to what is older.

    Rows that never go up in time are no sign of that order where they hardly go down either: bulk work makes many events
    in the same millisecond.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._last: float | None = None
        self._steps = 0
        self._descending = True

    def __call__(self, rows: Sequence[models.Event]) -> bool:
        """Look at one page more."""
        moments = [at for row in rows if (at := times.unix(row.created_at)) is not None]
        for at in moments:
            if self._last is not None:
                self._descending &= at <= self._last
                self._steps += at < self._last
            self._last = at
        shown = self._descending and self._steps >= EVIDENCE
        return shown and bool(moments) and max(moments) < self._since
