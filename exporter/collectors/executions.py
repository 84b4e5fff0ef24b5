"""Runs of agents: how they ended, how long they took, how long their events had waited.

The API's list of runs has neither ids, nor agents, nor a time to begin from. Each environment in which something happens is
asked for its newest runs; only when one is new, its agents are asked for theirs. A run may not be listed before its end, below
newer ones: now and then the list is read an hour back.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from exporter.collectors._context import (
    Context,
    Environment,
    fresh_environments,
    known_at,
    mark_known,
    not_counted,
)
from exporter.collectors._gone import forget_gone
from exporter.collectors._histogram import Histogram
from exporter.collectors._labels import ENVIRONMENT, family
from exporter.collectors._run import AHEAD, Reading, Run, RunOrder, content, key
from exporter.collectors._way import Way
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.client import Listing
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.store.database import Connection

NAME = "executions"
RUNS = Desc(
    "flatfile_agent_executions_total",
    "counter",
    "Finished runs of the agent since counting began, each counted once; agent_id is empty and agent unknown where Flatfile "
    "does not tell the agent (GET /agents/executions).",
    (*ENVIRONMENT, "agent_id", "agent", "result"),
)
DURATION = Desc(
    "flatfile_agent_execution_duration_seconds",
    "histogram",
    "How long the runs of flatfile_agent_executions_total took. Absent while the agent has not run.",
    (*ENVIRONMENT, "agent_id", "agent"),
)
LAG = Desc(
    "flatfile_agent_queue_lag_seconds",
    "histogram",
    "From an event's creation to the start of an agent's run for it. Only for events that the collector events has seen.",
    ENVIRONMENT,
)
FAMILIES = (RUNS, DURATION, LAG)

BOUNDS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0)
DURATIONS, LAGS = Histogram("run_duration", BOUNDS), Histogram("queue_lag", BOUNDS)
NEWEST = Listing(Endpoint.EXECUTIONS, models.Execution, content, page_size=100, alike=True)
AN_HOUR = replace(NEWEST, page_size=1000)
UNKNOWN_AGENT = ""
MAX_RUN = 3600.0  # seconds: how far behind its start a run's end is looked for
MAX_CATCH_UP = 86400.0  # seconds: runs that ended longer ago are not counted, whatever happened since
ROTATION = 300.0  # seconds within which each environment is read an hour back, at the latest
FOLLOWED_FOR = 60.0  # seconds for which runs are looked for after an event: they end later
EVENTS_WAITED_FOR = 1.0  # seconds; then what was known of them before counts
EVENT_LATE = 300.0  # seconds after its end for which a run waits for its event to be seen
AGENT_LATE = (60.0, 900.0)  # the same for its agent to be known: once the agents were listed again, and in any case
TAIL = 10  # known rows at the end of a page after which no new one is expected
MAX_WAITED_FOR = 20  # agents; a scrape does not wait for more
KEEP_AGENT = 86400.0  # seconds for which counts of an agent that is not deployed are kept, in case it comes back

DUE = """
SELECT id, name FROM environment LEFT JOIN run_reading ON run_reading.environment_id = id
WHERE shown AND (hour_read_at IS NULL OR abs(:now - hour_read_at) >= :rotation OR NOT unordered AND (
  pending OR NOT EXISTS (SELECT 1 FROM event_position AS p WHERE p.environment_id = id AND p.read_at > :now - :rotation)
  OR EXISTS (SELECT 1 FROM event WHERE event.environment_id = environment.id AND seen_at > looked_at - :followed)))
ORDER BY id"""
AGENTS = """
SELECT id FROM agent WHERE environment_id = :environment
ORDER BY (SELECT max(ended) FROM run_count AS c WHERE c.environment_id = :environment AND agent_id = id) DESC, id"""
COUNTS = """
SELECT environment_id, agent_id, agent, result, coalesce(count, 0) FROM (
  SELECT * FROM (SELECT environment_id, id AS agent_id, name AS agent FROM agent ORDER BY 1, 2 LIMIT ?)
  UNION ALL SELECT DISTINCT environment_id, '', 'unknown' FROM run_count WHERE agent_id = ''
) CROSS JOIN (SELECT 'success' AS result UNION ALL SELECT 'failure')
LEFT JOIN run_count USING (environment_id, agent_id, result) ORDER BY 1, 2, 4 DESC"""


class Collector:
    """Looks for new runs where something happens, and everywhere now and then."""

    requires = ("environments", "agents")
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._started = context.clock.monotonic()
        self._rotation = min(ROTATION, context.config.collectors[NAME].max_age / 3)
        self._by_agent: dict[str, Way] = {}  # of each environment: asking for one agent's runs
        self._told_apart: set[str] = set()  # environments in which two agents have answered differently

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Look for new runs in the environments that are due; one environment's failure leaves the others alone."""
        context = self._context
        await context.wait_for("events", EVENTS_WAITED_FOR)
        at, now = context.clock.steady(), context.client.session.objects_now

        values = {"now": now, "rotation": self._rotation, "followed": FOLLOWED_FOR}
        due = await context.database.run(lambda db: [Environment(*row) for row in db.execute(DUE, values)])
        found, errors = await context.gather(due, lambda env: self._look(env.id, at, now, call), call)
        await context.database.run(lambda db: _settle(db, at, now))
        rows = "runs whose end or result cannot be read"
        return [*errors, *not_counted(sum(found.values()), rows, Endpoint.EXECUTIONS)]

    async def _look(self, environment: str, at: float, now: float, call: Call) -> int:
        """Read and count an environment's new runs; return how many rows could not be used."""
        reading, verify = await self._newest(environment, now, call)
        owners: Mapping[int, str] = {}
        if reading.new:
            owners = await self._owners(environment, reading.new, now - at, now, call, verify=verify)
        await self._context.database.run(lambda db: _write(db, environment, reading, owners, at, now))
        return reading.unusable

    async def _newest(self, environment: str, now: float, call: Call) -> tuple[Reading, bool]:
        """Read an environment's list as far as there may be new runs; return also whether an hour was due."""
        context, query = self._context, "SELECT began, hour_read_at FROM run_reading WHERE environment_id = ?"
        last = await context.database.run(lambda db: db.execute(query, (environment,)).fetchone())
        started = now - (context.clock.monotonic() - self._started)
        began, read_at = last or (started, None)
        began = min(began, started)  # where the clock was ahead before
        floor = max(began if read_at is None else read_at, now - MAX_CATCH_UP) - MAX_RUN
        hour = read_at is None or abs(now - read_at) >= self._rotation
        listing, reading = AN_HOUR if hour else NEWEST, Reading(began, floor, now)
        async with aclosing(context.client.pages(listing, {"environmentId": environment}, call)) as pages:
            async for page in pages:
                if page.restart:
                    reading = Reading(began, floor, now)
                ended = reading.add(page.all_rows, page.rows)
                reading.new.update(await context.database.run(partial(_new, environment=environment, ended=ended)))
                if hour and reading.order.is_past(floor):
                    break
                tail = {key(row) for row in page.all_rows[-TAIL:]}
                if not hour and not page.last and reading.order.shown and tail.isdisjoint(reading.new):
                    reading.whole = False
                    break
        return reading, hour

    async def _owners(
        self, environment: str, new: Mapping[int, Run], ahead: float, now: float, call: Call, *, verify: bool
    ) -> Mapping[int, str]:
        """Return the agents of new runs, of those that may be counted now. Raises FlatfileError.

        Agents are asked for their runs, those that ran last first, until none is left without one. One definition of the API
        does not have `agentId`: a server that ignores it gives each agent the same runs, and whose they are is not known.
        """
        way = self._by_agent.setdefault(environment, Way(self._context.clock.monotonic))
        if not way.open:
            return dict.fromkeys(new, UNKNOWN_AGENT)
        agents, listed_at = await self._context.database.run(lambda db: _agents(db, environment))
        told_apart = environment in self._told_apart and not verify
        owners: dict[int, str] = {}
        another_has_all = False
        not_found: NotFound | None = None
        for number, agent in enumerate(agents):
            if told_apart and len(owners) == len(new):
                break
            if number == MAX_WAITED_FOR:
                call = call.detached()
            try:
                own = await self._runs_of(environment, agent, new, call)
            except NotFound as error:
                not_found = error  # it may not be deployed any more
                continue
            except FlatfileError as error:
                if error.is_request_rejected:
                    way.refused()
                raise
            if own != new.keys():
                told_apart = True
            elif another_has_all:
                way.refused()
                self._told_apart.discard(environment)
                return dict.fromkeys(new, UNKNOWN_AGENT)
            else:
                another_has_all = True
            owners = {**dict.fromkeys(own, agent), **owners}
        way.works()
        if told_apart:
            self._told_apart.add(environment)
        if not_found is not None and len(owners) < len(new):
            raise not_found
        relisted, anyway = AGENT_LATE
        for each, run in new.items():
            listed_since = listed_at is not None and listed_at + ahead > run.ended + AHEAD
            if run.ended < now - (relisted if listed_since else anyway):
                owners.setdefault(each, UNKNOWN_AGENT)
        return owners

    async def _runs_of(self, environment: str, agent: str, wanted: Mapping[int, Run], call: Call) -> set[int]:
        """Return which of the runs are the agent's."""
        oldest = min(min(run.ended, run.ended if run.started is None else run.started) for run in wanted.values())
        order, found = RunOrder(), set[int]()

        def enough(page: Sequence[models.Execution]) -> bool:
            order.follow(page)
            found.update(map(key, page))
            return order.is_past(oldest) or wanted.keys() <= found

        params = {"environmentId": environment, "agentId": agent}
        rows = await self._context.client.rows(NEWEST, params, call, stop=enough)
        return wanted.keys() & {key(row) for row in rows}

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Return the runs of the deployed agents, and those whose agent is unknown."""
        labels = fresh_environments(db, self._context.account, NAME, fresh)
        counts = db.execute(COUNTS, (self._context.config.agents.max_series,)).fetchall()
        names = {(env, agent_id): name for env, agent_id, name, _, _ in counts}
        took = DURATIONS.select(db)
        yield family(RUNS, labels, counts)
        yield family(
            DURATION, labels, ((env, id_, names[env, id_], value) for env, id_, value in took if (env, id_) in names)
        )
        yield family(LAG, labels, ((env, value) for env, _, value in LAGS.select(db)))


def count_since(db: Connection, began: float) -> None:
    """Have environments that were not read yet counted from `began` on (unix seconds by the server's clock)."""
    db.execute("INSERT OR IGNORE INTO run_reading SELECT id, ?, 0, NULL, 1, 0 FROM environment WHERE shown", (began,))


def _new(db: Connection, environment: str, ended: Mapping[int, Run]) -> dict[int, Run]:
    """Return the runs that are not in the table."""
    query = "SELECT 1 FROM run WHERE environment_id = ? AND key = ?"
    return {each: run for each, run in ended.items() if not db.execute(query, (environment, each)).fetchone()}


def _agents(db: Connection, environment: str) -> tuple[list[str], float | None]:
    """Return an environment's agents, those that ran last first, and when they were listed."""
    agents = [agent for (agent,) in db.execute(AGENTS, {"environment": environment})]
    return agents, known_at(db, "agents", environment)


def _write(
    db: Connection, environment: str, reading: Reading, owners: Mapping[int, str], at: float, now: float
) -> None:
    """Count the runs whose agent is known or will not become known, each once, and note how far was read."""
    LAGS.create(db, environment)
    for each, agent in owners.items():
        run = reading.new[each]
        values = (environment, each, agent, run.event, run.started, run.ended, run.success, run.started is None)
        if not db.execute("INSERT OR IGNORE INTO run VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values).rowcount:
            continue
        db.execute(
            "INSERT INTO run_count VALUES (?, ?, ?, 1, ?) "
            "ON CONFLICT DO UPDATE SET count = count + 1, ended = max(ended, excluded.ended)",
            (environment, agent, "success" if run.success else "failure", run.ended),
        )
        DURATIONS.create(db, environment, agent)
        if run.duration is not None:
            DURATIONS.observe(db, environment, agent, run.duration)
    pending = reading.pending or len(owners) < len(reading.new)
    db.execute(
        "INSERT INTO run_reading VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET looked_at = excluded.looked_at, "
        "hour_read_at = coalesce(excluded.hour_read_at, hour_read_at), pending = excluded.pending, "
        "unordered = excluded.unordered",
        (environment, reading.began, at, now if reading.whole else None, pending, reading.unordered),
    )
    db.execute("DELETE FROM run WHERE environment_id = ? AND ended < ?", (environment, reading.floor - MAX_RUN))
    mark_known(db, NAME, [environment], at)


def _settle(db: Connection, at: float, now: float) -> None:
    """Work out how long events had waited, as far as they were seen; forget environments and agents that are gone."""
    query = (
        "SELECT run.environment_id, key, max(0.0, started - created) FROM run JOIN event ON event.id = event_id "
        "WHERE NOT lag_known AND started IS NOT NULL"
    )
    for environment, each, lag in db.execute(query).fetchall():
        LAGS.observe(db, environment, "", lag)
        db.execute("UPDATE run SET lag_known = 1 WHERE environment_id = ? AND key = ?", (environment, each))
    db.execute("UPDATE run SET lag_known = 1 WHERE NOT lag_known AND ended <= ?", (now - EVENT_LATE,))
    forget_gone(db, "run_reading", ("run", "run_count"), (LAGS,), at)
    db.execute(
        "DELETE FROM run_count WHERE agent_id <> '' AND ended < ? AND NOT EXISTS ("
        "SELECT 1 FROM agent WHERE agent.environment_id = run_count.environment_id AND id = agent_id)",
        (now - KEEP_AGENT,),
    )
    db.execute(
        "DELETE FROM histogram WHERE family = ? AND NOT EXISTS (SELECT 1 FROM run_count "
        "WHERE run_count.environment_id = histogram.environment_id AND agent_id = label)",
        (DURATIONS.family,),
    )
