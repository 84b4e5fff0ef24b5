"""Every open reading of the API gives the same values: one account, asked under each of them."""

from collections.abc import Callable

import pytest
import pytest_asyncio

from exporter.demo.world import World
from tests.collectors.exported import Exported, Samples, Time
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import fixed_world, sized_world

Make = Callable[[Time], World]
Pages = tuple[dict[str, Samples], ...]
ALL_PATHS = {"/environments", "/spaces", "/agents", "/users", "/guests"}

READINGS: dict[str, Callable[[], Switches]] = {
    "archived=true gives only archived spaces": lambda: Switches(archived="only"),
    "archived spaces are always listed": lambda: Switches(archived_hidden=False),
    "archived=true does nothing, archived spaces are always listed": lambda: Switches(
        archived="ignored", archived_hidden=False
    ),
    "spaces cannot be sorted": lambda: Switches(space_sort_taken=False),
    "environmentId filters no spaces": lambda: Switches(environment_ignored={"/spaces", "/events"}),
    "spaces do not name their environment": lambda: Switches(fields={"/spaces": {"environmentId": ABSENT}}),
    "pages are cut short in silence": lambda: Switches(page_clamp={"*": 3}),
    "large pages are refused": lambda: Switches(page_limit={"*": 10}),
    "pages are cut short and not numbered": lambda: Switches(unpaged=ALL_PATHS | {"/events"}),
    "lists are not paged": lambda: Switches(unpaged=ALL_PATHS),
    "the page number is ignored": lambda: Switches(page_number_ignored={"*"}),
    "pages are numbered from 0": lambda: Switches(first_page=0, page_clamp={"*": 7}),
    "no pagination in any answer": lambda: Switches(pagination="absent", page_clamp={"*": 7}),
    "totals are stale": lambda: Switches(pagination="stale"),
    "pageCount is 0": lambda: Switches(pagination="zero", page_clamp={"*": 7}),
    "events have pagination": lambda: Switches(events_pagination=True, page_clamp={"*": 7}),
    "system agents only where asked for": lambda: Switches(system_agents_listed=False),
    "isSystem is ignored": lambda: Switches(is_system_honoured=False),
    "agents do not name their environment": lambda: Switches(fields={"/agents": {"environmentId": None}}),
    "guests of the whole account": lambda: Switches(guests_without_space="all"),
    "no guests without a space": lambda: Switches(guests_without_space="empty"),
    "a guest names the space asked for only": lambda: Switches(guest_spaces="asked"),
    "oldest events first": lambda: Switches(event_order="asc", page_clamp={"*": 7}),
    "events in no order": lambda: Switches(event_order="shuffled", page_clamp={"*": 7}),
    "since leaves its own moment out": lambda: Switches(since="exclusive"),
    "since means the day": lambda: Switches(since="day"),
    "since is ignored": lambda: Switches(since="ignored", page_clamp={"*": 50}),
    "since is ignored, in no order": lambda: Switches(since="ignored", event_order="shuffled", page_clamp={"*": 50}),
    "acknowledged events are listed by default": lambda: Switches(acknowledged_hidden=False),
    "ids of another region": lambda: Switches(region="eu"),
    "large pages are refused with 422": lambda: Switches(page_limit={"*": 10}, page_limit_status=422),
    "a page past the end is not found": lambda: Switches(page_clamp={"*": 7}, pagination="absent", past_the_end=404),
    "a page past the end is refused": lambda: Switches(page_limit={"*": 100}, pagination="absent", past_the_end=400),
    "users and agents take no paging parameters": lambda: Switches(
        paging_refused={"/users", "/agents"}, unpaged=ALL_PATHS - {"/environments", "/spaces"}
    ),
    "guests come in pages": lambda: Switches(guests_without_space="all", unpaged=set(), default_size={"/guests": 3}),
    "guests of a space come in pages": lambda: Switches(unpaged=set(), default_size={"/guests": 2}),
    "the wrong path prefix is not allowed": lambda: Switches(prefix="/api/v1", other_prefix="method"),
    "the wrong path prefix redirects": lambda: Switches(prefix="/api/v1", other_prefix="moved"),
    "the wrong path prefix is a forbidden page": lambda: Switches(prefix="/api/v1", other_prefix="forbidden"),
    "account-wide lists fail": lambda: Switches(account_wide_refusal={"/events": 500, "/guests": 500}),
    "the other path prefix": lambda: Switches(prefix="/api/v1", other_prefix="html"),
}


def fixed(time: Time) -> World:
    world = fixed_world(time)
    world.emit("records:created", "us_env_9f2kQw1d", at=time() - 20)  # an agent's run acknowledges this one
    world.emit("records:created", "us_env_9f2kQw1d", at=time() - 25)  # so that no list has exactly ten rows
    return world


def sized(time: Time) -> World:
    return sized_world(time, environments=3, spaces=40, guests=60, users=30, agents=12, events=300)


async def two_scrapes(make: Make, switches: Switches) -> Pages:
    """The page at first, and after something has happened."""
    time = Time()
    world = make(time)
    base = switches.prefix
    switches.prefix = "/v1"  # the address that is configured; where the API really is, is to be found out
    async with Exported(world, time, switches=switches) as exported:
        switches.prefix = base
        first = (await exported.scrape()).data()
        time.pass_(301)
        some_space = next(iter(world.spaces))
        guest = world.add_guest(some_space, at=time() - 50)
        world.emit("job:failed", guest.environment_id, actor_id=guest.id, at=time() - 40)
        world.emit("job:failed", guest.environment_id, at=time() - 40, space_id=some_space)
        await exported.scrape()  # events may be read after guests were asked: these learn of a change the next time
        return first, (await exported.later(301)).data()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def expected() -> dict[Make, Pages]:
    """The pages of each account under the reading that the exporter assumes."""
    return {make: await two_scrapes(make, Switches()) for make in (fixed, sized)}


@pytest.mark.parametrize("make", [fixed, sized])
@pytest.mark.parametrize("reading", READINGS)
async def test_the_reading_makes_no_difference(make: Make, reading: str, expected: dict[Make, Pages]) -> None:
    switches = READINGS[reading]()
    region = switches.region
    found = await two_scrapes(make, switches)
    for which, (page, other) in enumerate(zip(expected[make], found, strict=True)):
        for name in page.keys() | other.keys():
            ours = {
                tuple(v.replace(f"{region}_", "us_") for v in labels): value
                for labels, value in other.get(name, {}).items()
            }
            assert ours == page.get(name, {}), (reading, which, name)


@pytest.mark.parametrize("make", [fixed, sized])
async def test_events_without_a_context_are_counted_by_environment(make: Make, expected: dict[Make, Pages]) -> None:
    found = await two_scrapes(make, Switches(fields={"/events": {"context": None}}))
    for page, other in zip(expected[make], found, strict=True):
        for name in ("flatfile_events_total", "flatfile_events_per_second", "flatfile_event_last_timestamp_seconds"):
            assert other[name] == page[name]


async def test_guests_that_name_no_space_are_counted_but_not_said_to_be_inactive(
    expected: dict[Make, Pages],
) -> None:
    found = await two_scrapes(fixed, Switches(guest_spaces="empty"))
    for page, other in zip(expected[fixed], found, strict=True):
        for name in ("flatfile_guests", "flatfile_guest_memberships"):
            assert other[name] == page[name]
        active = page["flatfile_guests_active"]
        guests = page["flatfile_guests"]
        assert other["flatfile_guests_active"] == {
            labels: value for labels, value in active.items() if guests[labels[:2]] == 0
        }


async def test_plain_dates_change_the_last_activity_to_its_midnight(time: Time) -> None:
    async with Exported(fixed(time), time, switches=Switches(plain_dates=True)) as exported:
        page = await exported.scrape()
        midnight = time() // 86400 * 86400
        assert page.one("environment_last_activity_timestamp_seconds", "us_env_9f2kQw1d") == midnight
        assert page.of("spaces_inactive", "us_env_9f2kQw1d") == {("30d",): 1, ("90d",): 0}
