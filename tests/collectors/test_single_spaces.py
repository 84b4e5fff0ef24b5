"""Series of single spaces: which are shown, what of them, and how many are left out."""

import pytest

from exporter.demo.world import World
from tests.collectors.exported import Exported, Scraped, Time
from tests.simulator.faults import Status
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import fixed_world, sized_world

NAMES = ("space_info", "space_guests", "space_files", "space_workbooks", "space_last_activity_timestamp_seconds")
PROD, ODD = "us_env_9f2kQw1d", "us_env_7hT3bLx0"


def per_space(most: int = 1000) -> str:
    return f"spaces: {{per_space: true, max_series: {most}}}"


def shown(page: Scraped) -> list[str]:
    return [labels[2] for labels in page["space_info"]]


def dropped(page: Scraped) -> float | None:
    return page["exporter_series_dropped"].get(("spaces",))


def by_activity(world: World) -> list[str]:
    """Ids, the most recently active first; of those of one moment the greatest id."""
    ordered = sorted(world.spaces.values(), key=lambda space: (float(space.last_activity_at or 0), space.id))
    return [space.id for space in reversed(ordered)]


async def test_there_are_none_unless_they_are_asked_for(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape()
        assert not any(page[name] for name in NAMES)
        assert ("spaces",) not in page["exporter_series_dropped"]


async def test_what_is_told_of_each_space(time: Time) -> None:
    async with Exported(fixed_world(time), time, per_space()) as exported:
        page = await exported.scrape()
        name = 'Onboarding "Nord" GmbH'
        assert page.of("space_info", PROD)["us_sp_Zr5vB81c", name, "nightly-data", "us_app_Pt6wY2nd", "active"] == 1
        assert {labels[4] for labels in page.of("space_info", PROD)} == {"active", "archived", "expired"}
        assert page.of("space_files", PROD)[("us_sp_Zr5vB81c",)] == 14
        assert page.of("space_workbooks", PROD)[("us_sp_Zr5vB81c",)] == 2
        assert page.of("space_guests", PROD)[("us_sp_Zr5vB81c",)] == 4
        assert page.of("space_last_activity_timestamp_seconds", PROD)[("us_sp_Zr5vB81c",)] == time() - 60
        assert dropped(page) == 0


async def test_what_flatfile_leaves_out_is_absent(time: Time) -> None:
    left_out = {"name": None, "namespace": ABSENT, "appId": ABSENT}
    async with Exported(
        fixed_world(time), time, per_space(), switches=Switches(fields={"/spaces": left_out})
    ) as exported:
        page = await exported.scrape()
        assert page.of("space_info", ODD) == {("us_sp_Odd00001", "", "", "", "active"): 1}
        for name in ("space_files", "space_workbooks", "space_last_activity_timestamp_seconds"):
            assert page.of(name, ODD) == {}


@pytest.mark.parametrize("clamp", [None, 10])
async def test_those_that_were_active_last_are_shown_and_the_others_counted(time: Time, clamp: int | None) -> None:
    world = sized_world(time, environments=3, spaces=60, guests=0)
    switches = Switches(page_clamp={"/spaces": clamp} if clamp else {})
    async with Exported(world, time, per_space(7), switches=switches) as exported:
        page = await exported.scrape()
        for change in range(8):
            assert sorted(shown(page)) == sorted(by_activity(world)[:7])
            assert dropped(page) == len(world.spaces) - 7
            if change % 2:
                world.touch_space(by_activity(world)[-1])
            else:
                world.delete_space(by_activity(world)[change])
            time.pass_(61)
            await exported.scrape({"events"})
            page = await exported.scrape({"spaces"})


async def test_of_spaces_of_one_moment_always_the_same_are_shown(time: Time) -> None:
    world = sized_world(time, environments=2, spaces=40, guests=0)
    for space in world.spaces.values():
        space.last_activity_at = "2025-11-20"
    async with Exported(world, time, per_space(5)) as exported:
        first = shown(await exported.scrape())
        assert sorted(first) == sorted(world.spaces)[-5:]
        for _ in range(3):
            assert shown(await exported.later(61)) == first


async def test_a_failure_withholds_them_with_the_counts(time: Time) -> None:
    world = sized_world(time, environments=2, spaces=6, guests=3)
    hidden, other = world.environments
    async with Exported(world, time, per_space(), switches=Switches(guests_without_space="all")) as exported:
        await exported.scrape()
        exported.api.switches.forbidden.add(("*", hidden))
        page = await exported.later(901)
        assert {labels[0] for labels in page["space_info"]} == {other}
        assert {labels[0] for labels in page["space_guests"]} == {other}
        assert dropped(page) == 0


async def test_guests_of_a_space_are_absent_while_they_are_not_known(time: Time) -> None:
    world = sized_world(time, environments=1, spaces=4, guests=6)
    async with Exported(world, time, per_space()) as exported:
        fault = exported.api.faults.add("/guests", Status(500))
        page = await exported.scrape()
        assert (len(page["space_info"]), len(page["space_guests"])) == (4, 0)
        exported.api.faults.remove(fault)
        page = await exported.later(61)
        found = {labels[2]: number for labels, number in page["space_guests"].items()}
        assert found == {space: len(guests) for space, guests in world.guests_in.items()}
