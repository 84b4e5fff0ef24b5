"""The runs of one environment's agents: which of them are new, whose they are, how long they took. Pure."""

import math
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.collectors._order import Descent
from exporter.exposition.families import HistogramValue
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse

LONGEST_RUN = 3600.0  # seconds: how far behind its start a run's end is looked for
EVENT_LATE = 300.0  # seconds for which a run waits for its event to be seen
OWNER_LATE = 900.0  # seconds for which a run waits for its environment's agents to be listed at all
AHEAD = 2.0  # seconds by which the server's time may be misjudged
ABSURD = 30 * 86400.0  # seconds: no run takes that long
MOST_WAITING = 10_000  # runs of one environment that wait for their agent, or for their event
MOST_GONE = 1000  # agents of one environment that are not deployed any more, and may come back
MOST_ROWS = 100_000  # of one list
BOUNDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
NOBODY = ""  # the id under which runs are counted of which the agent is not known

Key = tuple[object, ...]


def content(row: models.Execution) -> Key:
    """All that is known of a run: what tells it from others, for it has no id.

    Raises BadResponse where not even the event is named.
    """
    if not row.event_id:
        raise BadResponse("a run without its event")
    numbers = (row.duration, row.memory_usage, row.request_time, row.request_count)
    return (row.event_id, row.created_at, row.completed_at, row.success, *numbers)


NEWEST = Listing(Endpoint.EXECUTIONS, models.Execution, lambda row: repr(content(row)), page_size=100, alike=True)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run. Times in unix seconds, `duration` in seconds; `None` where the API did not say."""

    key: int  # of all that is known of it
    event: str
    began: float | None
    began_text: str | None
    ended: float
    success: bool
    duration: float | None


def finished(row: models.Execution, key: int) -> Run | None:
    """Read a run that has ended; `None` where its end or its result cannot be read."""
    ended, began = times.unix(row.completed_at), times.unix(row.created_at)
    if ended is None or row.success is None:
        return None
    return Run(key, row.event_id, began, row.created_at, ended, row.success, _duration(row.duration, began, ended))


def _duration(stated: models.Number, began: float | None, ended: float) -> float | None:
    """Seconds: by the stated milliseconds, else from the times."""
    try:
        seconds = float(stated) / 1000 if stated is not None else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= ABSURD:
        seconds = ended - began if began is not None else math.nan
    return seconds if 0 <= seconds <= ABSURD else None


class Histogram:
    """Counts by upper bound, and the sum."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one observation more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def value(self) -> HistogramValue:
        """What has been observed so far."""
        total, buckets = 0, []
        for bound, count in zip((*BOUNDS, math.inf), self._counts, strict=True):
            total += count
            buckets.append((bound, float(total)))
        return HistogramValue(tuple(buckets), self._sum)


class Reading:
    """One list of runs as it is read: what has come, and when the rest may be left.

    Whether the newest come first by their start or by their end is not documented: either is seen from the rows. A run that
    goes on need not be listed, so in an order by start a new row may stand below older ones.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._began, self._ended = Descent(), Descent()

    def look(self, rows: Sequence[models.Execution]) -> None:
        """Look at one page more."""
        self.rows += len(rows)
        self._began.follow(at for row in rows if (at := times.unix(row.created_at)) is not None)
        self._ended.follow(at for row in rows if (at := times.unix(row.completed_at)) is not None)

    @property
    def ordered(self) -> bool:
        """Whether the newest come first."""
        return self._began.shown or (not self._began.holds and self._ended.shown)

    def past(self, rows: Sequence[models.Execution], began: float, ended: float) -> bool:
        """Whether `rows`, the last page, and so all that come after, began (or ended, as the order is) before these."""
        if not self.ordered:
            return False
        by_start = self._began.holds
        moments = [times.unix(row.created_at if by_start else row.completed_at) for row in rows]
        known = [at for at in moments if at is not None]
        return bool(known) and max(known) < (began if by_start else ended)


@dataclass(slots=True)
class Tally:
    """One agent's runs since the start."""

    success: int = 0
    failure: int = 0
    durations: Histogram = field(default_factory=Histogram)
    last: float = -math.inf  # when the latest of them ended


@dataclass(slots=True)
class Sought:
    """A run whose agent is looked for, since when (unix seconds), and the agents that do not have it.

    `again`: all agents have been asked, and are asked once more.
    """

    run: Run
    since: float
    not_of: set[str] = field(default_factory=set)
    again: bool = False


@dataclass(frozen=True, slots=True)
class AgentRuns:
    """One agent's runs, as series show them. `durations` is `None` where it has not run."""

    success: int = 0
    failure: int = 0
    durations: HistogramValue | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One environment's runs by agent id, and how long their events had waited."""

    agents: Mapping[str, AgentRuns]
    lag: HistogramValue


class RunBook:
    """What is known of one environment's runs. All times are unix seconds by the server's clock.

    Runs that ended at `start` or later are counted, each once for its agent, event and start.
    """

    def __init__(self, start: float) -> None:
        self._start = start
        self._floor = start - LONGEST_RUN
        self._seen: dict[int, float] = {}  # content -> end, of runs that are sought or counted
        self._counted: dict[int, float] = {}  # agent, event and start -> end
        self._tallies: OrderedDict[str, Tally] = OrderedDict()
        self._lag = Histogram()
        self._eventless: list[Run] = []  # counted, but their event has not been seen
        self.sought: dict[int, Sought] = {}
        self.going_on = False  # whether some run had not ended when they were looked at
        self.unusable = 0  # ended runs of the last look of which the end or the result cannot be read

    @property
    def floor(self) -> float:
        """Runs that ended before have been dealt with; those that began before are not looked for."""
        return self._floor

    def is_new(self, row: models.Execution, now: float) -> bool:
        """Whether this row tells of a finished run that is to be counted and was not seen before."""
        ended = times.unix(row.completed_at)
        counts = ended is not None and max(self._start, self._floor) <= ended <= now + AHEAD
        return counts and hash(content(row)) not in self._seen

    def take(self, rows: Iterable[models.Execution], now: float) -> None:
        """Look at what a list shows: finished runs that are new are sought from here on."""
        self.going_on, self.unusable = False, 0
        for row in rows:
            began, ended = times.unix(row.created_at), times.unix(row.completed_at)
            if ended is None and row.completed_at:
                self.unusable += began is None or began >= self._floor
            elif ended is None or ended > now + AHEAD:
                self.going_on |= began is not None and began >= now - LONGEST_RUN
            elif self.is_new(row, now):
                run = finished(row, hash(content(row)))
                if run is None:
                    self.unusable += 1
                    continue
                self._seen[run.key] = run.ended
                self.sought[run.key] = Sought(run, now)

    def read_to(self, now: float) -> None:
        """A list has been read as far back as to the floor: from here on it suffices to look back from `now`."""
        self._floor = max(self._floor, now - LONGEST_RUN)
        for kept in (self._seen, self._counted):
            for key in [key for key, ended in kept.items() if ended < self._floor]:
                del kept[key]

    def found(self, agent: str, keys: Iterable[int]) -> None:
        """These of the runs that are sought are the agent's."""
        for key in keys:
            self._count(agent, self.sought.pop(key).run)

    def not_found(self, agent: str, keys: Iterable[int]) -> None:
        """These are not the agent's."""
        for key in keys:
            self.sought[key].not_of.add(agent)

    def give_up(self, agents: Collection[str] | None, listed_at: float, now: float) -> None:
        """Count as nobody's what none of the `agents` has, asked twice after they were listed, which was after the run.

        `agents` is `None` where they have never been listed; `listed_at`: unix seconds.
        """
        too_many = max(0, len(self.sought) - MOST_WAITING)
        for index, (key, sought) in enumerate([*self.sought.items()]):
            if agents is None:
                lost = sought.since < now - OWNER_LATE
            else:
                denied = listed_at > sought.since and sought.not_of.issuperset(agents)
                lost = denied and sought.again
                if denied and not lost:
                    sought.again, sought.since = True, now
                    sought.not_of.clear()
            if lost or index < too_many:
                self.found(NOBODY, [key])

    def _count(self, agent: str, run: Run) -> None:
        # Of runs whose agent is not known, two of one event and start may be of two agents.
        key = hash((agent, run.event, run.began_text) if agent else run.key)
        if key in self._counted:
            return
        self._counted[key] = run.ended
        tally = self._tallies.setdefault(agent, Tally())
        self._tallies.move_to_end(agent)
        if run.success:
            tally.success += 1
        else:
            tally.failure += 1
        tally.last = max(tally.last, run.ended)
        if run.duration is not None:
            tally.durations.observe(run.duration)
        if run.began is not None:
            self._eventless.append(run)

    def join(self, created: Callable[[str], float | None], now: float) -> None:
        """Work out how long events had waited; `created` gives an event's time, `None` while it has not been seen."""
        waiting = []
        for run in self._eventless:
            at = created(run.event)
            if at is not None and run.began is not None:
                self._lag.observe(max(0.0, run.began - at))
            elif run.ended > now - EVENT_LATE:
                waiting.append(run)
        self._eventless = waiting[-MOST_WAITING:]

    def latest_first(self, agents: Iterable[str]) -> list[str]:
        """Order agents by when a run of theirs ended last."""
        return sorted(agents, key=lambda agent: -self._tallies[agent].last if agent in self._tallies else math.inf)

    def gone(self, agents: Collection[str]) -> list[str]:
        """Agents that ran since the start and are not among these."""
        return [agent for agent in self._tallies if agent and agent not in agents]

    def snapshot(self, agents: Collection[str]) -> Snapshot:
        """What to show; of agents that are gone a number is kept, in case they come back."""
        gone = self.gone(agents)
        for agent in gone[: max(0, len(gone) - MOST_GONE)]:
            del self._tallies[agent]
        return Snapshot(
            {
                agent: AgentRuns(tally.success, tally.failure, tally.durations.value())
                for agent, tally in self._tallies.items()
            },
            self._lag.value(),
        )
