"""Runs of agents: how they ended, how long they took, how long their events had waited.

The API's list of runs knows neither ids, nor agents, nor a time to begin from. Each environment in which something happens is
asked for its newest runs; only when one is new, agent after agent is asked until it is known whose it is. A run that goes on
may not be listed before its end, below newer ones: now and then the list is read an hour back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from exporter.collectors._context import AgentRef, Held, Scope, carried, held
from exporter.collectors._labels import ENVIRONMENT
from exporter.collectors._owners import Owners
from exporter.collectors._runs import MOST_ROWS, NEWEST, NOBODY, AgentRuns, Reading, RunBook, Snapshot
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, TooLarge
from exporter.flatfile.session import Call

RUNS = Desc(
    "flatfile_agent_executions_total",
    "counter",
    "Runs of the agent that have finished since the exporter started, each counted once, within max_age / 3 (5m unless "
    "configured) of its end. agent_id is empty and agent unknown for runs of which Flatfile does not tell the agent. A run of "
    "more than an hour may be missed (GET /agents/executions).",
    (*ENVIRONMENT, "agent_id", "agent", "result"),
)
DURATION = Desc(
    "flatfile_agent_execution_duration_seconds",
    "histogram",
    "How long the runs of flatfile_agent_executions_total took, as Flatfile says, else from their start to their end. "
    "Absent while the agent has not run.",
    (*ENVIRONMENT, "agent_id", "agent"),
)
LAG = Desc(
    "flatfile_agent_queue_lag_seconds",
    "histogram",
    "From an event's creation to the start of an agent's run for it, 0 where the two times contradict. Only for runs whose "
    "event the collector events has seen: without that collector nothing is observed.",
    ENVIRONMENT,
)
FAMILIES = (RUNS, DURATION, LAG)

AN_HOUR = replace(NEWEST, page_size=1000)
ACTIVE_FOR = (
    900.0  # seconds after its last event for which an environment is asked each time: runs end after their event
)
ROTATION = 300.0  # seconds within which each environment is asked, and read an hour back, at the latest
EVENTS_WAITED_FOR = 1.0  # seconds; then what was known of them before counts
TAIL = 10  # known rows at the end of a page after which no new one is expected
LONG = 300  # rows in no known order that are too many to be read each time


@dataclass(slots=True)
class Place:
    """An environment, as far as its runs have been followed."""

    book: RunBook
    owners: Owners
    read_at: float = float("-inf")  # when an hour was read the last time (monotonic)
    tedious: bool = False  # its list is long and in no order


class Collector:
    """Looks for new runs where something happens, and everywhere now and then."""

    requires: tuple[str, ...] = ("environments", "agents")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._started = scope.clock.monotonic()
        self._rotation = min(ROTATION, scope.config.collectors["executions"].max_age / 3)
        self._agents_for = scope.config.collectors["agents"].max_age
        self._places: dict[str, Place] = {}
        self._snapshots: dict[str, Held[Snapshot]] = {}

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Look for new runs in the environments that are due: those with events of just now, too."""
        await self._scope.settled("events", EVENTS_WAITED_FOR)
        scope, now = self._scope, self._scope.clock.wall()
        environments = scope.selected()
        # One that comes back is counted anew, from the exporter's start on as before.
        self._places = {env.id: self._places.get(env.id) or self._place(env.id) for env in environments}
        due = [environment for environment in environments if self._due(environment.id)]
        ask = scope.each if len(due) == len(environments) else scope.some
        found, errors = await ask(due, lambda environment: self._look(environment.id, call), call)
        self._snapshots = carried(self._snapshots, held(found, now), scope.selected())
        unusable = sum(self._places[environment].book.unusable for environment in found)
        if unusable:
            text = f"{unusable} runs of which the end or the result cannot be read are not counted"
            return [*errors, BadResponse(text, endpoint=str(Endpoint.EXECUTIONS))]
        return errors

    def _place(self, environment: str) -> Place:
        scope = self._scope
        book = RunBook(scope.client.session.now - (scope.clock.monotonic() - self._started))
        return Place(book, Owners(book, scope.client, environment, scope.clock.monotonic))

    def _due(self, environment: str) -> bool:
        """Whether new runs must be looked for now."""
        place = self._places[environment]
        if self._hour_due(place):
            return True
        if place.tedious:
            return False
        if place.book.going_on or place.book.sought:
            return True
        return not self._scope.happenings.quiet(environment, for_=ACTIVE_FOR, followed_within=self._rotation)

    def _hour_due(self, place: Place) -> bool:
        return self._scope.clock.monotonic() >= place.read_at + self._rotation

    async def _look(self, environment: str, call: Call) -> Snapshot:
        """Read an environment's list as far as there may be new runs, and find out whose they are."""
        scope, place = self._scope, self._places[environment]
        book, now, began = place.book, scope.client.session.now, scope.clock.monotonic()
        hour, whole, reading = self._hour_due(place), True, Reading()

        def enough(page: list[models.Execution]) -> bool:
            nonlocal whole
            reading.look(page)
            if reading.rows > MOST_ROWS:
                raise TooLarge(f"more than {MOST_ROWS} runs", endpoint=str(Endpoint.EXECUTIONS))
            if hour:
                return reading.past(page, book.floor, book.floor)
            whole = not reading.ordered or any(book.is_new(row, now) for row in page[-TAIL:])
            return not whole

        rows = await scope.client.rows(AN_HOUR if hour else NEWEST, {"environmentId": environment}, call, stop=enough)
        book.take(rows, now)
        if whole:
            book.read_to(now)
            place.read_at = began
        seen = Reading()  # of all rows: `enough` is not asked about the page that makes a list whole
        seen.look(rows)
        place.tedious = not seen.ordered and len(rows) > LONG
        agents = scope.agents.get(environment)
        listed = None if agents is None else [agent.id for agent in agents.value]
        await place.owners.find(rows, listed or [], call)
        ahead = scope.client.session.now - scope.clock.wall()
        book.give_up(listed, agents.at + ahead if agents else 0.0, scope.client.session.now)
        book.join(scope.happenings.created, now)
        return book.snapshot(listed or [])

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the runs of the agents that are deployed, and those that are nobody's."""
        runs: list[Sample] = []
        durations: list[Sample] = []
        lags: list[Sample] = []
        for environment in self._scope.environments or ():
            found = self._snapshots.get(environment.id)
            if found is None or not fresh(found.at):
                continue
            labels = (self._scope.account, *environment.labels)
            lags.append((labels, found.value.lag))
            listed = self._scope.agents.get(environment.id)
            agents = listed.value if listed and fresh(listed.at, self._agents_for) else ()
            if NOBODY in found.value.agents:
                agents = (*agents, AgentRef(NOBODY, "unknown"))
            for agent in agents:
                counts, named = found.value.agents.get(agent.id, AgentRuns()), (*labels, agent.id, agent.name)
                runs += [((*named, "success"), counts.success), ((*named, "failure"), counts.failure)]
                if counts.durations is not None:
                    durations.append((named, counts.durations))
        yield from (Family(RUNS, runs), Family(DURATION, durations), Family(LAG, lags))
