"""Nine days of two exporters on a simulated account, by a clock that is moved: what Prometheus would have scraped.

For the week before, one exporter is scraped every four hours; then two of them every two minutes, while this and that goes
wrong (`Story`). Nothing waits: hours take seconds. The pages are those of the exporter's own code.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self

from exporter.account import Account
from exporter.accounts import Accounts
from exporter.clock import Clock
from exporter.config import Config, ConfigError, parse
from exporter.demo.accounts import CLIENT_ID, SECRET, demo_world, sized_world
from exporter.demo.faults import FaultRule, Status
from exporter.demo.life import Life
from exporter.demo.server import DemoServer
from exporter.demo.world import World
from exporter.exposition import Format, render
from exporter.own_metrics import OwnMetrics
from tests.collectors.exported import settled

HOUR, DAY = 3600.0, 86400.0
SELDOM = 4 * HOUR
STEP = 120.0
STORY = 224 * 60.0
CALM = 16
"""A minute of the story before anything goes wrong."""
WEEK = 9 * DAY + 6 * HOUR
INSTANCES = ("exporter-a:10056", "exporter-b:10056")

ACCOUNT, OTHER = "Nord & Co", "quiet"
SETTINGS = f"""\
accounts:
  - name: {ACCOUNT}
    base_url: %s
    auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}
    expected_agents:
      - {{environment: production, agents: [importer, validator, exporter], min: 3}}
      - {{environment: staging, agents: [importer]}}
      - {{environment: ghost, agents: [importer]}}
  - name: {OTHER}
    base_url: %s
    auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}
    collectors: {{guests: {{enabled: false}}, users: {{enabled: false}}}}
requests: {{per_second: 10000, retries: 1}}
"""


class Now:
    """The time of the simulated accounts, moved by hand."""

    def __init__(self, now: float) -> None:
        self.at = now

    def __call__(self) -> float:
        return self.at

    @property
    def clock(self) -> Clock:
        return Clock(wall=self, monotonic=self)


@dataclass(frozen=True, slots=True)
class Way:
    """How the pages reach Prometheus; without `honor_labels` the target has an environment and a namespace of its own."""

    honor_labels: bool

    @property
    def target_labels(self) -> dict[str, str]:
        return {} if self.honor_labels else {"environment": "cluster-7", "namespace": "monitoring"}


WAYS = {"honor_labels": Way(True), "own_labels_renamed": Way(False)}


class Pages:
    """The scraped pages, one after the other, as OpenMetrics with times: a file for each way."""

    def __init__(self, directory: Path) -> None:
        self._files: dict[str, IO[str]] = {
            name: (directory / f"{name}.om").open("w", encoding="utf-8", newline="\n") for name in WAYS
        }

    def add(self, page: str, instance: str, at: float) -> None:
        """A scrape; an empty page is one that failed."""
        for name, file in self._files.items():
            file.writelines(_stamped(page, WAYS[name], instance, at))

    def close(self) -> None:
        for file in self._files.values():
            file.write("# EOF\n")
            file.close()


_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_OURS = re.compile(r'(^|,)(environment|namespace)="')  # a quote inside a value has a backslash before it


def _stamped(page: str, way: Way, instance: str, at: float) -> Iterator[str]:
    target = "".join(f',{name}="{value}"' for name, value in way.target_labels.items())
    target = f'job="flatfile",instance="{instance}"{target}'
    yield f"up{{{target}}} {1 if page else 0} {at:.3f}\n"
    for line in page.split("\n"):
        if line and not line.startswith("#"):
            found = _SAMPLE.fullmatch(line)
            assert found, line
            name, labels, value = found.groups(default="")
            if not way.honor_labels:
                labels = _OURS.sub(r'\1exported_\2="', labels)
            yield f"{name}{{{target}{',' if labels else ''}{labels}}} {value} {at:.3f}\n"


class Replica:
    """One exporter without its web side. `broken`: its configuration file is; `hidden`: nobody can scrape it."""

    def __init__(self, instance: str, now: Now, text: str) -> None:
        self.instance = instance
        self.text = text
        self.broken = self.hidden = False
        self.accounts = Accounts(self._load, now.clock)
        self._own = OwnMetrics(self.accounts)
        self._own.expect("/metrics", "/probe")

    def _load(self) -> Config:
        return parse("accounts: broken" if self.broken else self.text, "config.yaml")

    async def reload(self, *, broken: bool) -> None:
        self.broken = broken
        try:
            await self.accounts.reload()
        except ConfigError:
            assert broken

    async def page(self) -> str:
        accounts: list[Account] = list(self.accounts)
        deadline = asyncio.get_running_loop().time() + 60
        ended = [await account.refresh(deadline) for account in accounts]
        for account in accounts:
            await settled(account)
        self._own.scrape("/metrics", complete=all(ended))
        families = [*self._own.families(), *(family for account in accounts for family in account.families())]
        return render(families, Format.OPENMETRICS_1_0).body.decode()


class Story:
    """What happens in the last hours, by the minute, of which every other one has a scrape."""

    def __init__(self, api: DemoServer, replicas: list[Replica]) -> None:
        self.api = api
        self.account = Changing(api.world)
        self._rules: list[FaultRule] = []
        account, first = self.account, replicas[0]
        self._steps: dict[int, Callable[[], object]] = {
            8: account.job_fails,
            20: lambda: account.lose("validator"),
            24: account.give_up_sandbox,
            40: account.deploy_again,
            44: api.stop_listening,
            80: api.listen,
            90: lambda: api.switches.forbidden.add(("*", account.staging)),
            124: api.switches.forbidden.clear,
            128: lambda: self._fail(Status(500), "/guests"),
            142: self._heal,
            146: lambda: self._fail(Status(429, 0), "/spaces", "/agents", "/users"),
            166: self._heal,
            170: lambda: self._credentials("another secret"),
            178: lambda: self._credentials(SECRET),
            184: lambda: setattr(first, "hidden", True),
            190: lambda: setattr(first, "hidden", False),
            192: lambda: first.reload(broken=True),
            198: lambda: first.reload(broken=False),
            200: account.rename_staging,
            202: account.crowd,
            204: lambda: account.lose("importer", "validator", "exporter"),
            212: account.deploy_again,
            214: account.job_fails,
            218: lambda: account.lose("validator"),
        }

    async def happen(self, minute: int) -> None:
        """What is due in this minute."""
        step = self._steps.get(minute)
        result = step() if step else None
        if asyncio.iscoroutine(result):
            await result

    def _fail(self, fault: Status, *paths: str) -> None:
        self._rules += [self.api.faults.add(path, fault) for path in paths]

    def _heal(self) -> None:
        while self._rules:
            self.api.faults.remove(self._rules.pop())

    def _credentials(self, secret: str) -> None:
        self.api.set_credentials(CLIENT_ID, secret)
        self.api.invalidate_tokens()


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

    def rename_staging(self) -> None:
        self.world.environments[self.staging].name = "acceptance"

    def crowd(self) -> None:
        """Far more guests than on any day before."""
        space = next(iter(self.world.spaces_of[self.staging]))
        for number in range(200):
            self.world.add_guest(space, f"Guest {number}")

    def job_fails(self) -> None:
        self.world.finish_job(self.world.add_job(self.production).id, "failed")


@dataclass(frozen=True, slots=True)
class History:
    """Where the pages are, and from when to when: unix seconds."""

    directory: Path
    begin: float
    story: float
    end: float

    def minute(self, number: float) -> float:
        """The time of a minute of the story."""
        return self.story + number * 60

    @classmethod
    def read(cls, directory: Path) -> Self:
        """What `write` has written."""
        return cls(directory, **json.loads((directory / "times.json").read_text()))


def accounts(clock: Callable[[], float]) -> tuple[World, World]:
    """The account that things happen to, and a small one that is only there. Their ids are the same each time."""
    return demo_world(clock), sized_world(clock, environments=1, spaces=2, guests=3, users=1)


def accounts_now() -> tuple[DemoServer, DemoServer]:
    """The same accounts as the story leaves them, by the real time: to go on with."""
    world, quiet = accounts(time.time)
    account = Changing(world)
    account.give_up_sandbox()
    account.rename_staging()
    account.crowd()
    account.lose("validator")
    return DemoServer(world, life=Life(world, missing=None)), DemoServer(quiet)


async def write(directory: Path) -> None:
    """Live through it, up to the present, and write the pages to `directory`."""
    end = time.time()
    story = end - STORY
    # at full hours, where subqueries look: they find a sample for five minutes only
    last = story // SELDOM * SELDOM
    before = [last - at for at in range(0, int(WEEK), int(SELDOM))]
    now = Now(min(before))
    # Grafana's default time range is six hours, and some panels compare with its beginning.
    before += [moment - 6 * HOUR for moment in (story + CALM * 60, *(end + after for after in range(0, 600, 120)))]
    world, quiet = accounts(now)
    api, other = DemoServer(world), DemoServer(quiet)
    pages = Pages(directory)
    async with AsyncExitStack() as stack:
        for server in (api, other):
            await stack.enter_async_context(server)
        replicas = [Replica(instance, now, SETTINGS % (api.base_url, other.base_url)) for instance in INSTANCES]
        for replica in replicas:
            stack.push_async_callback(replica.accounts.aclose)
            await replica.reload(broken=False)
        for now.at in sorted(before):
            _some_events(world)
            pages.add(await replicas[0].page(), INSTANCES[0], now.at)
        now.at = story
        life = Life(world, missing=None)
        told = Story(api, replicas)
        for minute in range(0, int(STORY / 60) + 1, int(STEP / 60)):
            now.at = story + minute * 60
            life.advance(now.at)
            await told.happen(minute)
            for replica in replicas:
                pages.add("" if replica.hidden else await replica.page(), replica.instance, now.at)
    pages.close()
    times = {"begin": min(before), "story": story, "end": now.at}
    (directory / "times.json").write_text(json.dumps(times))


def _some_events(world: World) -> None:
    """Enough in the last minutes for the busy hours that follow to be nothing unusual."""
    at = world.clock()
    for environment_id in world.environments:
        for number in range(150):
            world.emit("records:updated", environment_id, at=at - number, runs=False)
    world.forget_before(at - 2 * HOUR, at - 2 * HOUR)
