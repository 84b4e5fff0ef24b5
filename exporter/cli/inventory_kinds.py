"""The lists of an inventory: which collectors know of it, its columns, and its rows, selected from an account's database."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.audit.models import Named
from exporter.cli.inventory_tables import Column, Row, number
from exporter.collectors import _guest_lists, spaces
from exporter.config import AccountConfig, matches
from exporter.core.printable import printable
from exporter.store.database import Connection

HOUR = 3600.0
SYSTEM = "(system)"  # the column of a matrix for Flatfile's own agents
UNKNOWN_AGENT = "(unknown)"

ENVIRONMENT = (Column("environment", "ENVIRONMENT"), Column("environment_id", "ENVIRONMENT ID", optional=9))
PEOPLE = (Column("name", "NAME"), Column("email", "E-MAIL"))

SPACES = """
SELECT e.name, e.id, s.id, s.name, state, files, workbooks,
  iif(asked_at IS NOT NULL OR e.id IN (SELECT environment_id FROM known WHERE collector = 'guests'),
    (SELECT count(*) FROM membership WHERE space = g.no), NULL), created, activity
FROM space AS s JOIN environment AS e ON e.id = s.environment_id LEFT JOIN guest_space AS g ON g.id = s.id
WHERE e.id IN (SELECT value FROM json_each(:environments))
  AND (:idle_since IS NULL OR state = 'active' AND coalesce(activity, updated, created) <= :idle_since)
ORDER BY e.name, e.id, s.name, s.id"""
AGENTS = """
SELECT e.id, a.id, a.name, system, created, updated, at, count(r.key), total(NOT success)
FROM agent AS a JOIN environment AS e ON e.id = a.environment_id
LEFT JOIN known AS k ON k.environment_id = e.id AND collector = 'executions'
LEFT JOIN run AS r ON r.environment_id = e.id AND agent_id = a.id AND ended > at + :ahead - :hour
WHERE e.id IN (SELECT value FROM json_each(:environments))
GROUP BY e.id, a.id ORDER BY e.name, e.id, a.name, a.id"""
UNATTRIBUTED = """
SELECT r.environment_id, count(*), total(NOT success) FROM run AS r JOIN known AS k USING (environment_id)
WHERE collector = 'executions' AND agent_id = '' AND ended > at + :ahead - :hour GROUP BY 1"""
JOBS = """
SELECT e.name, e.id, j.id, type, status, created, started, finished
FROM job AS j JOIN environment AS e ON e.id = j.environment_id
JOIN known AS k ON k.environment_id = e.id AND collector = 'jobs'
WHERE e.id IN (SELECT value FROM json_each(:environments)) AND (status IN (SELECT name FROM job_status WHERE open)
  OR status = 'failed' AND coalesce(finished, created) >= at + :ahead - :window)
ORDER BY e.name, e.id, created, j.id"""
USERS = "SELECT id, created, activity FROM user ORDER BY id"
GUESTS = """
SELECT e.name, e.id, g.id, last, coalesce(spaces, 0)
FROM guest AS g JOIN guest_environment AS n ON n.no = g.environment JOIN environment AS e ON e.id = n.id
LEFT JOIN (SELECT guest, count(*) AS spaces, max(last_accessed) AS last FROM membership GROUP BY guest) ON guest = g.no
WHERE e.id IN (SELECT value FROM json_each(:environments)) ORDER BY e.name, e.id, g.id"""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that the inventory is about."""

    id: str
    name: str
    production: bool


@dataclass(frozen=True, slots=True)
class View:
    """What is asked of one account.

    `environments` are in the order of the output. `known`: when each collector read an environment ('' is the account) last;
    Flatfile's clock is `ahead` of that one (seconds). `idle_since`: only spaces without activity since then (unix seconds).
    `people` by id; `None`: not asked for.
    """

    config: AccountConfig
    environments: Sequence[Environment]
    known: Mapping[str, Mapping[str, float]]
    ahead: float = 0.0
    idle_since: float | None = None
    people: Mapping[str, Named] | None = None
    all_environments: bool = True
    """All that the configuration selects, not some of them."""

    def is_known(self, collector: str, environment: str) -> bool:
        """Whether a collector has read an environment completely."""
        return environment in self.known.get(collector, ())

    @property
    def values(self) -> dict[str, Any]:
        """The parameters of the queries."""
        return {
            "environments": json.dumps([environment.id for environment in self.environments]),
            "idle_since": self.idle_since,
            "ahead": self.ahead,
            "hour": HOUR,
            "window": self.config.jobs.window,
        }

    def person(self, id_: str) -> Row:
        """Return the name and the e-mail address, if they were asked for."""
        if self.people is None:
            return ()
        person = self.people.get(id_)
        return (person.name, person.email) if person else (None, None)


@dataclass(frozen=True, slots=True)
class Kind:
    """One list. `row` is what a line of JSON says it is; `collectors` know the rows."""

    row: str
    collectors: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: Callable[[Connection, View], Iterator[Row]]


def _environments(db: Connection, view: View) -> Iterator[Row]:
    counted = {environment: row for environment, *row in db.execute(spaces.COUNT)}
    guests = {environment: number for environment, (number, _) in _guest_lists.count(db).items()}
    deployed = _deployed(db)
    for environment in view.environments:
        agents = deployed.get(environment.id, [])
        active, archived, expired, files, workbooks, _, activity, _ = counted.get(
            environment.id, (0,) * 5 + (None,) * 3
        )
        of_spaces = (active, archived, expired, files, workbooks)
        known = view.is_known("agents", environment.id)
        yield (
            environment.name,
            environment.id,
            environment.production,
            *(of_spaces if view.is_known("spaces", environment.id) else (None,) * 5),
            guests.get(environment.id, 0) if view.is_known("guests", environment.id) else None,
            sum(not system for *_, system in agents) if known else None,
            tuple(_missing(view.config, environment, agents)) if known else None,
            activity,
        )
    for expected in view.config.expected_agents if view.all_environments else ():
        listed = db.execute("SELECT name, id FROM environment").fetchall()
        if not any(matches([expected.environment], *names) for names in listed):
            yield (expected.environment, None, None, *(None,) * 7, expected.agents, None)


def _selected(query: str) -> Callable[[Connection, View], Iterator[Row]]:
    return lambda db, view: db.execute(query, view.values)


def _agents(db: Connection, view: View) -> Iterator[Row]:
    unattributed = {environment: numbers for environment, *numbers in db.execute(UNATTRIBUTED, view.values)}
    rows: dict[str, list[Any]] = {}
    for id_, *row in db.execute(AGENTS, view.values):
        rows.setdefault(id_, []).append(row)
    for environment in view.environments:
        patterns = _patterns(view.config, environment)
        for agent, slug, system, created, updated, at, runs, failures in rows.get(environment.id, ()):
            expected = matches(patterns, slug, agent)
            # Where runs are left of which the agent is not known, none may be this one's.
            unknown = at is None or (environment.id in unattributed and not runs)
            numbers = (None, None) if unknown else (runs, failures)
            yield (
                *(environment.name, environment.id, slug, agent, system, created, updated),
                expected if view.config.expected_agents else None,
                *numbers,
            )
        if environment.id in unattributed:
            yield (environment.name, environment.id, UNKNOWN_AGENT, *(None,) * 5, *unattributed[environment.id])


def _users(db: Connection, view: View) -> Iterator[Row]:
    for row in db.execute(USERS):
        yield (*row, *view.person(row[0]))


def _guests(db: Connection, view: View) -> Iterator[Row]:
    for row in db.execute(GUESTS, view.values):
        yield (*row, *view.person(row[2]))


KINDS = {
    "environments": Kind(
        "environment",
        ("environments", "spaces", "agents", "guests", "users"),
        (
            *ENVIRONMENT,
            Column("production", "PROD", "bool", optional=6),
            number("spaces_active", "ACTIVE"),
            number("spaces_archived", "ARCHIVED", optional=7),
            number("spaces_expired", "EXPIRED", optional=8),
            number("files", "FILES", optional=4),
            number("workbooks", "WORKBOOKS", optional=5),
            number("guests", "GUESTS", optional=1),
            number("agents", "AGENTS"),
            Column("missing_agents", "MISSING AGENTS", "list", "?"),
            Column("last_activity", "LAST ACTIVITY", "time", optional=2),
        ),
        _environments,
    ),
    "spaces": Kind(
        "space",
        ("environments", "spaces", "guests"),
        (
            *ENVIRONMENT,
            Column("space_id", "SPACE ID"),
            Column("space", "NAME"),
            Column("state", "STATE", optional=2),
            number("files", "FILES", optional=3),
            number("workbooks", "WORKBOOKS", optional=4),
            number("guests", "GUESTS", optional=5),
            Column("created", "CREATED", "time", optional=6),
            Column("last_activity", "LAST ACTIVITY", "time", optional=1),
        ),
        _selected(SPACES),
    ),
    "agents": Kind(
        "agent",
        ("environments", "agents", "executions"),
        (
            *ENVIRONMENT,
            Column("agent", "AGENT"),
            Column("agent_id", "AGENT ID", optional=3),
            Column("system", "SYSTEM", "bool", optional=4),
            Column("first_deployed", "FIRST DEPLOYED", "time", optional=5),
            Column("last_deployed", "LAST DEPLOYED", "time", optional=2),
            Column("expected", "EXPECTED", "bool", optional=1),
            number("runs", "RUNS"),
            number("failures", "FAILURES"),
        ),
        _agents,
    ),
    "jobs": Kind(
        "job",
        ("environments", "jobs"),
        (
            *ENVIRONMENT,
            Column("job_id", "JOB ID"),
            Column("type", "TYPE", optional=1),
            Column("status", "STATUS"),
            Column("created", "CREATED", "time"),
            Column("started", "STARTED", "time", optional=3),
            Column("finished", "FINISHED", "time", optional=2),
        ),
        _selected(JOBS),
    ),
    "users": Kind(
        "user",
        ("environments", "users"),
        (Column("user_id", "USER ID"), Column("created", "CREATED", "time"), Column("last_seen", "LAST SEEN", "time")),
        _users,
    ),
    "guests": Kind(
        "guest",
        ("environments", "spaces", "guests"),
        (
            *ENVIRONMENT,
            Column("guest_id", "GUEST ID"),
            Column("last_seen", "LAST SEEN", "time"),
            number("spaces", "SPACES"),
        ),
        _guests,
    ),
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """The agents of an environment: how many have a slug, and the expected ones that are missing; `None`: not known."""

    environment: Environment
    agents: Mapping[str, int] | None
    missing: Sequence[str] | None


def matrix(db: Connection, view: View) -> list[Deployed]:
    deployed, found = _deployed(db), []
    for environment in view.environments:
        agents = deployed.get(environment.id, [])
        number = Counter(SYSTEM if system else slug for slug, _, system in sorted(agents))
        if view.is_known("agents", environment.id):
            found.append(Deployed(environment, number, _missing(view.config, environment, agents)))
        else:
            found.append(Deployed(environment, None, None))
    return found


def matrix_table(deployed: Sequence[Deployed]) -> tuple[list[Column], list[Row]]:
    """Return a table with a row for each environment and a column for each slug."""
    names = {name for each in deployed for name in (*(each.agents or ()), *(each.missing or ()))}
    slugs = sorted(names, key=lambda name: (name == SYSTEM, name))
    rows: list[Row] = []
    for each in deployed:
        cells = {name: str(number) for name, number in (each.agents or {}).items()}
        cells |= dict.fromkeys(each.missing or (), "missing")
        found = [None if each.agents is None else cells.get(name, "-") for name in slugs]
        rows.append((each.environment.name, each.environment.id, *found))
    return [*ENVIRONMENT, *(Column(name, printable(name), unknown="?", optional=1) for name in slugs)], rows


def _deployed(db: Connection) -> dict[str, list[tuple[str, str, bool]]]:
    """Return the agents (slug, id, system) by environment id."""
    found: dict[str, list[tuple[str, str, bool]]] = {}
    for environment, slug, id_, system in db.execute("SELECT environment_id, name, id, system FROM agent"):
        found.setdefault(environment, []).append((slug, id_, bool(system)))
    return found


def _patterns(config: AccountConfig, environment: Environment) -> list[str]:
    """Return the globs of the agents that the configuration expects in an environment."""
    return [
        pattern
        for expected in config.expected_agents
        if matches([expected.environment], environment.name, environment.id)
        for pattern in expected.agents
    ]


def _missing(config: AccountConfig, environment: Environment, agents: Sequence[tuple[str, str, bool]]) -> list[str]:
    """Return the expected agents that are not deployed."""
    patterns = sorted({*_patterns(config, environment)})
    return [pattern for pattern in patterns if not any(matches([pattern], slug, id_) for slug, id_, _ in agents)]
