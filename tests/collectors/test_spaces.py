"""Spaces: states, idleness, sums, and what is said where the API says too little."""

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from exporter.collectors.spaces import COLUMNS, COUNT, COUNT_INACTIVE, values
from exporter.demo.rows import Row
from exporter.demo.world import World
from exporter.flatfile.models import Space
from tests.collectors.exported import ONE_BY_ONE, Asking, Exported, OfTheWholeAccount, Time
from tests.collectors.tables import database
from tests.simulator.faults import Deformed, Status
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import fixed_world, sized_world

DAY = 86400.0
NOW = 1763628900.0  # 2025-11-20T08:55:00Z
PROD, SECOND, ODD = "us_env_9f2kQw1d", "us_env_2ndProd0", "us_env_7hT3bLx0"
STATES = ("active", "archived", "expired")


def row(**known: object) -> Space:
    return Space(id="us_sp_1", **known)  # type: ignore[arg-type]


def counted(rows: Sequence[Space], now: float, idle: Sequence[float]) -> SimpleNamespace:
    db = database()
    marks = ", ".join("?" * (len(COLUMNS) + 2))
    for number, space in enumerate(rows):
        db.execute(f"INSERT INTO space VALUES ({marks})", (number, 1, *values(space, "us_env_1")[1:]))
    found = db.execute(COUNT).fetchone() or ("us_env_1", 0, 0, 0, 0, 0, None, None, 0)
    inactive = tuple(
        dict(db.execute(COUNT_INACTIVE, (now - seconds,)).fetchall()).get("us_env_1", 0) for seconds in idle
    )
    names = ("active", "archived", "expired", "files", "workbooks", "last_created", "last_activity")
    return SimpleNamespace(inactive=None if found[8] else inactive, **dict(zip(names, found[1:8], strict=True)))


@pytest.mark.parametrize(
    ("space", "state"),
    [
        (row(), "active"),
        (row(archived_at="2025-01-01"), "archived"),
        (row(expired_at="2025-01-01T00:00:00Z"), "expired"),
        (row(archived_at="2025-01-01", expired_at="2025-01-02"), "archived"),
        (row(archived_at="", expired_at=""), "active"),
        (row(archived_at="at some time"), "archived"),
    ],
)
def test_each_space_is_in_one_state(space: Space, state: str) -> None:
    counts = counted([space], NOW, ())
    assert {name: getattr(counts, name) for name in STATES} == {name: int(name == state) for name in STATES}


@pytest.mark.parametrize(
    ("space", "idle"),
    [
        (row(last_activity_at="2025-10-21T08:55:00Z"), 1),  # 30 days to the second
        (row(last_activity_at="2025-10-21T08:55:01Z"), 0),
        (row(last_activity_at="2025-10-21"), 1),
        (row(last_activity_at="2025-10-22"), 0),
        (row(last_activity_at="2025-01-01", updated_at="2025-11-20"), 1),
        (row(last_activity_at="soon", updated_at="2025-01-01", created_at="2025-11-20"), 1),
        (row(updated_at=None, created_at="2025-01-01"), 1),
        (row(last_activity_at="2025-01-01", archived_at="2025-01-01"), 0),
        (row(last_activity_at="2025-01-01", expired_at="2025-01-01"), 0),
        (row(last_activity_at="2030-01-01"), 0),
    ],
)
def test_idle_is_told_by_the_last_activity_else_the_update_else_the_creation(space: Space, idle: int) -> None:
    assert counted([space], NOW, (30 * DAY,)).inactive == (idle,)


def test_how_many_are_idle_is_not_known_where_a_space_has_no_time_at_all() -> None:
    assert counted([row(), row(created_at="2025-01-01")], NOW, (DAY,)).inactive is None
    assert counted([row(archived_at="2025-01-01")], NOW, (DAY,)).inactive == (0,)


def test_a_sum_that_lacks_a_share_is_not_known() -> None:
    whole = counted([row(files_count=2, workbooks_count=0), row(files_count=3, workbooks_count=1)], NOW, ())
    assert (whole.files, whole.workbooks) == (5, 1)
    part = counted([row(files_count=2, workbooks_count=0), row(workbooks_count=1)], NOW, ())
    assert (part.files, part.workbooks) == (None, 1)
    none = counted([], NOW, (DAY,))
    assert (none.files, none.workbooks, none.inactive) == (0, 0, (0,))
    assert (none.last_created, none.last_activity) == (None, None)


def test_the_newest_times_leave_out_what_is_no_time() -> None:
    counts = counted(
        [
            row(created_at="2001-01-02", last_activity_at="2001-01-03"),
            row(created_at="2001-01-01T00:00:05.5+00:00", last_activity_at=""),
            row(created_at="1970-01-01", last_activity_at="0001-01-01T00:00:00Z"),
            row(created_at="tomorrow", last_activity_at="2025-13-45"),
        ],
        NOW,
        (),
    )
    assert (counts.last_created, counts.last_activity) == (978393600.0, 978480000.0)


async def test_an_environment_without_spaces_has_every_count_at_0_and_no_newest_space(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape()
        assert page.of("spaces", SECOND) == {("active",): 0, ("archived",): 0, ("expired",): 0}
        assert page.of("spaces_inactive", SECOND) == {("30d",): 0, ("90d",): 0}
        assert (page.one("files", SECOND), page.one("workbooks", SECOND)) == (0, 0)
        assert page.one("environment_last_space_created_timestamp_seconds", SECOND) is None
        assert page.one("environment_last_activity_timestamp_seconds", SECOND) is None


async def test_a_count_that_is_null_leaves_its_sum_out_and_touches_no_other_environment(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape()
        assert (page.one("files", ODD), page.one("workbooks", ODD)) == (None, None)
        assert (page.one("files", PROD), page.one("workbooks", PROD)) == (22, 4)


async def test_bad_dates_of_one_row_lose_no_row(time: Time) -> None:
    bad = {"lastActivityAt": "yesterday", "updatedAt": ABSENT, "createdAt": None}
    switches = Switches(fields={"/spaces": bad}, fields_in_row=0)
    async with Exported(sized_world(time, environments=1, spaces=9), time, switches=switches) as exported:
        page = await exported.scrape()
        (environment,) = exported.world.environments
        assert sum(page.of("spaces", environment).values()) == 9
        assert page.of("spaces_inactive", environment) == {}  # the row might be idle or not
        assert page.one("environment_last_activity_timestamp_seconds", environment) is not None


async def test_idle_times_are_named_in_their_largest_units(time: Time) -> None:
    async with Exported(fixed_world(time), time, "spaces: {inactive_after: [36h, 2w]}") as exported:
        page = await exported.scrape()
        assert page.of("spaces_inactive", PROD).keys() == {("1d12h",), ("14d",)}


async def test_the_account_is_listed_at_once_however_many_environments_it_has(time: Time) -> None:
    async with Exported(sized_world(time, environments=20, spaces=40), time) as exported:
        await exported.scrape({"spaces"})
        assert exported.api.count("/spaces") == 2
        assert not exported.asked("/spaces", environmentId=next(iter(exported.world.environments)))


@pytest.mark.parametrize("status", [400, 403, 404, 422])
async def test_where_the_whole_account_is_refused_each_environment_is_asked_and_that_is_remembered(
    time: Time, status: int
) -> None:
    world = sized_world(time, environments=3, spaces=20)
    async with Exported(world, time) as whole:
        expected = (await whole.scrape())["spaces"]
        assert expected
    async with Exported(world, time) as exported:
        exported.api.faults.rules.append(OfTheWholeAccount("/spaces", Status(status)))
        assert (await exported.scrape({"spaces"}))["spaces"] == expected
        await exported.later(61, {"spaces"})
        exported.api.clear()
        await exported.later(61, {"spaces"})
        assert exported.api.count("/spaces") == 6, "two refusals in a row"
        assert len([query for query in exported.asked("/spaces") if "environmentId" in query]) == 6
        exported.api.faults.clear()
        await exported.later(3600, {"spaces"})
        exported.api.clear()
        assert (await exported.later(61, {"spaces"}))["spaces"] == expected
        assert exported.api.count("/spaces") == 2, "tried again within the hour"


@pytest.mark.parametrize("where", ["/spaces", "*"])
async def test_an_environment_that_is_hidden_from_the_account_s_list_is_not_said_to_be_empty(
    time: Time, where: str
) -> None:
    world = sized_world(time, environments=3, spaces=9, guests=9)
    hidden, *others = world.environments
    async with Exported(world, time) as exported:
        exported.api.switches.forbidden.add((where, hidden))
        page = await exported.scrape()
        assert page.of("spaces", hidden) == {}
        assert page.one("files", hidden) is None
        assert all(sum(page.of("spaces", other).values()) == 3 for other in others)
        assert page.ok("spaces") == 0
        assert page.errors()["spaces", "forbidden"] == 1


async def test_an_environment_that_gets_hidden_keeps_its_counts_until_they_are_too_old(time: Time) -> None:
    world = sized_world(time, environments=2, spaces=4)
    hidden, other = world.environments
    async with Exported(world, time) as exported:
        before = (await exported.scrape()).of("spaces", hidden)
        exported.api.switches.forbidden.add(("/spaces", hidden))
        assert (await exported.later(61)).of("spaces", hidden) == before
        page = await exported.later(840)
        assert page.of("spaces", hidden) == {}
        assert sum(page.of("spaces", other).values()) == 2


async def test_an_empty_environment_is_asked_by_itself_now_and_then(time: Time) -> None:
    """An account-wide list that is silent about an environment does not tell whether it is empty or hidden."""
    world = World(time)
    empty = world.add_environment("empty", announce=False).id
    async with Exported(world, time) as exported:
        for _ in range(10):
            page = await exported.later(61)
            assert sum(page.of("spaces", empty).values()) == 0
            assert page.ok("spaces") == 1
        assert len(exported.asked("/spaces", environmentId=empty, archived="true")) == 2
        exported.api.switches.forbidden.add(("/spaces", empty))
        for _ in range(21):
            page = await exported.later(61)
        assert page.of("spaces", empty) == {}


async def test_an_empty_environment_is_as_new_as_the_last_answer_when_the_account_s_list_is_given_up(
    time: Time,
) -> None:
    world = World(time)
    empty = world.add_environment("empty", announce=False).id
    async with Exported(world, time) as exported:
        await exported.scrape()
        exported.api.faults.rules.append(OfTheWholeAccount("/spaces", Status(400)))
        await exported.later(61)
        page = await exported.later(901)
        assert sum(page.of("spaces", empty).values()) == 0
        assert page.of("spaces", empty)


async def test_one_environment_s_failure_touches_that_environment_alone(time: Time) -> None:
    world = sized_world(time, environments=3, spaces=9)
    broken, *others = world.environments
    switches = Switches(fields={"/spaces": {"environmentId": ABSENT}})  # so each environment is asked by itself
    async with Exported(world, time, switches=switches) as exported:
        exported.api.faults.add("/spaces", Status(500), environment=broken)
        page = await exported.scrape()
        assert page.of("spaces", broken) == {}
        assert all(sum(page.of("spaces", other).values()) == 3 for other in others)
        assert (page.ok("spaces"), page.errors()["spaces", "server_error"]) == (0, 1)


async def test_a_deleted_environment_is_gone_at_the_next_refresh_and_is_no_failure(time: Time) -> None:
    world = sized_world(time, environments=3, spaces=9)
    gone, *others = world.environments
    switches = Switches(fields={"/spaces": {"environmentId": ABSENT}})
    async with Exported(world, time, switches=switches) as exported:
        await exported.scrape()
        world.delete_environment(gone)
        time.pass_(61)
        page = await exported.scrape({"spaces"})
        assert {labels[0] for labels in page["spaces"]} == set(others)
        assert page.ok("spaces") == 1


async def test_spaces_of_passed_over_environments_are_not_counted(time: Time) -> None:
    async with Exported(fixed_world(time), time, "environments: {exclude: [production]}") as exported:
        page = await exported.scrape()
        assert {labels[0] for labels in page["spaces"]} == {ODD}


async def test_a_new_environment_shows_and_a_renamed_one_changes_its_name(time: Time) -> None:
    world = sized_world(time, environments=1, spaces=2)
    (first,) = world.environments
    async with Exported(world, time) as exported:
        await exported.scrape()
        world.environments[first].name = "renamed"
        second = world.add_environment("renamed").id
        page = await exported.later(301)
        for name in ("spaces", "files", "agents", "guests", "events_total"):
            assert {labels[:2] for labels in page[name]} == {(first, "renamed"), (second, "renamed")}, name


class Older(Deformed):
    """The rows as they were before: archived, and changed last at some time long ago."""

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        before = {"updatedAt": "2020-01-01T00:00:00.000Z", "archivedAt": "2020-01-01T00:00:00.000Z"}
        return {**body, "data": [{**row, **before} for row in body["data"]]}


async def test_of_a_space_in_both_lists_the_row_that_changed_last_counts(time: Time) -> None:
    world = sized_world(time, environments=1, spaces=3)
    (environment,) = world.environments
    async with Exported(world, time, more=ONE_BY_ONE) as exported:
        exported.api.faults.rules.append(Asking(exported.api, "/spaces", Older(), "archived=true"))
        page = await exported.scrape()
        assert page.of("spaces", environment) == {("active",): 3, ("archived",): 0, ("expired",): 0}


async def test_the_states_change_with_the_spaces(time: Time) -> None:
    world = sized_world(time, environments=1, spaces=3)
    (environment,) = world.environments
    one, two, _ = world.spaces
    async with Exported(world, time) as exported:
        world.archive_space(one)
        world.expire_space(two)
        assert (await exported.scrape()).of("spaces", environment) == {
            ("active",): 1,
            ("archived",): 1,
            ("expired",): 1,
        }
        world.unarchive_space(one)
        world.delete_space(two)
        page = await exported.later(61)
        assert page.of("spaces", environment) == {("active",): 2, ("archived",): 0, ("expired",): 0}
