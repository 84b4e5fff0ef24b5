"""Wrong clocks: ours, or that of the headers `Date`. What is shown stays right, and nothing is lost."""

import contextlib
from collections.abc import AsyncIterator

import pytest

from exporter.core.clock import Clock
from exporter.demo.accounts import DAY
from exporter.demo.world import World
from tests.collectors.exported import FAST, Exported, Time
from tests.simulator.faults import Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import FIXED_NOW

HOUR, YEAR = 3600.0, 365 * DAY
EVERY_TIME = "collectors: {users: {interval: 0s}, jobs: {interval: 0s}, guests: {interval: 0s}, spaces: {interval: 0s}}"


class Wrong(Time):
    """Our clock is so far ahead of the right time. Setting it moves the wall clock alone."""

    def __init__(self, ahead: float = 0.0) -> None:
        super().__init__()
        self.ahead = ahead
        self.clock = Clock(wall=lambda: self.now + self.ahead, monotonic=lambda: self.now - FIXED_NOW + 1000.0)


def a_world(time: Time) -> tuple[World, str]:
    """One environment with a user and a guest of an hour ago, an open job, and events of the last minutes."""
    world = World(time)
    environment = world.add_environment("one", announce=False).id
    world.add_user("Ada", at=time() - 90 * DAY, seen=time() - HOUR)
    space = world.add_space(environment, "Space", at=time() - 90 * DAY, announce=False)
    space.last_activity_at = time() - HOUR
    world.add_guest(space.id, "Jane", at=time() - DAY, last_accessed=time() - HOUR, announce=False)
    world.add_job(environment, space.id, at=time() - 2 * HOUR, announce=False)
    for ago in (100, 50, 20):
        world.emit("file:created", environment, at=time() - ago, runs=False)
    return world, environment


class Checked:
    """Emits an event before each scrape but the first, and checks what is shown."""

    def __init__(self, exported: Exported, environment: str) -> None:
        self.exported = exported
        self.environment = environment
        self._emitted = [exported.time() - ago for ago in (100, 50, 20)]
        self._counted = 0

    async def scrape(self, seconds: float = 0.0) -> None:
        exported, environment = self.exported, self.environment
        if seconds:
            exported.time.pass_(seconds)
            self._emitted.append(exported.time() - 5)
            exported.world.emit("file:created", environment, at=self._emitted[-1], runs=False)
            self._counted += 1
        page = await exported.scrape()
        now = exported.time()
        assert page.of("events_total", environment)["file:created",] == self._counted
        recent = sum(at > now - 300 for at in self._emitted)
        assert page.of("events_per_second", environment)["file:created",] == recent / 300
        assert page.one("event_last_timestamp_seconds", environment) == self._emitted[-1]
        assert page["users_active"] == {("1d",): 1, ("7d",): 1, ("30d",): 1}
        assert page.of("guests_active", environment) == {("1d",): 1, ("7d",): 1, ("30d",): 1}
        assert sum(page.of("jobs", environment).values()) == 1
        assert page.of("spaces_inactive", environment) == {("30d",): 0, ("90d",): 0}
        assert {name for name, ok in page["exporter_collector_success"].items() if ok != 1} == set()


@contextlib.asynccontextmanager
async def checked(time: Time, switches: Switches | None = None) -> AsyncIterator[Checked]:
    """`a_world`, scraped once."""
    world, environment = a_world(time)
    async with Exported(world, time, more=FAST + "\n" + EVERY_TIME, switches=switches) as exported:
        found = Checked(exported, environment)
        await found.scrape()
        yield found


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("ahead", [-YEAR, -HOUR, -400, 400, HOUR, YEAR])
@pytest.mark.parametrize("whose", ["ours", "theirs"])
async def test_a_clock_that_is_wrong_from_the_start(whose: str, ahead: float, wide: bool) -> None:
    time = Wrong(ahead) if whose == "ours" else Time()
    switches = Switches(account_wide_refusal={} if wide else {"/events": 400})
    if whose == "theirs":
        switches.date_ahead["*"] = ahead
    async with checked(time, switches) as account:
        for _ in range(12):
            await account.scrape(30)


@pytest.mark.parametrize("ahead", [-YEAR, -HOUR, HOUR, YEAR])
@pytest.mark.parametrize("scrapes", [1, 8])
async def test_dates_that_are_wrong_for_a_while(ahead: float, scrapes: int) -> None:
    async with checked(Time()) as account:
        for _ in range(2):
            for _ in range(2):
                await account.scrape(30)
            account.exported.api.switches.date_ahead["*"] = ahead
            for _ in range(scrapes):
                await account.scrape(30)
            account.exported.api.switches.date_ahead.clear()
        for _ in range(6):
            await account.scrape(30)


async def test_some_paths_with_a_wrong_date() -> None:
    switches = Switches(date_ahead={"/events": HOUR, "/users": -YEAR})
    async with checked(Time(), switches) as account:
        for _ in range(6):
            await account.scrape(30)


async def test_an_event_of_the_far_future_fixes_nothing() -> None:
    async with checked(Time()) as account:
        account.exported.world.emit(
            "job:failed", account.environment, at=FIXED_NOW + 8000 * YEAR - 30 * DAY, runs=False
        )
        for _ in range(12):
            await account.scrape(30)


async def test_a_clock_that_is_set_while_it_runs() -> None:
    time = Wrong()
    async with checked(time) as account:
        for ahead in (400, 0, -HOUR, YEAR, -YEAR, 0):
            time.ahead = ahead
            await account.scrape(30)


async def test_old_data_is_withheld_although_the_clock_is_set_back() -> None:
    time = Wrong()
    world, environment = a_world(time)
    async with Exported(world, time, more=FAST + "\n" + EVERY_TIME) as exported:
        await exported.scrape()
        exported.api.faults.add("*", Status(500))
        time.ahead = -HOUR
        page = await exported.later(890)
        assert page["users"] == {(): 1}
        page = await exported.later(20)
        assert page["users"] == {}
        assert page.of("events_total", environment) == {}
        exported.api.faults.clear()
        assert (await exported.later(301))["users"] == {(): 1}
