"""An account exported over loopback: the simulated API, the exporter's account on it, and a clock that is moved by hand."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from exporter.account.account import Account
from exporter.config import AccountConfig, parse
from exporter.core.clock import Clock
from exporter.demo.world import World
from exporter.exposition.families import Family, HistogramValue
from exporter.flatfile.connect import connect
from tests.simulator.faults import Fault, FaultRule
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import FIXED_NOW

TOKEN = "pat_test"
FAST = "requests: {per_second: 10000, retries: 1}"
"""Nothing waits for its turn, and nothing is tried again."""
AGENTS_OFTEN = "collectors: {agents: {interval: 30s}}"
ONE_BY_ONE = "requests: {per_second: 10000, retries: 1, concurrency: 1}"

Labels = tuple[str, ...]
Samples = Mapping[Labels, float]


class OfTheWholeAccount(FaultRule):
    """Strikes requests that name no environment. `api.faults.rules.append(OfTheWholeAccount("/spaces", Status(403)))`."""

    def fits(self, path: str, environment: str | None, page: int) -> bool:
        return environment is None and super().fits(path, environment, page)


class Asking(FaultRule):
    """Strikes requests with one of these parameters, as `name=value`. Needs `ONE_BY_ONE`, to know which request it is."""

    def __init__(self, api: SimulatedServer, path: str, fault: Fault, *parameters: str) -> None:
        super().__init__(path, fault)
        self._api = api
        self.parameters = set(parameters)

    def fits(self, path: str, environment: str | None, page: int) -> bool:
        query = self._api.requests[-1].query
        return any(f"{k}={v}" in self.parameters for k, v in query.items()) and super().fits(path, environment, page)


class Time:
    """Stands still until it is moved."""

    def __init__(self, now: float = FIXED_NOW) -> None:
        self.now = now
        self.clock = Clock(wall=lambda: self.now, monotonic=lambda: self.now - FIXED_NOW + 1000.0)

    def pass_(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


def account_config(base_url: str, settings: str, more: str, auth: str) -> AccountConfig:
    """The configuration of one account, from lines of YAML."""
    lines = [
        "name: acme",
        f"base_url: {base_url}",
        f"auth: {auth}",
        *more.splitlines(),
        *settings.splitlines(),
    ]
    return parse("accounts:\n  - " + "\n    ".join(lines), "config.yaml").accounts[0]


class Exported:
    """`async with Exported(world, time) as exported:`, then change `world` or `api` and `await exported.scrape()`."""

    def __init__(
        self,
        world: World,
        time: Time,
        settings: str = "",
        *,
        switches: Switches | None = None,
        more: str = FAST,
        auth: str = f"{{access_token: {TOKEN}}}",
    ) -> None:
        """`settings` are YAML lines of the account, `more` replaces `FAST`."""
        self.world = world
        self.time = time
        self.api = SimulatedServer(world, switches)
        self.api.switches.ready_tokens.add(TOKEN)
        self._settings = settings
        self._more = more
        self._auth = auth

    async def __aenter__(self) -> Self:
        await self.api.listen()
        self.account = self.restarted()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.account.aclose()
        await self.api.stop()

    def restarted(self, path: Path | None = None, settings: str | None = None) -> Account:
        """A new account on the same API, as after a restart of the exporter, maybe with other settings. The caller closes it."""
        lines = self._settings if settings is None else settings
        config = account_config(self.api.base_url, lines, self._more, self._auth)
        return Account(config, connect, self.time.clock, path)

    async def scrape(self, only: Collection[str] | None = None) -> "Scraped":
        """Refresh what is due and wait until all of it has ended, also what no scrape waits for."""
        loop = asyncio.get_running_loop()
        self.complete = await self.account.refresh(loop.time() + 60, only)
        await settled(self.account)
        return await self.shown(only)

    async def later(self, seconds: float, only: Collection[str] | None = None) -> "Scraped":
        """A scrape after so much time."""
        self.time.pass_(seconds)
        return await self.scrape(only)

    async def shown(self, only: Collection[str] | None = None) -> "Scraped":
        """What a page would show now, without asking."""
        return Scraped(await self.account.page.families(only))

    def asked(self, path: str, **query: str) -> list[dict[str, str]]:
        """The queries of the requests for this path, of those that have at least these parameters."""
        return [
            request.query
            for request in self.api.requests
            if request.endpoint == path and query.items() <= request.query.items()
        ]


async def settled(account: Account) -> None:
    """Wait until no refresh is under way."""
    while any(status.running for status in account.status()):
        await asyncio.sleep(0.001)


class Scraped:
    """A page as values: by name, then by the label values without the account's."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families: dict[str, Family] = {}
        for family in families:
            if family.samples:
                assert family.desc.name not in self.families, "a family came twice"
                self.families[family.desc.name] = family

    def __getitem__(self, name: str) -> Samples:
        """All samples of a family; none where there is no such family. The name may lack its `flatfile_`."""
        family = self.families.get(name if name.startswith("flatfile_") else f"flatfile_{name}")
        found: dict[Labels, float] = {}
        for labels, value in family.samples if family else ():
            assert labels[0] == "acme", labels
            assert labels[1:] not in found, f"{name}{labels} came twice"
            found[labels[1:]] = value.buckets[-1][1] if isinstance(value, HistogramValue) else value
        return found

    def of(self, name: str, environment_id: str) -> Samples:
        """An environment's samples of a family, by the labels after the environment's name."""
        return {labels[2:]: value for labels, value in self[name].items() if labels[0] == environment_id}

    def one(self, name: str, environment_id: str) -> float | None:
        """The environment's one sample of a family."""
        return self.of(name, environment_id).get(())

    def errors(self) -> dict[tuple[str, str], float]:
        """How many errors were counted, where any were: (collector, reason) -> number."""
        return {
            (labels[0], labels[1]): value for labels, value in self["exporter_collector_errors_total"].items() if value
        }

    def ok(self, collector: str) -> float | None:
        """The collector's success: 1, 0, or not known."""
        return self["exporter_collector_success"].get((collector,))

    def data(self) -> dict[str, Samples]:
        """All samples that tell of the account, not of the exporter."""
        return {name: self[name] for name in self.families if not name.startswith("flatfile_exporter_")}
