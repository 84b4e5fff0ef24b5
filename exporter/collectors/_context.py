"""What the collectors of one account work with and share: who they ask for, and what others of them have found."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.flatfile.client import Client
from exporter.flatfile.errors import FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.happenings import Happenings
from exporter.space_hints import SpaceHints
from exporter.storage import Stored

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class EnvironmentRef:
    """An environment as series name it: `name` is the id again where it has none."""

    id: str
    name: str
    production: bool

    @property
    def labels(self) -> tuple[str, str]:
        """The values of `environment_id` and `environment`."""
        return (self.id, self.name)


@dataclass(frozen=True, slots=True)
class AgentRef:
    """A deployed agent as series name it: `name` is the id again where it has no slug."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """A value and when it was asked for (unix seconds, our clock): withheld when that is too long ago."""

    value: T
    at: float


@dataclass(slots=True)
class Scope:
    """The surroundings of one account's collectors.

    `environments` are those that the configuration selects, `passed_over` the others; both as listed last, `None` before
    the first time, and `environments_at` when that was (unix seconds, our clock). `spaces` holds the ids of each
    environment's spaces: the same object as long as they are the same; `single_spaces` are those of them that are shown
    by themselves. `space_guests` says how many guests a space has, `None` where that is not known space by space. `agents`
    holds each environment's deployed agents. `space_hints` are spaces in which something was counted anew, `guest_hints`
    those whose guests changed, `happenings` what the collector `events` has seen of late. `again` asks another collector
    anew, whatever it knows already, and raises what it raised; `settled` waits for another's refresh under way, so many
    seconds at most. `store` keeps what must outlive a restart, `None`: nothing does.
    """

    config: AccountConfig
    client: Client
    clock: Clock
    again: Callable[[str, Call], Awaitable[None]]
    settled: Callable[[str, float], Awaitable[None]]
    environments: tuple[EnvironmentRef, ...] | None = None
    passed_over: tuple[EnvironmentRef, ...] = ()
    environments_at: float = 0.0
    spaces: Mapping[str, Held[Sequence[str]]] | None = None
    single_spaces: Mapping[str, Sequence[str]] = field(default_factory=dict)
    space_guests: Mapping[str, int] | None = None
    space_hints: SpaceHints = field(default_factory=SpaceHints)
    agents: Mapping[str, Held[tuple[AgentRef, ...]]] = field(default_factory=dict)
    guest_hints: set[str] = field(default_factory=set)
    happenings: Happenings = field(init=False)
    store: Stored | None = None

    def __post_init__(self) -> None:
        wanted = self.config.collectors.get("executions")
        self.happenings = Happenings(self.clock.monotonic, interested=wanted is not None and wanted.enabled)

    @property
    def account(self) -> str:
        """The value of the `account` label."""
        return self.config.name

    def selected(self) -> tuple[EnvironmentRef, ...]:
        """The environments to ask for. Only for collectors that require `environments`, which are never run without."""
        if self.environments is None:
            raise RuntimeError("environments are not listed yet")
        return self.environments

    async def each(
        self, environments: Iterable[EnvironmentRef], ask: Callable[[EnvironmentRef], Awaitable[T]], call: Call
    ) -> tuple[dict[str, T], tuple[FlatfileError, ...]]:
        """Ask for several environments side by side: what came by environment id, and what failed. Raises where all failed.

        An environment that is not found, and not listed any more either, was deleted meanwhile: that is no failure.
        """
        found, failed = await self.some(environments, ask, call)
        if failed and not found:
            raise failed[0]
        return found, failed

    async def some(
        self, environments: Iterable[EnvironmentRef], ask: Callable[[EnvironmentRef], Awaitable[T]], call: Call
    ) -> tuple[dict[str, T], tuple[FlatfileError, ...]]:
        """The same for environments that are a part of what is asked for: nothing is raised where all of them failed."""
        asked = [*environments]
        answers = await asyncio.gather(*(ask(environment) for environment in asked), return_exceptions=True)
        found: dict[str, T] = {}
        failed: list[tuple[EnvironmentRef, FlatfileError]] = []
        for environment, answer in zip(asked, answers, strict=True):
            if isinstance(answer, FlatfileError):
                failed.append((environment, answer))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found[environment.id] = answer
        if any(isinstance(error, NotFound) for _, error in failed):
            still_there = await self._listed_now(call)
            failed = [(env, error) for env, error in failed if not isinstance(error, NotFound) or env.id in still_there]
        return found, tuple(error for _, error in failed)

    async def _listed_now(self, call: Call) -> frozenset[str]:
        """The ids of the environments as listed just now; as listed last where that fails."""
        try:
            await self.again("environments", call)
        except FlatfileError:
            pass  # counted and logged where it happened; what was listed last holds
        return frozenset(environment.id for environment in self.selected())


async def both(first: Coroutine[Any, Any, T], second: Coroutine[Any, Any, U]) -> tuple[T, U]:
    """Await two answers side by side; when one fails, the other is not waited for."""
    try:
        async with asyncio.TaskGroup() as group:
            one, other = group.create_task(first), group.create_task(second)
    except ExceptionGroup as group:
        failures, faults = group.split(FlatfileError)
        if failures is None or faults is not None:
            raise
        raise failures.exceptions[0] from None
    return one.result(), other.result()


def held(values: Mapping[str, T], at: float) -> dict[str, Held[T]]:
    """Values that were all asked for at one time."""
    return {key: Held(value, at) for key, value in values.items()}


def carried(
    old: Mapping[str, Held[T]], new: Mapping[str, Held[T]], environments: Iterable[EnvironmentRef]
) -> dict[str, Held[T]]:
    """The values of all environments that there are: those that came now, else those from before."""
    found = ((environment.id, new.get(environment.id) or old.get(environment.id)) for environment in environments)
    return {environment: value for environment, value in found if value is not None}
