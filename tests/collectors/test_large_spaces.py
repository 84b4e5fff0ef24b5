"""Spaces of large accounts: what is shown is true, and costs requests for what has changed, not for what there is."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from exporter.demo.records import Space
from exporter.demo.world import World
from tests.collectors.exported import Exported, OfTheWholeAccount, Scraped, Time
from tests.simulator.faults import Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import sized_world

DAY = 86400.0
PER_PAGE = 10
SPACES = {"spaces"}
Truth = Mapping[tuple[str, ...], float | None]
NAMES = {
    "last_created": "environment_last_space_created_timestamp_seconds",
    "last_activity": "environment_last_activity_timestamp_seconds",
}


def large(time: Time, spaces: int = 60, environments: int = 2) -> World:
    """Spaces enough for some pages of ten. Each was created, and active last, at a time of its own."""
    world = sized_world(time, environments=environments, spaces=0, guests=0, agents=0)
    ids = [*world.environments]
    for number in range(spaces):
        space = world.add_space(
            ids[number % environments], f"Space {number}", at=time() - (spaces + 100 - number) * DAY, announce=False
        )
        space.files = number % 7
        space.last_activity_at = space.updated_at = time() - (1000 + number * 77 % spaces) * 3600
        if number % 9 == 8:
            world.archive_space(space.id, at=time() - DAY, announce=False)
    return world


def capped(**switches: Any) -> Switches:
    return Switches(page_clamp={"/spaces": PER_PAGE}, **switches)


def truth(world: World) -> Truth:
    """What is to be seen of spaces and their sums."""
    found: dict[tuple[str, ...], float | None] = {}
    for environment, spaces in world.spaces_of.items():
        states = Counter(state(space) for space in spaces.values())
        for name in ("active", "archived", "expired"):
            found["spaces", environment, name] = states[name]
        found["files", environment] = sum(space.files or 0 for space in spaces.values())
        found["workbooks", environment] = sum(space.workbooks or 0 for space in spaces.values())
        found["last_created", environment] = max((space.created_at for space in spaces.values()), default=None)
    return found


def state(space: Space) -> str:
    return "archived" if space.archived_at is not None else "expired" if space.expired_at is not None else "active"


def shown(page: Scraped, world: World) -> Truth:
    found: dict[tuple[str, ...], float | None] = {}
    for environment in world.environments:
        for name in ("active", "archived", "expired"):
            found["spaces", environment, name] = page.of("spaces", environment).get((name,))
        for name in ("files", "workbooks", "last_created"):
            found[name, environment] = page.one(NAMES.get(name, name), environment)
    return found


def by_activity(world: World) -> list[Space]:
    """Spaces, those that were active least lately first: furthest from the newest of a list."""
    return sorted(world.spaces.values(), key=lambda space: (float(space.last_activity_at or 0), space.id))


def oldest(world: World, number: int = 0, *, archived: bool = False) -> Space:
    """The space that was active least lately, or the one in that place from there."""
    return [space for space in by_activity(world) if (space.archived_at is not None) is archived][number]


def touched(world: World) -> None:
    world.touch_space(oldest(world).id, files=3)


def many_touched(world: World) -> None:
    for number in range(25):
        world.touch_space(oldest(world, number).id, files=1)


def created(world: World) -> None:
    world.add_space(next(iter(world.environments)), "new", announce=False)


def created_without_activity(world: World) -> None:
    world.add_space(next(iter(world.environments)), "new", announce=False).last_activity_at = None


def uploaded_to_without_activity(world: World) -> None:
    space = oldest(world, 3)
    space.files = 99
    world.emit("file:created", space.environment_id, space_id=space.id)


def archived(world: World) -> None:
    world.archive_space(oldest(world, 2).id)


def unarchived(world: World) -> None:
    world.unarchive_space(oldest(world, archived=True).id)


def deleted(world: World) -> None:
    world.delete_space(oldest(world, 1).id)


def several(world: World) -> None:
    for change in (touched, created, archived, unarchived, deleted):
        change(world)


def moved_without_a_trace(world: World) -> None:
    space = oldest(world, 1)
    del world.spaces_of[space.environment_id][space.id]
    space.environment_id = next(env for env in world.environments if env != space.environment_id)
    world.spaces_of[space.environment_id][space.id] = space


def moved(world: World) -> None:
    """To another environment, where somebody works in it."""
    space = oldest(world, 1)
    moved_without_a_trace(world)
    world.touch_space(space.id)


LEAVES_A_TRACE = [
    touched,
    many_touched,
    created,
    created_without_activity,
    archived,
    unarchived,
    deleted,
    several,
    moved,
]
READINGS: dict[str, dict[str, Any]] = {
    "archived also": {},
    "archived only": {"archived": "only"},
    "archived shown in both": {"archived_hidden": False},
    "total stale": {"pagination": "stale"},
    "no page count": {"pagination": "zero"},
    "plain dates": {"plain_dates": True},
}


def traced() -> Iterator[Any]:
    for reading in READINGS:
        for change in LEAVES_A_TRACE:
            # where archived spaces are in both lists, no total tells of one that is archived
            if reading != "archived shown in both" or change not in (archived, unarchived):
                yield pytest.param(reading, change, id=f"{change.__name__}, {reading}")


@pytest.mark.parametrize(("reading", "change"), [*traced()])
async def test_what_leaves_a_trace_is_seen_at_the_next_refresh(
    time: Time, reading: str, change: Callable[[World], None]
) -> None:
    """In a total, or in the order of activity or creation."""
    world = large(time)
    async with Exported(world, time, switches=capped(**READINGS[reading])) as exported:
        assert shown(await exported.scrape(SPACES), world) == truth(world)
        await exported.later(61, SPACES)
        before = truth(world)
        time.pass_(50)
        change(world)
        assert truth(world) != before
        time.pass_(11)
        page = await exported.scrape(SPACES)
        assert shown(page, world) == truth(world)
        assert page.ok("spaces") == 1


def archived_lately_in_silence(world: World) -> None:
    """One of those that were active last."""
    world.archive_space(next(s.id for s in reversed(by_activity(world)) if s.archived_at is None), announce=False)


CHEAP = [touched, many_touched, created]


@pytest.mark.parametrize("change", CHEAP, ids=lambda change: change.__name__)
async def test_a_change_costs_a_few_requests_and_not_the_list(time: Time, change: Callable[[World], None]) -> None:
    world = large(time, 400)
    async with Exported(world, time, switches=capped()) as exported:
        await exported.scrape(SPACES)
        whole = exported.api.count("/spaces")
        assert whole >= 76
        exported.api.clear()
        await exported.later(61, SPACES)
        assert exported.api.count("/spaces") == 2, "nothing has changed"
        change(world)
        exported.api.clear()
        time.pass_(61)
        assert shown(await exported.scrape(SPACES), world) == truth(world)
        assert exported.api.count("/spaces") <= {many_touched: 8}.get(change, 6)


@pytest.mark.parametrize(
    "change",
    [archived, archived_lately_in_silence, unarchived, deleted, several],
    ids=lambda change: change.__name__,
)
async def test_a_change_that_only_a_total_shows_costs_one_reading_of_the_list(
    time: Time, change: Callable[[World], None]
) -> None:
    world = large(time, 400)
    async with Exported(world, time, switches=capped()) as exported:
        await exported.scrape(SPACES)
        whole = exported.api.count("/spaces")
        exported.api.clear()
        change(world)
        for _ in range(5):  # at most one request in three seconds on average
            page = await exported.later(61, SPACES)
        assert shown(page, world) == truth(world)
        assert exported.api.count("/spaces") <= whole + 5 * 6


async def test_the_cost_of_an_hour_hardly_grows_with_the_account(time: Time) -> None:
    spent = []
    for size in (120, 480):
        async with Exported(large(time, size), time, switches=capped()) as exported:
            await exported.scrape(SPACES)
            exported.api.clear()
            for _ in range(60):
                await exported.later(60, SPACES)
            spent.append(exported.api.count("/spaces"))
    assert spent[0] <= 120 + 2 * 14
    assert spent[1] <= 120 + 2 * 50


def expired_without_a_trace(world: World) -> None:
    world.expire_space(oldest(world, 1).id, announce=False)


def one_archived_and_one_unarchived(world: World) -> None:
    """In two environments."""
    now = oldest(world)
    other = next(s for s in by_activity(world) if s.archived_at is not None and s.environment_id != now.environment_id)
    world.archive_space(now.id, announce=False)
    world.unarchive_space(other.id, announce=False)


@pytest.mark.parametrize(
    "change",
    [expired_without_a_trace, uploaded_to_without_activity, moved_without_a_trace, one_archived_and_one_unarchived],
    ids=lambda change: change.__name__,
)
async def test_what_leaves_no_trace_is_seen_within_the_time_for_that(
    time: Time, change: Callable[[World], None]
) -> None:
    world = large(time)
    async with Exported(world, time, "spaces: {full_resync: 20m}", switches=capped()) as exported:
        await exported.scrape(SPACES)
        before = truth(world)
        change(world)
        assert truth(world) != before
        assert shown(await exported.later(61, SPACES), world) == before
        for _ in range(19):
            page = await exported.later(60, SPACES)
        assert shown(page, world) == truth(world)


USELESS: dict[str, dict[str, Any]] = {
    "sort refused": {"space_sort_taken": False},
    "sort ignored": {"sort_ignored": {"/spaces"}},
    "nothing counted": {"pagination": "absent"},
    "no activity at all": {"fields": {"/spaces": {"lastActivityAt": None}}},
}


@pytest.mark.parametrize("reading", USELESS)
async def test_where_the_api_does_not_help_whole_lists_are_read_less_often(time: Time, reading: str) -> None:
    """At most a request in three seconds, on average, and never less often than every five minutes."""
    world = large(time, 120)
    async with Exported(world, time, switches=capped(**USELESS[reading])) as exported:
        page = await exported.scrape(SPACES)
        assert shown(page, world) == truth(world)
        exported.api.clear()
        for _ in range(15):
            await exported.later(60, SPACES)
        assert exported.api.count("/spaces") <= 15 * 20 * 1.2
        for change in (touched, expired_without_a_trace, deleted):
            change(world)
            for _ in range(5):
                page = await exported.later(61, SPACES)
                assert page.ok("spaces") == 1
                assert shown(page, world).keys() == truth(world).keys()
            assert shown(page, world) == truth(world)


async def test_rows_without_activity_may_come_first(time: Time) -> None:
    world = large(time)
    for number in range(5):
        oldest(world, number).last_activity_at = None
    async with Exported(world, time, switches=capped(nulls_first=True)) as exported:
        await exported.scrape(SPACES)
        exported.api.clear()
        for change in (touched, created_without_activity, archived, deleted):
            change(world)
            time.pass_(61)
            assert shown(await exported.scrape(SPACES), world) == truth(world)


@pytest.mark.parametrize("change", [touched, created, archived, deleted])
@pytest.mark.parametrize("seconds", [-7200, -61, 0, 61, 7200])
async def test_the_times_of_the_api_may_be_off(time: Time, seconds: float, change: Callable[[World], None]) -> None:
    """The clock behind the times of spaces may be another than that behind the answers' dates, and ours another still."""
    world = large(time)
    async with Exported(world, time, switches=capped()) as exported:
        for space in world.spaces.values():
            space.created_at += seconds
            space.updated_at += seconds
            space.last_activity_at = float(space.last_activity_at or 0) + seconds
        oldest(world, 20).last_activity_at = time() + seconds - 1
        await exported.scrape(SPACES)
        for number in range(15):  # more than a page, so that it matters how far is read
            space = oldest(world, number)
            space.files, space.last_activity_at = 50 + number, time() + seconds + 20
        change(world)
        time.pass_(61)
        assert shown(await exported.scrape(SPACES), world) == truth(world)


async def test_single_times_in_the_future_do_not_hide_what_comes_now(time: Time) -> None:
    """More has changed than a page holds, and its last row is one that has not."""
    world = large(time)
    rows = [space for space in by_activity(world) if space.archived_at is None]
    rows[-1].last_activity_at, rows[-2].last_activity_at = time() + 999 * DAY, time() + 80
    async with Exported(world, time, switches=capped()) as exported:
        await exported.scrape(SPACES)
        time.pass_(61)
        for number, space in enumerate(rows[:18]):
            space.files, space.last_activity_at = 50 + number, time() + (30 if number < 8 else 10)
        assert shown(await exported.scrape(SPACES), world) == truth(world)


async def test_all_may_have_been_active_at_the_same_time(time: Time) -> None:
    """As where dates are plain: none of the rows is known to be older than the last look, so all are read."""
    world = large(time)
    for space in world.spaces.values():
        space.last_activity_at = "2025-11-20"
    async with Exported(world, time, switches=capped()) as exported:
        await exported.scrape(SPACES)
        world.spaces[[*world.spaces][31]].files = 77
        for _ in range(6):
            page = await exported.later(61, SPACES)
        assert shown(page, world) == truth(world)


async def test_each_environment_has_a_list_of_its_own_where_the_account_has_none(time: Time) -> None:
    world = large(time, 120)
    async with Exported(world, time, switches=capped()) as exported:
        exported.api.faults.rules.append(OfTheWholeAccount("/spaces", Status(403)))
        await exported.scrape(SPACES)
        await exported.later(61, SPACES)
        for change in (*LEAVES_A_TRACE, moved):
            exported.api.clear()
            change(world)
            time.pass_(180)  # past the pause after a whole list
            page = await exported.scrape(SPACES)
            assert shown(page, world) == truth(world), change
            assert all("environmentId" in query for query in exported.asked("/spaces"))


async def test_an_environment_is_deleted_with_its_many_spaces(time: Time) -> None:
    world = large(time, 120)
    gone, other = world.environments
    async with Exported(world, time, switches=capped()) as exported:
        await exported.scrape(SPACES)
        world.delete_environment(gone)
        page = await exported.later(61)
        assert shown(page, world) == truth(world)
        assert {labels[0] for labels in page["spaces"]} == {other}


async def test_a_large_environment_that_gets_hidden_is_not_said_to_be_empty(time: Time) -> None:
    world = large(time, 120)
    hidden, other = world.environments
    async with Exported(world, time, switches=capped()) as exported:
        before = (await exported.scrape(SPACES)).of("spaces", hidden)
        exported.api.switches.forbidden.add(("/spaces", hidden))
        page = await exported.later(301, SPACES)
        assert page.of("spaces", hidden) == before
        assert page.ok("spaces") == 0
        page = await exported.later(601, SPACES)
        assert page.of("spaces", hidden) == {}
        assert sum(page.of("spaces", other).values()) == 60


async def test_an_environment_that_gets_hidden_while_only_what_changed_is_read_is_not_said_to_be_empty(
    time: Time,
) -> None:
    """All of its spaces are among the newest rows, so these alone would tell that they are gone."""
    world = World(time)
    hidden, other = (world.add_environment(name, announce=False).id for name in ("one", "two"))
    for environment in (hidden, other):
        for number in range(3):
            world.add_space(environment, f"Space {number}", at=time() - 1000 - number, announce=False)
    async with Exported(world, time, switches=Switches(page_clamp={"*": 2}, archived="only")) as exported:
        before = (await exported.scrape(SPACES)).of("spaces", hidden)
        exported.api.switches.forbidden.add(("/spaces", hidden))
        page = await exported.later(61, SPACES)
        assert page.of("spaces", hidden) == before
        assert page.ok("spaces") == 0
        assert sum(page.of("spaces", other).values()) == 3


@pytest.mark.parametrize("status", [400, 500])
async def test_a_failure_changes_no_value_and_what_changed_meanwhile_is_seen_after_it(time: Time, status: int) -> None:
    world = large(time)
    async with Exported(world, time, switches=capped()) as exported:
        await exported.scrape(SPACES)
        before = truth(world)
        fault = exported.api.faults.add("/spaces", Status(status))
        several(world)
        time.pass_(61)
        page = await exported.scrape(SPACES)
        assert (shown(page, world), page.ok("spaces")) == (before, 0)
        exported.api.faults.remove(fault)
        page = await exported.later(301, SPACES)
        assert (shown(page, world), page.ok("spaces")) == (truth(world), 1)
