"""The jobs of one environment: which are known in which status, and how far a list of them must be read. Pure."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter.collectors._order import Descent
from exporter.flatfile import models, times

STATUSES = ("created", "planning", "scheduled", "ready", "executing", "waiting", "complete", "failed", "canceled")
UNKNOWN = "unknown"  # the status of a job whose status the API does not tell
OTHER = "other"
SETTLED = frozenset({"complete", "failed", "canceled", UNKNOWN})
SPELLED = {"cancelled": "canceled"}  # as parts of the documentation write it
MOST_STATUSES = 20  # that nobody knows, of an account
MOST_ROWS = 100_000  # of one list
WATCHED = 7 * 86400.0  # seconds for which an open job is followed at the longest
LATE = 60.0  # seconds after which a new job is listed at the latest
TAIL = 10  # known jobs at the end of a page after which no new one is expected
REACH = 3  # pages in which open jobs are looked for each time


class Statuses:
    """The names under which an account's jobs are counted: those that are known, and a bounded number of others."""

    def __init__(self) -> None:
        self.names: dict[str, None] = dict.fromkeys(STATUSES)

    def admitted(self, status: str | None) -> str:
        """The name for a status as it came."""
        name = SPELLED.get(status or UNKNOWN, status or UNKNOWN)
        if name not in self.names and len(self.names) >= len(STATUSES) + MOST_STATUSES:
            name = OTHER
        self.names.setdefault(name)
        return name


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Jobs by status, and when the oldest open one was created (unix seconds); `None` where none is open."""

    jobs: Mapping[str, int]
    oldest_open: float | None


class JobBook:
    """What is known of one environment's jobs. Times are unix seconds by the server's clock.

    Kept are those created within the `window` (seconds), and older ones that are open, by the 64-bit hash of their id.
    """

    def __init__(self, environment: str, window: float, name: Callable[[str | None], str]) -> None:
        self._environment = environment
        self._window = window
        self._name = name
        self._jobs: dict[int, tuple[float, str]] = {}
        self._missed: set[int] = set()
        self._read_at = -math.inf

    def own(self, rows: Sequence[models.Job]) -> list[models.Job]:
        """The rows of this environment: a server may ignore which one it was asked for."""
        return [row for row in rows if row.environment_id in (None, self._environment)]

    def open(self) -> dict[int, float]:
        """The jobs that are not at their end, and when they were created."""
        return {key: created for key, (created, status) in self._jobs.items() if status not in SETTLED}

    def oldest_open(self) -> float | None:
        """When the oldest open job was created."""
        return min(self.open().values(), default=None)

    def edge(self, now: float) -> float:
        """From when on jobs are counted."""
        return now - self._window

    def floor(self, now: float) -> float:
        """From when on jobs are of interest: they count, or are open."""
        return min(self.edge(now), self.oldest_open() or math.inf)

    @property
    def doubtful(self) -> bool:
        """Whether a known job was not where it should have been: it was deleted, or rows moved while they were read."""
        return bool(self._missed)

    def is_unknown(self, row: models.Job, now: float) -> bool:
        """Whether a row tells of a job that was not known and counts."""
        created = times.unix(row.created_at)
        return created is not None and created >= self.edge(now) and hash(row.id) not in self._jobs

    def take(self, rows: Sequence[models.Job], now: float, covered: float, *, cut: bool) -> int:
        """Learn from a list that holds all jobs created after `covered`: how many rows have no time that can be read.

        `cut`: nothing older can be read, so open jobs that are older are not known any more.
        """
        unusable = 0
        seen: set[int] = set()
        for row in self.own(rows):
            created = times.unix(row.created_at)
            if created is None:
                unusable += 1
                continue
            key = hash(row.id)
            seen.add(key)
            self._jobs[key] = (created, self._name(row.status))
        missed = {key for key, (created, _) in self._jobs.items() if created > covered} - seen
        gone = missed & self._missed  # twice, so it is not that rows moved while they were read
        self._missed = (self._missed | missed) - seen - gone
        edge = self.edge(now)
        followed = max(now - max(self._window, WATCHED), covered if cut else -math.inf)
        for key, (created, status) in [*self._jobs.items()]:
            if key in gone or created < (edge if status in SETTLED else min(edge, followed)):
                del self._jobs[key]
        self._missed &= self._jobs.keys()
        self._read_at = now
        return unusable

    def snapshot(self, now: float, names: Sequence[str]) -> Snapshot:
        """Count the jobs of the window by all these statuses."""
        edge = self.edge(now)
        counts = Counter(status for created, status in self._jobs.values() if created >= edge)
        return Snapshot({name: counts[name] for name in names}, self.oldest_open())

    def reading(self, now: float, floor: float | None) -> "Reading":
        """Begin to read a list: down to `floor`, or (`None`) as far as there is anything new."""
        return Reading(self, now, floor, self._read_at)


class Reading:
    """A list of jobs as it is read, page after page; calling it with a page tells whether the rest may be left."""

    def __init__(self, book: JobBook, now: float, floor: float | None, read_at: float) -> None:
        self._book = book
        self._now = now
        self._floor = floor
        self._read_at = read_at
        self._descent = Descent()
        self._unseen = book.open()
        self.pages = 0
        self.rows = 0
        self.covered = -math.inf  # jobs created after this have come, as far as the order can be trusted
        self.cut = False  # it was left because it is too long
        self.too_long = False  # the same, but jobs that count are missing

    @property
    def ordered(self) -> bool:
        """Whether the newest came first."""
        return self._descent.shown

    @property
    def unreached(self) -> bool:
        """Whether open jobs lie further down than was read."""
        return any(created <= self.covered for created in self._unseen.values())

    def __call__(self, page: Sequence[models.Job]) -> bool:
        """Look at one page more."""
        self.pages += 1
        self.rows += len(page)
        moments = [at for row in page if (at := times.unix(row.created_at)) is not None]
        self._descent.follow(moments)
        for row in page:
            self._unseen.pop(hash(row.id), None)
        oldest, newest = min(moments, default=math.inf), max(moments, default=math.inf)
        if not self._enough(page, oldest, newest):
            return False
        self.covered = oldest
        return True

    def _enough(self, page: Sequence[models.Job], oldest: float, newest: float) -> bool:
        if self.rows >= MOST_ROWS:
            self.cut = True
            self.too_long = not self.ordered or newest >= self._book.edge(self._now)
            return True
        if not self.ordered:
            return False
        if self._floor is not None:
            return newest < self._floor
        own = self._book.own(page)
        if any(self._book.is_unknown(row, self._now) for row in own[-TAIL:]) or (
            not own and newest >= self._read_at - LATE
        ):
            return False
        further_down = any(created <= oldest for created in self._unseen.values())
        return not further_down or self.pages >= REACH
