"""Users: how many, and how many were seen lately."""

import pytest
from msgspec import UNSET

from exporter.collectors.users import TABLE, active, values
from exporter.demo.world import World
from exporter.flatfile.models import User
from tests.collectors.exported import Exported, Time
from tests.collectors.tables import database, insert
from tests.simulator.faults import Status
from tests.simulator.switches import ABSENT, Switches

NOW = 1763628900.0  # 2025-11-20T08:55:00Z
DAY = 86400.0


def counted(users: list[User], now: float) -> list[tuple[str, int]] | None:
    db = database()
    insert(db, TABLE, [values(user, "") for user in users])
    return active(db, now)


@pytest.mark.parametrize(
    ("seen", "windows"),
    [
        ("2025-11-20T08:55:00Z", (1, 1, 1)),
        ("2025-11-19T08:55:01Z", (1, 1, 1)),
        ("2025-11-19T08:55:00Z", (0, 1, 1)),  # a day ago to the second
        ("2025-11-13T08:55:00Z", (0, 0, 1)),
        ("2025-10-21T08:55:00Z", (0, 0, 0)),
        ("2025-11-20", (1, 1, 1)),
        ("2025-11-20T10:30:00+02:00", (1, 1, 1)),
        (None, (0, 0, 0)),
        ("", (0, 0, 0)),
        ("never", (0, 0, 0)),
    ],
)
def test_a_user_is_active_within_the_windows_that_reach_back_to_the_last_time_seen(
    seen: str | None, windows: tuple[int, ...]
) -> None:
    found = counted([User(id="us_usr_1", last_seen_at=seen)], NOW)
    assert found == [*zip(("1d", "7d", "30d"), windows, strict=True)]


def test_who_is_active_is_not_known_where_no_row_has_the_field() -> None:
    assert counted([User(id="a"), User(id="b")], NOW) is None
    assert counted([User(id="a"), User(id="b", last_seen_at=None)], NOW) == [("1d", 0), ("7d", 0), ("30d", 0)]
    assert counted([], NOW) == [("1d", 0), ("7d", 0), ("30d", 0)]
    assert User(id="a").last_seen_at is UNSET


async def test_users_are_counted_over_all_pages(time: Time) -> None:
    world = World(time)
    for day in range(50):
        world.add_user(f"User {day}", seen=time() - day * 86400)
    async with Exported(world, time, switches=Switches(page_clamp={"/users": 7})) as exported:
        page = await exported.scrape()
        assert page["users"] == {(): 50}
        assert page["users_active"] == {("1d",): 1, ("7d",): 7, ("30d",): 30}


async def test_without_last_seen_only_the_number_is_known(time: Time) -> None:
    world = World(time)
    world.add_user("Ada", seen=time())
    async with Exported(world, time, switches=Switches(fields={"/users": {"lastSeenAt": ABSENT}})) as exported:
        page = await exported.scrape()
        assert page["users"] == {(): 1}
        assert not page["users_active"]


async def test_users_do_not_depend_on_environments_and_outlive_a_failure_up_to_their_age(time: Time) -> None:
    world = World(time)
    world.add_user("Ada", seen=time())
    async with Exported(world, time) as exported:
        environments = exported.api.faults.add("/environments", Status(500))
        assert (await exported.scrape())["users"] == {(): 1}
        exported.api.faults.remove(environments)
        exported.api.faults.add("/users", Status(403))
        world.add_user("Bo")
        page = await exported.later(900)
        assert (page["users"], page.ok("users")) == ({(): 1}, 0)
        assert not (await exported.later(1))["users"]


def many(time: Time) -> World:
    """Users enough for some pages of ten."""
    world = World(time)
    for number in range(60):
        world.add_user(f"User {number}", at=time() - (900 - number) * DAY, seen=time() - (1 + number) * DAY / 2)
    return world


def seen(world: World, now: float) -> dict[tuple[str, ...], float]:
    return {
        (f"{days}d",): sum(float(user.last_seen_at or 0) > now - days * DAY for user in world.users.values())
        for days in (1, 7, 30)
    }


async def test_of_many_users_only_what_has_changed_is_read(time: Time) -> None:
    world = many(time)
    async with Exported(world, time, switches=Switches(page_clamp={"/users": 10})) as exported:
        page = await exported.scrape({"users"})
        assert page["users_active"] == seen(world, time())
        ids = [*world.users]
        for change in ("nothing", "seen", "new", "gone", "never seen"):
            exported.api.clear()
            if change == "seen":
                world.users[ids[50]].last_seen_at = time()
            elif change == "new":
                world.add_user("New", seen=time())
            elif change == "gone":
                world.remove_user(ids[55])
            elif change == "never seen":
                world.add_user("New")
            page = await exported.later(301, {"users"})
            assert page["users"] == {(): len(world.users)}, change
            assert page["users_active"] == seen(world, time()), change
            most = {"gone": 9, "never seen": 4, "new": 2}.get(change, 1)
            assert exported.api.count("/users") <= most, change


async def test_an_hour_reads_all_users_once(time: Time) -> None:
    async with Exported(many(time), time, switches=Switches(page_clamp={"/users": 10})) as exported:
        await exported.scrape({"users"})
        exported.api.clear()
        for _ in range(12):
            await exported.later(300, {"users"})
        assert exported.api.count("/users") == 11 + 6


@pytest.mark.parametrize(
    "switches",
    [
        Switches(page_clamp={"/users": 10}, sort_ignored={"/users"}),
        Switches(page_clamp={"/users": 10}, pagination="absent"),
        Switches(page_clamp={"/users": 10}, fields={"/users": {"lastSeenAt": ABSENT}}),
    ],
    ids=["unsorted", "uncounted", "never told when seen"],
)
async def test_where_many_users_are_neither_sorted_nor_counted_all_are_read(time: Time, switches: Switches) -> None:
    world = many(time)
    async with Exported(world, time, switches=switches) as exported:
        await exported.scrape({"users"})
        for number, user in enumerate([*world.users][30:34]):
            world.users[user].last_seen_at = time()
            world.remove_user([*world.users][-1])
            page = await exported.later(301, {"users"})
            assert page["users"] == {(): 59 - number}
            if page["users_active"]:
                assert page["users_active"] == seen(world, time())
        assert bool(page["users_active"]) is ("/users" not in switches.fields)
