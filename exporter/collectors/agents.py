"""Agents deployed in each environment, and those that the configuration expects there."""

from collections.abc import Iterator, Sequence

from exporter.collectors._context import (
    Context,
    Environment,
    fresh_environments,
    known_at,
    mark_known,
    shown_environments,
)
from exporter.collectors._labels import ENVIRONMENT, Labels, family
from exporter.collectors._unmatched import unmatched_agents
from exporter.config import matches
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError
from exporter.flatfile.session import Call
from exporter.flatfile.texts import cut
from exporter.store.database import Connection

NAME = "agents"
AGENTS = Desc(
    "flatfile_agents",
    "gauge",
    "Agents deployed in the environment, by whether they are Flatfile's own (GET /agents).",
    (*ENVIRONMENT, "system"),
)
INFO = Desc(
    "flatfile_agent_info",
    "gauge",
    "A deployed agent, always 1. Its namespace is for information only.",
    (*ENVIRONMENT, "agent_id", "agent", "flatfile_namespace", "system"),
)
CREATED = Desc(
    "flatfile_agent_created_timestamp_seconds",
    "gauge",
    "When the agent was first deployed, in unix seconds.",
    (*ENVIRONMENT, "agent_id", "agent"),
)
UPDATED = Desc(
    "flatfile_agent_updated_timestamp_seconds",
    "gauge",
    "When the agent was last deployed, in unix seconds.",
    (*ENVIRONMENT, "agent_id", "agent"),
)
MISSING = Desc(
    "flatfile_agent_missing",
    "gauge",
    "1 when an expected agent is known to be missing (environment_id is empty where the environment is), 0 when it is there.",
    (*ENVIRONMENT, "agent"),
)
EXPECTED_MIN = Desc(
    "flatfile_agents_expected_min",
    "gauge",
    "The least number of agents that the configuration expects in the environment.",
    ENVIRONMENT,
)
FAMILIES = (AGENTS, INFO, CREATED, UPDATED, MISSING, EXPECTED_MIN)

LISTING = Listing(Endpoint.AGENTS, models.Agent, identity, page_size=20)  # each brings its program, maybe megabytes

DUE = """
SELECT id, name FROM environment LEFT JOIN known ON environment_id = id AND collector = 'agents'
WHERE shown AND (at IS NULL OR at <= :since OR EXISTS (
  SELECT 1 FROM event WHERE event.environment_id = environment.id AND topic GLOB 'agent:*' AND seen_at >= at
  AND created >= at + :ahead - 5))
ORDER BY id"""

COUNTS = """
SELECT environment.id, label, count(agent.id)
FROM environment CROSS JOIN (SELECT 1 AS flag, 'true' AS label UNION SELECT 0, 'false')
LEFT JOIN agent ON environment_id = environment.id AND system = flag GROUP BY 1, 2 ORDER BY 1, 2 DESC"""


class Collector:
    """Lists the agents of each environment."""

    requires = ("environments",)
    triggers = ("agent:*",)

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.config.collectors[NAME]
        self._system_by_themselves = True

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """List the agents of the environments that are due; one environment's failure leaves the others alone."""
        context, at = self._context, self._context.clock.steady()
        ahead = context.client.session.objects_now - at  # of the server's clock

        def due(db: Connection) -> list[Environment]:
            since = at - self._settings.interval * 0.95  # scrapes do not come to the millisecond
            found = db.execute(DUE, {"since": since, "ahead": ahead})
            return [Environment(*row) for row in found] or shown_environments(db)

        asked = await context.database.run(due)
        found, errors = await context.gather(asked, lambda environment: self._deployed(environment, call), call)
        unmatched = await context.database.run(lambda db: self._write(db, found, at))
        context.report_unmatched(NAME, unmatched)
        return errors

    async def _deployed(self, environment: Environment, call: Call) -> list[models.Agent]:
        """List one environment's agents.

        Whether the list holds system agents unless asked for is not documented: they are asked for by themselves as well,
        until a plain list has shown one: an account that has none is asked twice for good.
        """
        rows = {row.id: row for row in await self._rows(environment, {}, call)}
        if any(row.is_system for row in rows.values()):
            self._system_by_themselves = False
        if self._system_by_themselves:
            try:
                rows = {row.id: row for row in await self._rows(environment, {"isSystem": "true"}, call)} | rows
            except BadResponse as error:
                if error.status not in (400, 422):
                    raise
                self._system_by_themselves = False  # older definitions do not have the parameter
        return [*rows.values()]

    async def _rows(self, environment: Environment, more: dict[str, str], call: Call) -> list[models.Agent]:
        rows = await self._context.client.rows(LISTING, {"environmentId": environment.id, **more}, call)
        return [row for row in rows if row.environment_id in (None, environment.id)]

    def _write(self, db: Connection, found: dict[str, list[models.Agent]], at: float) -> list[str]:
        """Replace the agents of these environments; return sentences on expected agents that are not deployed."""
        for environment, rows in found.items():
            db.execute("DELETE FROM agent WHERE environment_id = ?", (environment,))
            values = [
                (
                    environment,
                    row.id,
                    cut(row.slug or row.id),
                    cut(row.namespace or ""),
                    row.is_system is True,
                    times.unix(row.created_at),
                    times.unix(row.updated_at),
                )
                for row in rows
            ]
            db.executemany("INSERT INTO agent VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        db.execute("DELETE FROM agent WHERE environment_id NOT IN (SELECT id FROM environment)")
        mark_known(db, NAME, found, at)
        (number,) = db.execute("SELECT count(*) FROM agent").fetchone()
        dropped = max(0, number - self._context.config.agents.max_series)
        db.execute("INSERT OR REPLACE INTO series_dropped VALUES (?, ?)", (NAME, dropped))
        return unmatched_agents(db, self._context.config)

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Return what is deployed, and what is missing where that is known."""
        labels = fresh_environments(db, self._context.account, NAME, fresh)
        yield family(AGENTS, labels, db.execute(COUNTS))
        for desc, values in (
            (INFO, "namespace, iif(system, 'true', 'false'), 1"),
            (CREATED, "created"),
            (UPDATED, "updated"),
        ):
            query = f"SELECT environment_id, id, name, {values} FROM agent ORDER BY environment_id, id LIMIT ?"
            yield family(desc, labels, db.execute(query, (self._context.config.agents.max_series,)))
        if self._context.config.expected_agents:
            yield from self._expectations(db, labels, fresh)

    def _expectations(self, db: Connection, labels: Labels, fresh: Freshness) -> Iterator[Family]:
        """Compare what the configuration expects with what is known.

        An environment that the configuration does not select is not asked about, so nothing is said of it.
        """
        context = self._context
        listed_at = known_at(db, "environments")
        all_known = listed_at is not None and fresh(listed_at, context.config.collectors["environments"].max_age)
        listed = db.execute("SELECT id, name, shown FROM environment ORDER BY id").fetchall()
        deployed: dict[str, list[tuple[str, str]]] = {environment: [] for environment in labels}
        for environment, id_, name in db.execute("SELECT environment_id, id, name FROM agent"):
            if environment in deployed:
                deployed[environment].append((name, id_))
        missing: dict[tuple[str, ...], float] = {}
        least: dict[tuple[str, ...], float] = {}
        for expected in context.config.expected_agents:
            matching = [row for row in listed if matches([expected.environment], row[1], row[0])]
            places: list[tuple[str, str, list[tuple[str, str]] | None]] = [
                (id_, name, deployed.get(id_)) for id_, name, shown in matching if shown
            ]
            if not matching and all_known:
                places = [("", expected.environment, [])]
            for id_, name, agents in places:
                named = (context.account, id_, name)
                if expected.min is not None and (all_known or agents is not None):
                    least[named] = max(expected.min, least.get(named, 0))
                for pattern in expected.agents if agents is not None else ():
                    there = any(matches([pattern], *agent) for agent in agents or ())
                    missing[(*named, pattern)] = 0 if there else 1
        yield Family(MISSING, [*missing.items()])
        yield Family(EXPECTED_MIN, [*least.items()])
