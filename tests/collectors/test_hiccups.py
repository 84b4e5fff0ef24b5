"""A single refusal costs a few requests once, and changes nothing for long."""

import pytest

from exporter.demo.world import World
from tests.collectors.exported import Exported, OfTheWholeAccount, Time
from tests.simulator.faults import Status
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import sized_world

EVERY_SCRAPE = "collectors:\n" + "".join(f"  {name}: {{interval: 0s}}\n" for name in ("spaces", "events"))


def twenty(time: Time) -> World:
    return sized_world(time, environments=20, spaces=40, guests=0, agents=0, events=40)


async def requests(exported: Exported, path: str, scrapes: int = 1) -> int:
    exported.api.clear()
    for _ in range(scrapes):
        page = await exported.later(30, {"events", "spaces"})
        assert page.ok("events") == page.ok("spaces") == 1
    return len(exported.asked(path, pageNumber="1"))


@pytest.mark.parametrize("status", [400, 403, 404])
@pytest.mark.parametrize("path", ["/events", "/spaces"])
async def test_one_refusal_of_an_account_s_list_is_forgotten(time: Time, path: str, status: int) -> None:
    world = twenty(time)
    async with Exported(world, time, EVERY_SCRAPE) as exported:
        await requests(exported, path)
        usual = await requests(exported, path)
        rule = OfTheWholeAccount(path, Status(status), count=1)
        exported.api.faults.rules.append(rule)
        environment = next(iter(world.environments))
        world.emit("job:failed", environment, at=time() + 5)
        assert await requests(exported, path) > usual
        assert rule.hits == 1
        world.emit("job:failed", environment, at=time() + 5)
        assert await requests(exported, path, 5) <= 5 * usual + 20, (
            "each environment is asked by itself once more at most"
        )
        world.emit("job:failed", environment, at=time() + 5)
        page = await exported.later(30)
        assert page.of("events_total", environment)["job:failed",] == 3
        assert sum(sum(page.of("spaces", env).values()) for env in world.environments) == 40


async def test_two_refusals_in_a_row_are_remembered_for_an_hour_at_most(time: Time) -> None:
    world = twenty(time)
    async with Exported(world, time, EVERY_SCRAPE) as exported:
        await requests(exported, "/events")
        exported.api.faults.rules.append(OfTheWholeAccount("/events", Status(404)))
        environment, counted = next(iter(world.environments)), 0
        for number in range(6):
            world.emit("job:failed", environment, at=time() + 5)
            counted += 1
            assert await requests(exported, "/events") == (21 if number < 2 else 20)
        exported.api.faults.clear()
        for _ in range(8):
            world.emit("job:failed", environment, at=time() + 5)
            counted += 1
            time.pass_(470)
            await requests(exported, "/events")
        assert await requests(exported, "/events") < 20
        page = await exported.later(30)
        assert page.of("events_total", environment)["job:failed",] == counted, "nothing is counted twice in between"


async def test_one_event_without_an_environment_is_forgotten(time: Time) -> None:
    world = twenty(time)
    async with Exported(world, time, EVERY_SCRAPE) as exported:
        await requests(exported, "/events")
        usual = await requests(exported, "/events", 3)
        exported.api.switches.fields["/events"] = {"context": ABSENT}
        exported.api.switches.fields_in_row = 0
        world.emit("job:failed", next(iter(world.environments)), at=time() + 5)
        await exported.later(30)
        exported.api.switches.fields.clear()
        time.pass_(3600)
        await requests(exported, "/events", 3)
        assert await requests(exported, "/events", 3) <= usual + 20


async def test_the_last_success_is_when_the_api_was_asked(time: Time) -> None:
    """Environments in which nothing happens are not asked for runs each time: then nothing is said to be new."""
    world = sized_world(time, environments=2, spaces=2, guests=0, agents=1)
    async with Exported(world, time, "collectors: {executions: {interval: 0s}}") as exported:
        await exported.scrape()
        await exported.later(1000)
        for _ in range(8):
            exported.api.clear()
            page = await exported.later(40)
            last = page["exporter_collector_last_success_timestamp_seconds"]["executions",]
            if exported.api.count("/agents/executions"):
                assert last == time()
            else:
                assert last < time()


async def test_rows_of_environments_that_are_gone_do_not_stay(time: Time) -> None:
    world = World(time)
    async with Exported(world, time, switches=Switches(guests_without_space="refused")) as exported:
        kept = world.add_environment("kept").id
        for _ in range(5):
            gone = world.add_environment("passing").id
            space = world.add_space(gone, "space")
            world.add_guest(space.id)
            world.deploy_agent(gone, "importer")
            await exported.later(301)
            world.delete_environment(gone)
        await exported.later(301)
        time.pass_(3700)
        world.emit("job:failed", kept)
        await exported.later(10)
        await exported.later(301)
        for table in (
            "agent",
            "space",
            "known",
            "event_position",
            "event_count",
            "run_count",
            "job_count",
        ):
            rows = await exported.account.database.run(
                lambda db, table=table: db.execute(f"SELECT DISTINCT environment_id FROM {table}").fetchall()
            )
            assert {environment for (environment,) in rows} <= {kept, ""}, table
        for table in ("guest", "guest_space", "guest_environment", "membership"):
            assert await exported.account.database.run(
                lambda db, table=table: db.execute(f"SELECT count(*) FROM {table}").fetchone()
            ) == (0,)
