"""Runs of agents as the API lists them: what tells one from others, when it ended, and in which order they come. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from exporter.flatfile import models, times
from exporter.flatfile.errors import BadResponse
from exporter.flatfile.order import NewestFirst

AHEAD = 2.0  # seconds by which the server's time may be misjudged
LONG = 300  # rows in no known order that are too many to be read each time
MAX_DURATION = 30 * 86400.0  # seconds: no run takes that long


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. Times in unix seconds, `duration` in seconds; `None` where the API does not say."""

    event: str
    started: float | None
    ended: float
    success: bool
    duration: float | None


def content(row: models.Execution) -> str:
    """Return all that is known of a run: what tells it from others, for it has no id.

    Raises BadResponse where not even the event is named.
    """
    if not row.event_id:
        raise BadResponse("a run without its event")
    numbers = (row.duration, row.memory_usage, row.request_time, row.request_count)
    return repr((row.event_id, row.created_at, row.completed_at, row.success, *numbers))


def key(row: models.Execution) -> int:
    """Return a hash of it, as the table `run` holds it: of 64 bits, with a sign."""
    return int.from_bytes(blake2b(content(row).encode(errors="replace"), digest_size=8).digest(), signed=True)


def _duration(stated: models.Number, started: float | None, ended: float) -> float | None:
    """Return seconds: by the stated milliseconds, else from the times."""
    try:
        seconds = float(stated) / 1000 if stated is not None else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= MAX_DURATION:
        seconds = ended - started if started is not None else math.nan
    return seconds if 0 <= seconds <= MAX_DURATION else None


class RunOrder:
    """The order of a list of runs, as its rows show it: the newest first by their start, by their end, or in no order."""

    def __init__(self) -> None:
        self._orders = {"created_at": NewestFirst(), "completed_at": NewestFirst()}
        self._newest = dict.fromkeys(self._orders, math.inf)

    def follow(self, page: Sequence[models.Execution]) -> None:
        """Look at one page more."""
        for field, order in self._orders.items():
            moments = [at for row in page if (at := times.unix(getattr(row, field))) is not None]
            order.follow(moments)
            self._newest[field] = max(moments, default=math.inf)

    @property
    def shown(self) -> bool:
        """Whether the newest come first."""
        return any(order.shown for order in self._orders.values())

    def is_past(self, moment: float) -> bool:
        """Whether the last page, and so all that come after it, started (or ended, as the order is) before this moment."""
        return self.shown and all(self._newest[field] < moment for field, order in self._orders.items() if order.holds)


class Reading:
    """One environment's list as it is read. Runs that ended at `began` or later count, as far back as `floor`.

    `now` is when it is read; all by the server's clock. `new` are the runs to count that are not in the table, by key.
    """

    def __init__(self, began: float, floor: float, now: float) -> None:
        self.began = began
        self.floor = floor
        self.whole = True  # it was read back to the floor
        self.pending = False  # some run has not ended
        self.unusable = 0  # rows whose end or result cannot be read
        self.new: dict[int, Run] = {}
        self.order = RunOrder()
        self._now = now
        self._rows = 0

    def add(self, page: Sequence[models.Execution], rows: Sequence[models.Execution]) -> dict[int, Run]:
        """Add a page whose new rows are `rows`; return the runs among these that count, by key."""
        self.order.follow(page)
        self._rows += len(page)
        found: dict[int, Run] = {}
        for row in rows:
            started, ended = times.unix(row.created_at), times.unix(row.completed_at)
            if ended is None and row.completed_at:
                self.unusable += started is None or started >= self.floor
            elif ended is None or ended > self._now + AHEAD:
                self.pending |= started is not None and started >= self.floor
            elif ended < max(self.began, self.floor):
                continue
            elif row.success is None:
                self.unusable += 1
            else:
                duration = _duration(row.duration, started, ended)
                found[key(row)] = Run(row.event_id, started, ended, row.success, duration)
        return found

    @property
    def unordered(self) -> bool:
        """Whether the list is too long to be read each time without an order."""
        return self._rows > LONG and not self.order.shown
