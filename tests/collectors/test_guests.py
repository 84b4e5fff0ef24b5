"""Guests: the same numbers whichever way the API gives them, and as few questions as that takes."""

import asyncio

import pytest

from exporter.collectors import REGISTRY
from exporter.demo.world import World
from tests.collectors.exported import FAST, ONE_BY_ONE, Asking, Exported, Scraped, Time, settled
from tests.simulator.faults import Hang, Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world, sized_world

PROD, SECOND, ODD = "us_env_9f2kQw1d", "us_env_2ndProd0", "us_env_7hT3bLx0"


def of_spaces(exported: Exported) -> list[str]:
    """The spaces that were asked for their guests."""
    return [query["spaceId"] for query in exported.asked("/guests") if "spaceId" in query]


def some_guests(time: Time) -> World:
    """Three environments of ten spaces each; the last one has no guest."""
    world = sized_world(time, environments=3, spaces=30, guests=0)
    spaces = [space.id for space in world.spaces.values()]
    for number in range(63):
        space = spaces[number % 30]
        if number % 3 < 2:
            made = world.add_guest(space, last_accessed=time() - number * 3600, announce=False)
            other = spaces[(number + 3) % 30]
            if number % 4 == 0:
                world.admit_guest(made.id, other, announce=False)
    return world


@pytest.mark.parametrize("without_space", ["refused", "all", "empty"])
@pytest.mark.parametrize("spaces", ["all", "asked", "empty"])
async def test_the_numbers_are_those_of_the_world_under_every_reading(
    time: Time, without_space: str, spaces: str
) -> None:
    switches = Switches(guests_without_space=without_space, guest_spaces=spaces)  # type: ignore[arg-type]
    world = some_guests(time)
    async with Exported(world, time, switches=switches) as exported:
        page = await exported.scrape()
        for environment in world.environments:
            assert page.one("guests", environment) == len(world.guests_of[environment])
            memberships = sum(len(guest.spaces) for guest in world.guests_of[environment].values())
            assert page.one("guest_memberships", environment) == memberships
            if spaces != "empty" or without_space == "all":
                assert page.of("guests_active", environment).keys() == {("1d",), ("7d",), ("30d",)}
        assert page.ok("guests") == 1
        assert exported.complete


async def test_account_wide_costs_one_request_and_one_for_each_silent_environment_now_and_then(time: Time) -> None:
    async with Exported(some_guests(time), time, switches=Switches(guests_without_space="all")) as exported:
        await exported.scrape()
        assert exported.api.count("/guests") == 3, "one more space in turn is compared with the list"
        for _ in range(4):
            await exported.later(301)
        assert exported.api.count("/guests") == 15


async def test_an_environment_hidden_from_the_account_s_guests_is_not_known(time: Time) -> None:
    world = some_guests(time)
    hidden, other, empty = world.environments
    switches = Switches(guests_without_space="all", forbidden={("/guests", hidden)})
    async with Exported(world, time, switches=switches) as exported:
        page = await exported.scrape()
        assert page.one("guests", hidden) is None
        assert page.one("guests", other) == len(world.guests_of[other])
        assert page.one("guests", empty) == 0
        assert page.errors() == {("guests", "forbidden"): 1}


async def test_guests_of_an_environment_whose_spaces_are_not_known_are_not_said_to_be_none(time: Time) -> None:
    world = some_guests(time)
    _, _, empty = world.environments
    switches = Switches(guests_without_space="all", forbidden={("/spaces", empty)})
    async with Exported(world, time, switches=switches) as exported:
        page = await exported.scrape()
        assert page.one("guests", empty) is None
        assert page.ok("guests") == 1


async def test_one_refusal_after_it_worked_is_a_failure_and_two_change_the_way(time: Time) -> None:
    world = some_guests(time)
    async with Exported(world, time, switches=Switches(guests_without_space="all")) as exported:
        before = (await exported.scrape())["guests"]
        exported.api.switches.guests_without_space = "refused"
        page = await exported.later(301)
        assert (page["guests"], page.ok("guests")) == (before, 0)
        page = await exported.scrape()
        assert (page["guests"], page.ok("guests")) == (before, 1)
        assert len(exported.asked("/guests")) > 30


async def test_a_list_that_leaves_an_environment_out_though_it_has_guests_is_not_believed(time: Time) -> None:
    world = some_guests(time)
    rows: Switches = Switches(guests_without_space="all", fields={"/guests": {"environmentId": None}})
    async with Exported(world, time, switches=rows) as exported:
        page = await exported.scrape()
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in world.environments)


class WithoutOne:
    """A world whose account-wide guests lack those of one environment."""

    def __init__(self, world: World, hidden: str) -> None:
        self._world = world
        self._hidden = hidden

    def __getattr__(self, name: str) -> object:
        return getattr(self._world, name)

    @property
    def guests(self) -> dict[str, object]:
        return {id_: each for id_, each in self._world.guests.items() if each.environment_id != self._hidden}


async def test_guests_that_the_account_s_list_lacks_are_asked_for_by_space(time: Time) -> None:
    world = some_guests(time)
    one, two, _ = world.environments
    async with Exported(world, time, switches=Switches(guests_without_space="all")) as exported:
        exported.api.world = WithoutOne(world, one)  # type: ignore[assignment]
        for _ in range(3):
            page = await exported.scrape()
            assert page.ok("guests") == 1
            assert all(page.one("guests", env) == len(world.guests_of[env]) for env in (one, two))
            time.pass_(301)


async def test_the_numbers_appear_when_the_first_pass_is_whole_and_it_goes_on_where_it_was(time: Time) -> None:
    world = some_guests(time)
    async with Exported(world, time, more=ONE_BY_ONE) as exported:
        refused = {space for i, space in enumerate(world.spaces) if i >= 15}
        rule = Asking(exported.api, "/guests", Status(500), *(f"spaceId={space}" for space in refused))
        exported.api.faults.rules.append(rule)
        page = await exported.scrape()
        assert not page["guests"]
        assert (page.ok("guests"), page.errors().keys()) == (0, {("guests", "server_error")})
        answered = {query["spaceId"] for query in exported.asked("/guests") if "spaceId" in query} - refused
        assert answered
        exported.api.faults.clear()
        exported.api.clear()
        page = await exported.scrape()
        asked = of_spaces(exported)
        assert len(asked) == len(set(asked)) == 30 - len(answered)
        assert answered.isdisjoint(asked)
        assert page.ok("guests") == 1
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in world.environments)


async def test_afterwards_only_new_and_changed_spaces_and_a_slow_rotation_are_asked(time: Time) -> None:
    world = some_guests(time)
    one, two, _ = world.environments
    async with Exported(world, time, "guests: {full_resync: 300000s}") as exported:
        await exported.scrape()
        exported.api.clear()
        first, second = list(world.spaces_of[one])[:2]
        world.add_guest(first)
        world.remove_guest(next(iter(world.guests_in[second])), second)
        new = world.add_space(two, "new").id
        world.add_guest(new)
        await exported.later(61, {"events", "spaces"})
        page = await exported.later(240)
        asked = of_spaces(exported)
        assert {first, second, new} <= set(asked)
        assert len(asked) == len(set(asked)) <= 4  # and one whose turn it was
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in world.environments)
        exported.api.clear()
        for _ in range(10):
            await exported.later(301)
        assert len(of_spaces(exported)) == 10


async def test_a_first_reading_that_took_long_is_not_followed_by_another(time: Time) -> None:
    world = some_guests(time)
    async with Exported(world, time, "guests: {full_resync: 6h}", more=ONE_BY_ONE) as exported:
        hanging = Asking(exported.api, "/guests", Hang(), *(f"spaceId={space}" for space in world.spaces))
        exported.api.faults.rules.append(hanging)
        await exported.account.refresh(asyncio.get_running_loop().time() + 3600)
        while not hanging.hits:
            await asyncio.sleep(0.001)
        time.pass_(3 * 3600)
        hanging.released.set()
        await settled(exported.account)
        assert len(of_spaces(exported)) == len(world.spaces)
        await exported.later(600)
        assert len(of_spaces(exported)) <= len(world.spaces) + 2


async def test_within_full_resync_every_space_is_asked_again(time: Time) -> None:
    world = some_guests(time)
    async with Exported(world, time, "guests: {full_resync: 1h}") as exported:
        await exported.scrape()
        for space in world.spaces.values():
            if world.guests_of[space.environment_id]:
                world.add_guest(space.id, announce=False)
        exported.api.clear()
        for _ in range(12):
            page = await exported.later(300)
        assert {*of_spaces(exported)} == set(world.spaces)
        assert len(of_spaces(exported)) <= 40
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in world.environments)


async def test_a_refused_environment_keeps_no_other_from_its_turn_nor_makes_all_due(time: Time) -> None:
    world = some_guests(time)
    refused, *others = world.environments
    async with Exported(world, time, "guests: {full_resync: 30m}", more=ONE_BY_ONE) as exported:
        await exported.scrape()
        theirs = [f"spaceId={space}" for space in world.spaces_of[refused]]
        exported.api.faults.rules.append(Asking(exported.api, "/guests", Status(403), *theirs))
        for _ in range(5):
            exported.api.clear()
            for _ in range(6):
                page = await exported.later(300)
                assert page.ok("guests") == 0
            asked = of_spaces(exported)
            assert {*asked} >= {space for env in others for space in world.spaces_of[env]}
            assert len(asked) <= 30, "a rotation of the others, and one space of the refused environment each time"
        world.add_guest(next(iter(world.spaces_of[refused])), announce=False)
        exported.api.faults.clear()
        for _ in range(6):
            page = await exported.later(300)
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in world.environments)


async def test_a_change_is_not_forgotten_however_long_spaces_are_not_asked(time: Time) -> None:
    world = some_guests(time)
    space = next(iter(world.spaces.values()))
    async with Exported(world, time, "guests: {full_resync: 300000s}") as exported:
        await exported.scrape()
        world.add_guest(space.id)
        for _ in range(12):
            await exported.later(600, {"events"})
            world.emit("file:created", space.environment_id)
        exported.api.clear()
        page = await exported.later(61)
        assert space.id in of_spaces(exported)
        assert len(of_spaces(exported)) <= 2, "what has changed, and the oldest"
        assert page.one("guests", space.environment_id) == len(world.guests_of[space.environment_id])


async def test_a_refused_environment_whose_spaces_are_the_oldest_stops_no_other(time: Time) -> None:
    world = some_guests(time)
    refused, *others = world.environments
    async with Exported(world, time, "guests: {full_resync: 2h}", more=ONE_BY_ONE) as exported:
        await exported.scrape()
        for env in others:
            for space in world.spaces_of[env]:
                world.add_guest(space)
        await exported.later(61, {"events"})
        await exported.later(301)  # theirs alone, but for a few whose turn it is
        theirs = [f"spaceId={space}" for space in world.spaces_of[refused]]
        exported.api.faults.rules.append(Asking(exported.api, "/guests", Status(403), *theirs))
        exported.api.clear()
        for _ in range(26):
            page = await exported.later(300)
        assert {*of_spaces(exported)} >= {space for env in others for space in world.spaces_of[env]}
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in others)


async def test_a_change_while_a_space_is_asked_is_asked_for_again(time: Time) -> None:
    world = some_guests(time)
    space = next(iter(world.spaces))
    environment = world.spaces[space].environment_id
    async with Exported(world, time, "guests: {full_resync: 300000s}") as exported:
        await exported.scrape()
        world.add_guest(space)
        await exported.later(1, {"events"})
        rule = exported.api.faults.add("/guests", Hang(), count=1)
        time.pass_(300)
        scrape = asyncio.ensure_future(exported.scrape({"guests"}))
        while not rule.hits:
            await asyncio.sleep(0.001)
        await exported.account.refresh(
            asyncio.get_running_loop().time() + 60, {"events"}
        )  # the answer is still to come
        world.add_guest(space)
        await exported.account.refresh(asyncio.get_running_loop().time() + 60, {"events"})
        rule.released.set()
        await scrape
        exported.api.clear()
        page = await exported.later(301)
        assert {"spaceId": space} in exported.asked("/guests")
        assert page.one("guests", environment) == len(world.guests_of[environment])


async def test_a_deleted_space_is_no_failure(time: Time) -> None:
    world = some_guests(time)
    settings = "guests: {full_resync: 300s}\ncollectors: {spaces: {interval: 1h}}"  # so that only guests find it gone
    async with Exported(world, time, settings) as exported:
        await exported.scrape()
        gone = next(iter(world.spaces))
        world.delete_space(gone)
        time.pass_(301)
        page = await exported.scrape({"guests"})
        assert {"spaceId": gone} in exported.asked("/guests")
        assert page.ok("guests") == 1
        assert all(page.one("guests", env) == len(world.guests_of[env]) for env in world.environments)


@pytest.mark.parametrize("again", [True, False])
async def test_a_failing_space_stops_no_other_environment(time: Time, again: bool) -> None:
    world = some_guests(time)
    one, two, three = world.environments
    async with Exported(world, time, "guests: {full_resync: 300s}", more=ONE_BY_ONE) as exported:
        if again:
            await exported.scrape()
        space = next(iter(world.spaces_of[one]))
        exported.api.faults.rules.append(Asking(exported.api, "/guests", Status(500), f"spaceId={space}"))
        for _ in range(4):
            page = await exported.later(301)
            assert page.ok("guests") == 0
            assert [page.one("guests", env) for env in (two, three)] == [len(world.guests_of[two]), 0]
        assert page.one("guests", one) is None
        exported.api.faults.clear()
        page = await exported.later(301)
        assert page.one("guests", one) == len(world.guests_of[one])


async def test_a_refused_environment_is_asked_once_and_touches_no_other(time: Time) -> None:
    world = some_guests(time)
    one, two, three = world.environments
    async with Exported(world, time, more=ONE_BY_ONE) as exported:
        exported.api.switches.forbidden.add(("/guests", one))
        page = await exported.scrape()
        assert page["guests"].keys() == {(env, world.environments[env].name) for env in (two, three)}
        assert page.errors() == {("guests", "forbidden"): 1}
        refused = [q for q in exported.asked("/guests") if q.get("spaceId") in world.spaces_of[one]]
        assert len(refused) == 1


async def test_hints_are_outstanding_until_they_are_followed(time: Time) -> None:
    """Numbers that are known to be out of date are not passed off as new when the space cannot be asked."""
    world = some_guests(time)
    one, two, _ = world.environments
    async with Exported(world, time, "guests: {full_resync: 300000s}", more=ONE_BY_ONE) as exported:
        before = (await exported.scrape())["guests"]
        for space in [*list(world.spaces_of[one])[:4], *list(world.spaces_of[two])[:1]]:
            world.add_guest(space)
        await exported.later(1)
        exported.api.faults.add("/guests", Status(500))
        page = await exported.later(301)
        assert page["guests"] == before
        page = await exported.later(600)
        assert page.one("guests", one) is None
        assert page.one("guests", two) is None
        exported.api.faults.clear()
        page = await exported.later(301)
        assert [page.one("guests", env) for env in (one, two)] == [len(world.guests_of[env]) for env in (one, two)]


async def test_numbers_that_changed_while_they_were_counted_are_as_old_as_the_count(time: Time) -> None:
    world = some_guests(time)
    space = next(iter(world.spaces))
    environment = world.spaces[space].environment_id
    async with Exported(world, time) as exported:
        loop = asyncio.get_running_loop()
        await exported.scrape()
        await exported.later(301)
        time.pass_(301)
        rule = exported.api.faults.add("/guests", Hang(), count=1)
        scrape = asyncio.ensure_future(exported.scrape({"guests"}))
        while not rule.hits:
            await asyncio.sleep(0.001)
        time.pass_(100)
        for changed in world.spaces_of[environment]:
            world.add_guest(changed)
        await exported.account.refresh(loop.time() + 60, {"events"})
        rule.released.set()
        await scrape
        time.pass_(800)
        assert (await exported.shown()).one("guests", environment) is not None
        time.pass_(1)
        assert (await exported.shown()).one("guests", environment) is None


async def test_a_long_first_pass_keeps_no_scrape_waiting(time: Time) -> None:
    world = some_guests(time)
    async with Exported(world, time, more=ONE_BY_ONE) as exported:
        hanging = Asking(exported.api, "/guests", Hang(), *(f"spaceId={space}" for space in world.spaces))
        exported.api.faults.rules.append(hanging)
        only = set(REGISTRY) - {"users"}  # one request at a time: none waits behind the one that hangs
        assert await exported.account.refresh(asyncio.get_running_loop().time() + 3600, only)
        (running,) = [status.collector for status in exported.account.status() if status.running]
        assert running == "guests"
        assert not (await exported.shown())["guests"]
        exported.api.faults.remove(hanging)
        await settled(exported.account)
        assert (await exported.shown())["guests"]


async def test_without_spaces_to_build_on_nothing_is_asked(time: Time) -> None:
    async with Exported(some_guests(time), time) as exported:
        exported.api.faults.add("/spaces", Status(500))
        page = await exported.scrape()
        assert exported.api.count("/guests") == 0
        assert (page.ok("guests"), page.ok("spaces")) == (0, 0)
        asked = exported.api.count("/spaces")
        await exported.later(1)
        assert exported.api.count("/spaces") <= 2 * asked  # not once more for the guests


async def test_the_fixed_account_s_guests(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape()
        assert [page.one("guests", env) for env in (PROD, SECOND, ODD)] == [4, 0, 0]
        assert page.one("guest_memberships", PROD) == 5  # Jane is in two spaces
        assert page.of("guests_active", PROD) == {("1d",): 1, ("7d",): 2, ("30d",): 3}


@pytest.mark.parametrize(("environments", "first", "later"), [(1, 2, 2), (10, 2, 2), (130, 2, 2)])
async def test_what_the_account_s_list_costs(time: Time, environments: int, first: int, later: int) -> None:
    """The list, and one space in turn that is compared with it."""
    world = sized_world(time, environments=environments, spaces=3 * environments, guests=3 * environments + 3, agents=0)
    more = f"{FAST}\ncollectors: {{guests: {{interval: 0s}}}}"
    async with Exported(world, time, more=more, switches=Switches(guests_without_space="all")) as exported:
        page = await exported.scrape(["guests"])
        assert exported.api.count("/guests") == first
        exported.api.clear()
        shows_all_guests(page, world)
        shows_all_guests(await exported.later(30, ["guests"]), world)
        assert exported.api.count("/guests") == later


@pytest.mark.parametrize("environments", [1, 10, 130])
async def test_what_the_lists_of_spaces_cost(time: Time, environments: int) -> None:
    """Each space once, after two refusals of the account's list; then those whose turn it is."""
    world = sized_world(time, environments=environments, spaces=3 * environments, guests=3 * environments + 3, agents=0)
    more = f"{FAST}\ncollectors: {{guests: {{interval: 0s}}}}"
    async with Exported(world, time, more=more, switches=Switches(guests_without_space="refused")) as exported:
        page = await exported.scrape(["guests"])
        assert sorted(of_spaces(exported)) == sorted(world.spaces)
        shows_all_guests(page, world)
        exported.api.clear()
        shows_all_guests(await exported.later(30, ["guests"]), world)
        assert len(of_spaces(exported)) <= 1


def shows_all_guests(page: Scraped, world: World) -> None:
    for environment in world.environments:
        assert page.one("guests", environment) == len(world.guests_of[environment])
        memberships = sum(len(guest.spaces) for guest in world.guests_of[environment].values())
        assert page.one("guest_memberships", environment) == memberships
