"""What goes wrong in the last hours of the history, and when."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.world import World
from tests.simulator.faults import FaultRule, Status
from tests.simulator.server import SimulatedServer

CALM = 16
"""A minute before anything goes wrong."""
WRONG = (96, 164)
"""Minutes when a collector has failed for long, and when an exporter could not load its configuration."""
LAST = 200
"""The last minute."""


class Exporter(Protocol):
    """One of the exporters. `hidden`: nobody can scrape it."""

    hidden: bool

    async def reload(self, *, broken: bool) -> None:
        """Load the configuration again, which may be broken."""


class Story:
    """What happens in the last hours, by the minute; every fourth one has a scrape."""

    def __init__(self, api: SimulatedServer, first: Exporter) -> None:
        self._api = api
        self._rules: list[FaultRule] = []
        account = Changing(api.world)
        self._steps: dict[int, Callable[[], object]] = {
            4: account.job_begins,
            8: account.job_fails,
            20: lambda: account.lose("validator"),
            24: account.give_up_sandbox,
            32: account.deploy_again,
            # nobody answers, for longer than what is known is shown
            36: api.stop_listening,
            60: api.listen,
            # one that nobody expects by its name
            64: lambda: account.lose("exporter"),
            72: account.deploy_again,
            # one environment may not be read any more, for as long
            76: lambda: api.switches.forbidden.add(("*", account.staging)),
            100: api.switches.forbidden.clear,
            # one kind of data cannot be had
            104: lambda: self._fail(Status(500), "/guests"),
            112: self._heal,
            # too many requests; the Retry-After of 0 s, because the pause goes by the real clock
            116: lambda: self._fail(Status(429, 0), "/spaces", "/agents", "/users"),
            128: self._heal,
            132: lambda: self._credentials("another secret"),
            140: lambda: self._credentials(SECRET),
            # the exporter itself
            144: lambda: setattr(first, "hidden", True),
            156: lambda: setattr(first, "hidden", False),
            160: lambda: first.reload(broken=True),
            168: lambda: first.reload(broken=False),
            # the account again, and it stays so
            172: account.rename_staging,
            176: account.crowd,
            180: lambda: account.lose("importer", "validator", "exporter"),
            188: account.deploy_again,
            192: account.job_fails,
            196: lambda: account.lose("validator"),
        }

    async def happen(self, minute: int) -> None:
        """What is due in this minute."""
        step = self._steps.get(minute)
        result = step() if step else None
        if asyncio.iscoroutine(result):
            await result

    def _fail(self, fault: Status, *paths: str) -> None:
        self._rules += [self._api.faults.add(path, fault) for path in paths]

    def _heal(self) -> None:
        while self._rules:
            self._api.faults.remove(self._rules.pop())

    def _credentials(self, secret: str) -> None:
        self._api.set_credentials(CLIENT_ID, secret)
        self._api.invalidate_tokens()


class Changing:
    """The account, and what people do to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        named = {environment.name: environment.id for environment in world.environments.values()}
        self.production, self.staging = named["production"], named["staging"]
        self._sandbox = named["development"]  # the second of two of this name
        self._lost: list[tuple[str, tuple[str, ...]]] = []

    def lose(self, *slugs: str) -> None:
        """Production's agents go."""
        for slug in slugs:
            agent = self.world.find_agent(self.production, slug)
            assert agent is not None
            self._lost.append((slug, agent.topics))
            self.world.delete_agent(agent.id)

    def deploy_again(self) -> None:
        """All that were lost come back, under new ids."""
        for slug, topics in self._lost:
            self.world.deploy_agent(self.production, slug, topics)
        self._lost.clear()

    def give_up_sandbox(self) -> None:
        """Its agents go for good; nothing is expected of it."""
        for agent in [a for a in self.world.agents_of[self._sandbox].values() if not a.is_system]:
            self.world.delete_agent(agent.id)

    def open_staging(self) -> None:
        """Whoever has a link may enter."""
        self.world.environments[self.staging].guest_authentication = ("shared_link", "magic_link")

    def rename_staging(self) -> None:
        self.world.environments[self.staging].name = "acceptance"

    def crowd(self) -> None:
        """Far more guests than on any day before."""
        space = next(iter(self.world.spaces_of[self.staging]))
        for number in range(200):
            self.world.add_guest(space, f"Guest {number}")

    def job_begins(self) -> None:
        self.world.start_job(self.world.add_job(self.production).id)

    def job_fails(self) -> None:
        self.world.finish_job(self.world.add_job(self.production).id, "failed")
