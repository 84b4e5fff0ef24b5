"""Nine days of two exporters on a simulated account, by a clock that is moved: what Prometheus would have scraped.

For the week before, one exporter is scraped every four hours; then two of them every two minutes, while this and that goes
wrong (`Story`). Nothing waits: hours take seconds. The pages are those of the exporter's own code.
"""

import asyncio
import gzip
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from exporter.account.account import Account
from exporter.account.accounts import Accounts
from exporter.config import Config, ConfigError, parse
from exporter.demo.accounts import CLIENT_ID, SECRET, demo_world
from exporter.demo.life import Life
from exporter.demo.world import World
from exporter.exposition.text import Format
from exporter.store.directory import Directory
from exporter.web.self_metrics import OwnMetrics
from tests.collectors.exported import Time, settled
from tests.exposition.rendered import render
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .story import CALM, LAST, Changing, Story

HOUR, DAY = 3600.0, 86400.0
SELDOM = 12 * HOUR
STEP = 240.0
STORY = LAST * 60.0
WEEK = 9 * DAY + 6 * HOUR
INSTANCES = ("exporter-a:10056", "exporter-b:10056")
SCRAPES, TIMES = "scrapes.gz", "times.json"
"""The files; the second one is there when all is written."""

ACCOUNT, OTHER = "Nord & Co", "quiet"
SETTINGS = f"""\
accounts:
  - name: {ACCOUNT}
    base_url: %s
    auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}
    expected_agents:
      - {{environment: production, agents: [importer, validator], min: 3}}
      - {{environment: staging, agents: [importer]}}
      - {{environment: ghost, agents: [importer]}}
  - name: {OTHER}
    base_url: %s
    auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}
    collectors: {{guests: {{enabled: false}}, users: {{enabled: false}}}}
spaces: {{per_space: true}}
requests: {{per_second: 10000, retries: 1}}
"""


class Replica:
    """One exporter without its web side. `broken`: its configuration file is; `hidden`: nobody can scrape it."""

    def __init__(self, instance: str, now: Time, text: str, storage: Directory) -> None:
        self.instance = instance
        self.text = text
        self.broken = self.hidden = False
        self.accounts = Accounts(self._load, now.clock, storage=storage)
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
        families = [*self._own.families()]
        for account in accounts:
            families += await account.page.families()
        return render(families, Format.OPENMETRICS_1_0).body.decode()


@dataclass(frozen=True, slots=True)
class History:
    """Where the pages are, and from when to when: unix seconds."""

    directory: Path
    begin: float
    story: float
    end: float

    def scrapes(self) -> Iterator[tuple[str, float, str]]:
        """Instance, time and page of each scrape; an empty page where it failed."""
        with gzip.open(self.directory / SCRAPES, "rt", encoding="utf-8") as file:
            for line in file:
                instance, at, page = json.loads(line)
                yield instance, at, page

    def minute(self, number: float) -> float:
        """The time of a minute of the story."""
        return self.story + number * 60

    @classmethod
    def read(cls, directory: Path) -> Self:
        """What `write` has written."""
        return cls(directory, **json.loads((directory / TIMES).read_text()))


def accounts(clock: Callable[[], float]) -> tuple[World, World]:
    """The account that things happen to, and a small one that is only there. Their ids are the same each time."""
    world = demo_world(clock)
    Changing(world).open_staging()
    return world, sized_world(clock, environments=1, spaces=2, guests=3, users=1)


def accounts_now() -> tuple[SimulatedServer, SimulatedServer]:
    """The same accounts as the story leaves them, by the real time: to go on with."""
    world, quiet = accounts(time.time)
    account = Changing(world)
    account.give_up_sandbox()
    account.rename_staging()
    account.crowd()
    account.lose("validator")
    account.job_begins()
    return SimulatedServer(world, life=Life(world, missing=None)), SimulatedServer(quiet)


async def write(directory: Path) -> None:
    """Live through it, up to the present, and write the pages to `directory`."""
    end = time.time()
    story = end - STORY
    # at full hours, where subqueries look: they find a sample for five minutes only
    last = story // SELDOM * SELDOM
    before = [last - at for at in range(0, int(WEEK), int(SELDOM))]
    now = Time(min(before))
    # Grafana's default time range is six hours, and some panels compare with its beginning; growth is that of a day.
    compared = (story + CALM * 60, end - 600, *(end + after for after in range(0, 600, 240)))
    before += [moment - ago for moment in compared for ago in (6 * HOUR, DAY)]
    world, quiet = accounts(now)
    api, other = SimulatedServer(world), SimulatedServer(quiet)
    with gzip.open(directory / SCRAPES, "wt", compresslevel=1, encoding="utf-8") as file:
        async with AsyncExitStack() as stack:
            for server in (api, other):
                await stack.enter_async_context(server)
            text = SETTINGS % (api.base_url, other.base_url)
            replicas = [
                Replica(instance, now, text, stack.enter_context(Directory(directory / f"storage-{number}")))
                for number, instance in enumerate(INSTANCES)
            ]
            for replica in replicas:
                stack.push_async_callback(replica.accounts.aclose)
                await replica.reload(broken=False)
            for now.now in sorted(before):
                _some_events(world)
                file.write(await _scrape(replicas[0], now()))
            now.now = story
            life = Life(world, missing=None)
            told = Story(api, replicas[0])
            for minute in range(0, LAST + 1, int(STEP / 60)):
                now.now = story + minute * 60
                life.advance(now())
                await told.happen(minute)
                for replica in replicas:
                    file.write(await _scrape(replica, now()))
    times = {"begin": min(before), "story": story, "end": now.now}
    (directory / TIMES).write_text(json.dumps(times))


async def _scrape(replica: Replica, at: float) -> str:
    """One line of the file, as `History.scrapes` reads it."""
    page = "" if replica.hidden else await replica.page()
    return json.dumps([replica.instance, at, page]) + "\n"


def _some_events(world: World) -> None:
    """Enough in the last minutes for the busy hours that follow to be nothing unusual."""
    at = world.clock()
    for environment_id in world.environments:
        for number in range(150):
            world.emit("records:updated", environment_id, at=at - number, runs=False)
    world.forget_before(at - 2 * HOUR, at - 2 * HOUR)
