"""What an account's database holds for the commands: numbers of objects, environments that were read, agents."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from exporter.account.account import Account
from exporter.cli.expected_agents import Agent, Environment
from exporter.collectors._context import known_at, shown_environments
from exporter.store.database import Connection

COUNTS = {
    "environments": "SELECT count(*) FROM environment WHERE selected",
    "users": "SELECT count(*) FROM user",
    "spaces": "SELECT count(*) FROM space JOIN environment e ON e.id = environment_id WHERE shown",
    "agents": "SELECT count(*) FROM agent JOIN environment e ON e.id = environment_id WHERE shown",
    "guests": (
        "SELECT count(*) FROM guest JOIN guest_environment g ON g.no = environment JOIN environment e ON e.id = g.id "
        "WHERE shown"
    ),
    "events": (
        "SELECT count(*) FROM event JOIN environment e ON e.id = environment_id JOIN event_position USING (environment_id) "
        "WHERE shown AND counted AND created > read_at - :events"
    ),
    "jobs": "SELECT count(*) FROM job JOIN environment e ON e.id = environment_id WHERE shown AND created > :now - :jobs",
}
"""By collector: the query that counts its objects; of events and jobs those of their window."""
OF_THE_ACCOUNT = ("environments", "users")  # collectors that read the account as a whole


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of an account.

    `counted` is the number by collector, without those of which not all is known. `environments` are names by id, `unread`
    the ids of those that a collector has not read yet. `account` is Flatfile's id and name of the account.
    """

    counted: Mapping[str, int]
    environments: Mapping[str, str]
    unread: Mapping[str, Collection[str]]
    account: tuple[str, str] | None


async def objects(account: Account) -> Objects:
    windows = {"now": account.now, "events": account.config.events.window, "jobs": account.config.jobs.window}

    def select(db: Connection) -> Objects:
        listed = {environment.id: environment.name for environment in shown_environments(db)}
        known: dict[str, set[str]] = {}
        for collector, environment in db.execute("SELECT collector, environment_id FROM known"):
            known.setdefault(collector, set()).add(environment)
        unread = {name: [id_ for id_ in listed if id_ not in known.get(name, ())] for name in COUNTS}
        unread |= {name: [] for name in OF_THE_ACCOUNT}
        counted = {
            name: db.execute(query, windows).fetchone()[0]
            for name, query in COUNTS.items()
            if name in known and not unread[name]
        }
        return Objects(counted, listed, unread, db.execute("SELECT id, name FROM account").fetchone())

    return await account.database.run(select)


async def list_environments(account: Account) -> tuple[list[Environment], list[Environment]] | None:
    """Return all environments, and those that are read with their agents (`None`: not known); `None` if not known."""
    query = "SELECT id, name, system FROM agent WHERE environment_id = ? ORDER BY id"

    def select(db: Connection) -> tuple[list[Environment], list[Environment]] | None:
        if known_at(db, "environments") is None:
            return None
        shown = []
        for environment in shown_environments(db):
            agents = [Agent(id_, name, bool(system)) for id_, name, system in db.execute(query, (environment.id,))]
            read = known_at(db, "agents", environment.id) is not None
            shown.append(Environment(environment.id, environment.name, agents if read else None))
        return [Environment(id_, name, None) for id_, name in db.execute("SELECT id, name FROM environment")], shown

    return await account.database.run(select)
