"""Agents deployed in each environment, and those that the configuration expects there."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.collectors._context import AgentRef, EnvironmentRef, Held, Scope, carried, held
from exporter.collectors._labels import ENVIRONMENT
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError
from exporter.flatfile.session import Call

AGENTS = Desc(
    "flatfile_agents",
    "gauge",
    "Agents deployed in the environment, by whether they are Flatfile's own (GET /agents). Flatfile's own are looked for every "
    "5 minutes where a plain list does not show them.",
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
    "For each agent that the configuration expects: 1 when its environment is known not to have it, or not to exist "
    "(environment_id is empty then), 0 when it is there. Absent while that is not known.",
    (*ENVIRONMENT, "agent"),
)
EXPECTED_MIN = Desc(
    "flatfile_agents_expected_min",
    "gauge",
    "The least number of agents that the configuration expects in the environment.",
    ENVIRONMENT,
)
FAMILIES = (AGENTS, INFO, CREATED, UPDATED, MISSING, EXPECTED_MIN)

SYSTEM_FOR = 300.0  # seconds for which a list of system agents alone counts
LISTING = Listing(
    Endpoint.AGENTS, models.Agent, identity, page_size=20
)  # each brings its program, which may be megabytes


@dataclass(frozen=True, slots=True)
class DeployedAgent:
    """An agent as series name it; times in unix seconds, `None` where not known."""

    id: str
    name: str
    namespace: str
    system: bool
    created: float | None
    updated: float | None


class Collector:
    """Lists the agents of each environment."""

    requires: tuple[str, ...] = ("environments",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._agents: dict[str, Held[tuple[DeployedAgent, ...]]] = {}
        self._ask_for_system = True
        self._system_for = min(SYSTEM_FOR, scope.config.collectors["agents"].max_age / 3)
        self._system: dict[str, Held[tuple[models.Agent, ...]]] = {}  # that only a list of them shows; monotonic

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """List each environment's agents; one environment's failure leaves the others alone."""
        now = self._scope.clock.wall()
        found, errors = await self._scope.each(
            self._scope.selected(), lambda environment: self._deployed(environment, call), call
        )
        self._agents = carried(self._agents, held(found, now), self._scope.selected())
        self._system = {env: rows for env, rows in self._system.items() if env in self._agents}
        self._scope.agents = {
            env: Held(tuple(AgentRef(agent.id, agent.name) for agent in agents.value), agents.at)
            for env, agents in self._agents.items()
        }
        return errors

    async def _deployed(self, environment: EnvironmentRef, call: Call) -> tuple[DeployedAgent, ...]:
        """List one environment's agents.

        Whether the list holds system agents unless asked for is not documented: they are asked for by themselves as
        well, until a plain list has shown one.
        """
        rows = {row.id: row for row in await self._listed(environment, {}, call)}
        if any(row.is_system for row in rows.values()):
            self._ask_for_system = False
        if self._ask_for_system:
            for row in await self._system_agents(environment, call):
                rows.setdefault(row.id, row)
        return tuple(
            DeployedAgent(
                row.id,
                row.slug or row.id,
                row.namespace or "",
                row.is_system is True,
                times.unix(row.created_at),
                times.unix(row.updated_at),
            )
            for row in rows.values()
        )

    async def _system_agents(self, environment: EnvironmentRef, call: Call) -> Sequence[models.Agent]:
        """List an environment's system agents by themselves, now and then: Flatfile does not deploy often."""
        now = self._scope.clock.monotonic()
        known = self._system.get(environment.id)
        if known is not None and now < known.at + self._system_for:
            return known.value
        try:
            rows = await self._listed(environment, {"isSystem": "true"}, call)
        except BadResponse as error:
            if error.status not in (400, 422):
                raise
            self._ask_for_system = False  # older definitions do not have the parameter
            return ()
        self._system[environment.id] = Held(tuple(row for row in rows if row.is_system), now)
        return rows

    async def _listed(self, environment: EnvironmentRef, more: dict[str, str], call: Call) -> list[models.Agent]:
        rows = await self._scope.client.rows(LISTING, {"environmentId": environment.id, **more}, call)
        return [row for row in rows if row.environment_id in (None, environment.id)]

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give what is deployed, and what is missing where that is known."""
        account = self._scope.account
        known: dict[str, tuple[DeployedAgent, ...]] = {}
        counts: list[Sample] = []
        infos: list[Sample] = []
        firsts: list[Sample] = []
        lasts: list[Sample] = []
        for environment in self._scope.environments or ():
            deployed = self._agents.get(environment.id)
            if deployed is None or not fresh(deployed.at):
                continue
            known[environment.id] = deployed.value
            labels = (account, *environment.labels)
            system = sum(agent.system for agent in deployed.value)
            counts += [((*labels, "true"), system), ((*labels, "false"), len(deployed.value) - system)]
            for agent in deployed.value:
                infos.append(((*labels, agent.id, agent.name, agent.namespace, "true" if agent.system else "false"), 1))
                if agent.created is not None:
                    firsts.append(((*labels, agent.id, agent.name), agent.created))
                if agent.updated is not None:
                    lasts.append(((*labels, agent.id, agent.name), agent.updated))
        yield from (Family(AGENTS, counts), Family(INFO, infos), Family(CREATED, firsts), Family(UPDATED, lasts))
        yield from self._expectations(known, fresh)

    def _expectations(self, known: dict[str, tuple[DeployedAgent, ...]], fresh: Freshness) -> Iterator[Family]:
        """Hold the configuration's expectations against what is known.

        An environment that the configuration passes over is not asked about, so nothing is said of it.
        """
        scope = self._scope
        listed_for = scope.config.collectors["environments"].max_age
        all_known = scope.environments is not None and fresh(scope.environments_at, listed_for)
        missing: dict[tuple[str, ...], float] = {}
        least: dict[tuple[str, ...], float] = {}
        for expected in scope.config.expected_agents:
            matching = [env for env in scope.environments or () if _is(expected.environment, env.name, env.id)]
            passed_over = any(_is(expected.environment, env.name, env.id) for env in scope.passed_over)
            places = [(env.id, env.name, known.get(env.id)) for env in matching]
            if not places and not passed_over and all_known:
                places = [("", expected.environment, ())]
            for environment_id, environment, deployed in places:
                labels = (scope.account, environment_id, environment)
                if expected.min is not None and (all_known or deployed is not None):
                    least[labels] = max(expected.min, least.get(labels, 0))
                if deployed is None:
                    continue
                for pattern in expected.agents:
                    there = any(_is(pattern, agent.name, agent.id) for agent in deployed)
                    missing[(*labels, pattern)] = 0 if there else 1
        yield Family(MISSING, [*missing.items()])
        yield Family(EXPECTED_MIN, [*least.items()])


def _is(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)
