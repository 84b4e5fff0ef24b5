"""What a collector works with: the client, the clock, the database, and the other collectors of its account."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.exposition.freshness import Freshness
from exporter.flatfile.client import Client
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.store.database import Connection, Database

T = TypeVar("T")

WHOLE_ACCOUNT = ""
"""The environment id under which `known` keeps what is read for the account as a whole."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment that is read; `name` is the id again where it has none."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one account's collectors.

    `refresh_now` refreshes another collector, due or not, and raises what it raised. `wait_for` waits for another collector's
    refresh in progress, for so many seconds at most. `report_unmatched` replaces what a collector says of patterns of the
    configuration that match nothing.
    """

    config: AccountConfig
    client: Client
    clock: Clock
    database: Database
    refresh_now: Callable[[str, Call], Awaitable[None]]
    wait_for: Callable[[str, float], Awaitable[None]]
    report_unmatched: Callable[[str, Sequence[str]], None]

    @property
    def account(self) -> str:
        """The value of the label `account`."""
        return self.config.name

    async def environments(self) -> list[Environment]:
        """Return the environments to read, as listed last."""
        return await self.database.run(shown_environments)

    async def gather(
        self, environments: Collection[Environment], ask: Callable[[Environment], Awaitable[T]], call: Call
    ) -> tuple[dict[str, T], tuple[FlatfileError, ...]]:
        """Ask for several environments side by side; return answers by environment id, and failures.

        Raises the first failure where these are all that are read, and all of them failed. An environment that is not found,
        and not listed any more either, was deleted meanwhile: that is not a failure.
        """
        found, failed = await self.gather_partial(environments, ask, call)
        if failed and not found and {*environments} >= {*await self.environments()}:
            raise failed[0]
        return found, failed

    async def gather_partial(
        self, environments: Iterable[Environment], ask: Callable[[Environment], Awaitable[T]], call: Call
    ) -> tuple[dict[str, T], tuple[FlatfileError, ...]]:
        """Do the same, but raise nothing where all of them failed."""
        by_id = {environment.id: environment for environment in environments}
        found, failures = await gather_by_id(by_id, lambda id_: ask(by_id[id_]), lambda: self._listed_now(call))
        return found, tuple(failures.values())

    async def _listed_now(self, call: Call) -> frozenset[str]:
        """Return the ids of the environments as listed now, or as listed last where that fails."""
        try:
            await self.refresh_now("environments", call)
        except FlatfileError:
            pass  # counted and logged where it happened
        return frozenset(environment.id for environment in await self.environments())


async def gather_by_id(
    ids: Collection[str],
    ask: Callable[[str], Awaitable[T]],
    listed_now: Callable[[], Awaitable[Collection[str]]] | None = None,
) -> tuple[dict[str, T], dict[str, FlatfileError]]:
    """Ask for several objects side by side; return answers and failures by id.

    An object that is not found, and not listed any more either, was deleted meanwhile: that is not a failure.
    """
    answers = await asyncio.gather(*(ask(id_) for id_ in ids), return_exceptions=True)
    found: dict[str, T] = {}
    failures: dict[str, FlatfileError] = {}
    for id_, answer in zip(ids, answers, strict=True):
        if isinstance(answer, FlatfileError):
            failures[id_] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            found[id_] = answer
    if listed_now is not None and any(isinstance(error, NotFound) for error in failures.values()):
        listed = await listed_now()
        failures = {id_: error for id_, error in failures.items() if not isinstance(error, NotFound) or id_ in listed}
    return found, failures


async def side_by_side(asked: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Await several answers. When one fails, the others are cancelled, and its FlatfileError is raised by itself."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in asked]
    except ExceptionGroup as errors:
        failures, faults = errors.split(FlatfileError)
        if failures is None or faults is not None:
            raise
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


def not_counted(number: int, rows: str, endpoint: Endpoint) -> Sequence[FlatfileError]:
    """Return the failure that so many `rows` are not counted, if there are any."""
    return [BadResponse(f"{number} {rows} are not counted", endpoint=str(endpoint))] if number else []


def shown_environments(db: Connection) -> list[Environment]:
    """Return the environments that are read and shown."""
    return [Environment(*row) for row in db.execute("SELECT id, name FROM environment WHERE shown ORDER BY id")]


def mark_known(db: Connection, collector: str, environments: Iterable[str], at: float) -> None:
    """Note that these environments were read completely; `at` is when they were asked for (steady unix seconds)."""
    rows = ((collector, environment, at) for environment in environments)
    db.executemany("INSERT OR REPLACE INTO known (collector, environment_id, at) VALUES (?, ?, ?)", rows)


def mark_verified(db: Connection, collector: str, environments: Iterable[str], at: float) -> None:
    """Note the same of environments whose silence in an account-wide list means "nothing there": each answered by itself."""
    rows = ((collector, environment, at, at) for environment in environments)
    db.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", rows)


def needs_check(db: Connection, collector: str, silent: Collection[Environment], since: float) -> list[Environment]:
    """Return those that an account-wide list does not mention and that were not verified `since`.

    A role that may not read an environment need not be told so by a list of the whole account: its rows may just be left
    out. Asking for the environment by itself tells the two apart.
    """
    query = "SELECT environment_id FROM known WHERE collector = ? AND verified_at > ?"
    verified = {environment for (environment,) in db.execute(query, (collector, since))}
    return [environment for environment in silent if environment.id not in verified]


def known_at(db: Connection, collector: str, environment: str = WHOLE_ACCOUNT) -> float | None:
    """Return when an environment, or the account as a whole, was last read completely; `None` where it never was."""
    query = "SELECT at FROM known WHERE collector = ? AND environment_id = ?"
    row = db.execute(query, (collector, environment)).fetchone()
    return row[0] if row else None


def fresh_environments(
    db: Connection, account: str, collector: str, fresh: Freshness
) -> dict[str, tuple[str, str, str]]:
    """Return the labels (account, environment_id, environment_name), by id, of environments whose data is within max_age."""
    query = "SELECT id, name, at FROM environment JOIN known ON environment_id = id WHERE collector = ? AND shown ORDER BY id"
    return {id_: (account, id_, name) for id_, name, at in db.execute(query, (collector,)) if fresh(at)}
