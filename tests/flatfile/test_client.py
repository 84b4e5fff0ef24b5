"""Lists read from the simulated API: whole under every reading of its paging, an error wherever they are not, and cheap."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from exporter.core.worker import Worker
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.world import World
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, Forbidden, NotFound, TooLarge, Unauthorized
from exporter.flatfile.forms import REMEMBERED
from exporter.flatfile.models import Account, Agent, Environment, Event, Guest, Space, User
from exporter.flatfile.order import Before
from exporter.flatfile.pages import RowsPage
from exporter.flatfile.times import iso
from exporter.flatfile.transport import Answer
from tests.flatfile.rig import Script, Sent, answer, assert_clean, call, connected, session_of, stored, virtually
from tests.simulator.faults import (
    DuplicateRows,
    EmptyBody,
    EndlessPages,
    Fault,
    HugeBody,
    NoData,
    NotJson,
    NoTotal,
    NullRows,
    RowWithoutId,
    Status,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches

SORT = {"sortField": "createdAt", "sortDirection": "asc"}
SPACES = Listing(Endpoint.SPACES, Space, identity, sort=SORT)
ENVIRONMENTS = Listing(Endpoint.ENVIRONMENTS, Environment, identity)
USERS = Listing(Endpoint.USERS, User, identity)
GUESTS = Listing(Endpoint.GUESTS, Guest, identity, paged=False)
EVENTS = Listing(Endpoint.EVENTS, Event, identity)
AGENTS = Listing(Endpoint.AGENTS, Agent, identity, page_size=20)
ALL = {"archived": "true"}
PER_PAGE = 10


@pytest.fixture
async def client(api: SimulatedServer) -> AsyncIterator[Client]:
    async with connected(api) as made:
        yield made


def queries(api: SimulatedServer) -> list[Mapping[str, str]]:
    return [request.query for request in api.requests]


async def all_spaces(api: SimulatedServer, client: Client) -> list[str]:
    rows = [row.id for row in await client.rows(SPACES, ALL, call())]
    assert len(rows) == len(set(rows))
    assert set(rows) == set(api.world.spaces)
    return rows


# Readings

PAGINGS: dict[str, dict[str, Any]] = {
    "as asked": {},
    "capped": {"page_clamp": {"*": PER_PAGE}},
    "capped at the length": {"page_clamp": {"*": 26}},
    "limited": {"page_limit": {"*": 100}},
    "limited and capped": {"page_limit": {"*": 100}, "page_clamp": {"*": PER_PAGE}},
    "limited with 422": {"page_limit": {"*": 100}, "page_limit_status": 422},
    "limited to the least": {"page_limit": {"*": 10}},
    "an error past the end": {"page_clamp": {"*": PER_PAGE}, "past_the_end": 404},
    "a refusal past the end": {"page_limit": {"*": 15}, "past_the_end": 400},
    "without a sort": {"space_sort_taken": False},
    "without a sort, limited": {"space_sort_taken": False, "page_limit": {"*": 100}},
    "not paged": {"unpaged": {"*"}},
}


@pytest.mark.parametrize("pagination", ["right", "absent", "stale", "zero"])
@pytest.mark.parametrize("first_page", [1, 0])
@pytest.mark.parametrize("paging", PAGINGS)
async def test_every_reading_of_paging(world: World, paging: str, first_page: Any, pagination: Any) -> None:
    switches = Switches(**PAGINGS[paging], first_page=first_page, pagination=pagination)
    async with SimulatedServer(world, switches) as api, connected(api) as client:
        first = await all_spaces(api, client)
        learnt = api.count("/spaces")
        assert sorted(await all_spaces(api, client)) == sorted(first)
        assert api.count("/spaces") - learnt <= learnt, "what was learnt is remembered"
        assert len(await client.rows(ENVIRONMENTS, {}, call())) == 3
        assert len(await client.rows(USERS, {}, call())) == 5
        assert await client.rows(EVENTS, {"since": iso(0), "includeAcknowledged": "true"}, call())


@pytest.mark.parametrize("pagination", ["right", "absent", "stale", "zero"])
async def test_a_server_that_ignores_page_numbers(api: SimulatedServer, client: Client, pagination: Any) -> None:
    """As old ones do for users and agents: all rows at once, again for each page."""
    api.switches.page_number_ignored, api.switches.pagination = {"*"}, pagination
    await all_spaces(api, client)
    assert api.count() <= 4


@pytest.mark.parametrize("pagination", ["right", "stale", "zero"])
async def test_a_server_that_gives_but_one_page(api: SimulatedServer, client: Client, pagination: Any) -> None:
    api.switches.page_number_ignored, api.switches.pagination = {"*"}, pagination
    api.switches.page_clamp = {"*": PER_PAGE}
    with pytest.raises(BadResponse, match="broke off") as caught:
        await client.rows(SPACES, ALL, call())
    assert caught.value.endpoint == "/spaces"


# What only looks whole


@pytest.mark.parametrize("cap", [10, 20, 25])
@pytest.mark.parametrize("listing", [SPACES, EVENTS], ids=lambda listing: listing.endpoint.path)
async def test_a_server_that_gives_but_one_page_and_counts_nothing(
    api: SimulatedServer, client: Client, cap: int, listing: Listing[Any]
) -> None:
    api.switches.page_number_ignored, api.switches.pagination = {"*"}, "absent"
    api.switches.page_clamp = {"*": cap}
    params = ALL if listing is SPACES else {"since": iso(0), "includeAcknowledged": "true"}
    with pytest.raises(BadResponse, match="may be cut off") as caught:
        await client.rows(listing, params, call())
    assert caught.value.endpoint == listing.endpoint.path


async def test_a_page_that_is_as_long_as_asked_for_may_be_cut(api: SimulatedServer, client: Client) -> None:
    api.switches.page_number_ignored, api.switches.pagination = {"*"}, "absent"
    with pytest.raises(BadResponse, match="may be cut off"):
        await client.rows(replace(SPACES, page_size=13), ALL, call())


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("pagination", ["right", "absent"])
async def test_an_error_after_a_page_that_is_not_full_is_the_end(
    api: SimulatedServer, client: Client, status: int, pagination: Any
) -> None:
    api.switches.pagination, api.switches.past_the_end = pagination, status
    await all_spaces(api, client)
    assert len(await client.rows(EVENTS, {"since": iso(0), "includeAcknowledged": "true"}, call())) == 40
    api.switches.page_clamp = {"*": PER_PAGE}
    await all_spaces(api, client)


@pytest.mark.parametrize("status", [400, 404])
async def test_an_error_after_a_full_page_is_an_error(api: SimulatedServer, client: Client, status: int) -> None:
    api.switches.pagination, api.switches.past_the_end = "absent", status
    with pytest.raises(FlatfileError, match=f"status {status}"):
        await client.rows(replace(SPACES, page_size=13), ALL, call())


@pytest.mark.parametrize("status", [400, 404])
async def test_an_error_for_a_page_before_the_end_is_no_end(api: SimulatedServer, client: Client, status: int) -> None:
    api.switches.page_clamp = {"*": PER_PAGE}
    async with failing(api, Status(status), page=2):
        with pytest.raises(BadResponse, match="broke off: 16 rows fewer"):
            await client.rows(SPACES, ALL, call())


@pytest.mark.parametrize("status", [400, 404])
async def test_credentials_that_are_refused_in_between_are_no_end(api: SimulatedServer, status: int) -> None:
    api.switches.page_clamp, api.switches.pagination, api.switches.auth_refusal = {"*": PER_PAGE}, "absent", status
    async with connected(api, credentials=(stored(CLIENT_ID), stored(SECRET))) as client:
        pages = client.pages(SPACES, ALL, call())
        await anext(pages)
        api.set_credentials(CLIENT_ID, "another")
        api.invalidate_tokens()
        with pytest.raises(Unauthorized, match=f"status {status}"):
            await anext(pages)


@pytest.mark.parametrize("listing", [SPACES, USERS])
async def test_a_page_that_is_too_large_whatever_its_size_is_tried_once_an_hour(
    api: SimulatedServer, listing: Listing[Any]
) -> None:
    api.faults.add("*", HugeBody(3_000_000))
    async with connected(api, max_response_bytes=100_000) as client:
        for requests in (10, 1, 1):
            api.clear()
            with pytest.raises(TooLarge, match="100000 bytes"):
                await client.rows(listing, {}, call())
            assert api.count() == requests


@pytest.mark.parametrize("pagination", ["right", "stale", "zero"])
async def test_guests_that_come_in_pages_after_all(api: SimulatedServer, client: Client, pagination: Any) -> None:
    api.switches.guests_without_space, api.switches.unpaged = "all", set()
    api.switches.pagination, api.switches.default_size = pagination, {"/guests": 7}
    for _ in range(2):
        assert len({guest.id for guest in await client.rows(GUESTS, {}, call())}) == 20
    assert [dict(query) for query in queries(api)][:2] == [{}, {"pageSize": "1000", "pageNumber": "1"}]
    assert [query.get("pageSize") for query in queries(api)][-1] == "1000", "remembered"


async def test_guests_in_one_page_only_that_says_nothing_of_the_rest(api: SimulatedServer, client: Client) -> None:
    api.switches.guests_without_space, api.switches.unpaged = "all", set()
    api.switches.page_number_ignored, api.switches.page_clamp = {"/guests"}, {"/guests": 10}
    api.faults.add("/guests", NoTotal())
    with pytest.raises(BadResponse, match="may be cut off"):
        await client.rows(GUESTS, {}, call())


@pytest.mark.parametrize("path", ["/users", "/agents", "/spaces"])
async def test_a_list_that_takes_no_paging_parameters(api: SimulatedServer, client: Client, path: str) -> None:
    api.switches.paging_refused, api.switches.unpaged = {path}, {path}
    environment = next(iter(api.world.environments))
    listing = {"/users": USERS, "/agents": AGENTS, "/spaces": SPACES}[path]
    params = {"/users": {}, "/agents": {"environmentId": environment}, "/spaces": ALL}[path]
    whole = {"/users": 5, "/agents": 3, "/spaces": 26}[path]
    assert len(await client.rows(listing, params, call())) == whole
    for _ in range(2):
        assert len(await client.rows(listing, params, call())) == whole
    api.clear()
    await client.rows(listing, params, call())
    assert [query.get("pageSize") for query in queries(api)] == [None], "remembered"


async def test_a_list_whose_pages_cannot_be_asked_for(api: SimulatedServer, client: Client) -> None:
    api.switches.paging_refused = {"/spaces"}
    with pytest.raises(BadResponse, match="cannot be asked for"):
        await client.rows(SPACES, ALL, call())
    api.switches.pagination = "absent"
    with pytest.raises(BadResponse, match="may be cut off"):
        await client.rows(SPACES, ALL, call())


async def test_pages_that_are_too_large_are_made_smaller(api: SimulatedServer) -> None:
    """As of agents, whose programs come with them: 20, 10, 5, 2, 1."""
    api.switches.source_bytes = 400_000
    where = {"environmentId": next(iter(api.world.environments))}
    async with connected(api, max_response_bytes=900_000) as client:
        for _ in range(2):
            assert len(await client.rows(AGENTS, where, call())) == 3
        assert [query["pageSize"] for query in queries(api)][:5] == ["20", "10", "5", "2", "2"]
        assert {query["pageSize"] for query in queries(api)[5:]} == {"2"}, "remembered"
    async with connected(api, max_response_bytes=300_000) as client:
        with pytest.raises(TooLarge, match="more than 300000 bytes"):
            await client.rows(AGENTS, where, call())


async def test_a_later_page_that_is_too_large_begins_the_list_again(api: SimulatedServer) -> None:
    api.switches.page_clamp = {}
    async with connected(api) as client:
        small = replace(SPACES, page_size=8)
        rule = api.faults.add("/spaces", HugeBody(300_000_000), page=3, count=1)
        pages = [page async for page in client.pages(small, ALL, call())]
        assert rule.hits == 1
        assert [page.restart for page in pages].count(True) == 2
        assert sorted(since_restart(pages)) == sorted(api.world.spaces)


def test_the_usual_form_is_tried_again_within_the_hour() -> None:
    limits = [100]

    def reply(sent: Sent) -> Answer:
        return answer(
            400 if int(sent.params.get("pageSize", 0)) > limits[-1] else 200,
            '{"data":[],"pagination":{"totalCount":0}}',
        )

    async def main() -> None:
        script = Script(reply)
        session = session_of(script)
        session.use_token(stored("pat"))
        client = Client(session, 100)
        await client.rows(USERS, {}, call())
        limits.append(1000)
        await client.rows(USERS, {}, call())
        assert script.sent[-1].params["pageSize"] == "62"
        await asyncio.sleep(REMEMBERED)
        await client.rows(USERS, {}, call())
        assert script.sent[-1].params["pageSize"] == "1000"

    virtually(main())


@pytest.mark.parametrize("pagination", ["right", "zero"])
async def test_three_pages_are_three_requests(api: SimulatedServer, client: Client, pagination: Any) -> None:
    await client.rows(USERS, {}, call())  # a list of one page, which shows how pages are numbered
    api.switches.page_clamp, api.switches.pagination = {"*": PER_PAGE}, pagination
    for _ in range(2):
        api.clear()
        await all_spaces(api, client)
        assert [query["pageNumber"] for query in queries(api)] == ["1", "2", "3"]
        assert {query["pageSize"] for query in queries(api)} == {"1000"}


async def test_one_page_is_one_request_and_without_a_count_two(api: SimulatedServer, client: Client) -> None:
    await all_spaces(api, client)
    assert api.count() == 1
    api.switches.pagination = "absent"
    await all_spaces(api, client)
    assert api.count() == 3


async def test_a_list_that_is_not_paged_is_one_request(api: SimulatedServer, client: Client) -> None:
    api.switches.guests_without_space = "all"
    assert len(await client.rows(GUESTS, {}, call())) == 20
    assert [dict(query) for query in queries(api)] == [{}]


# What the server answers 400 to


async def test_halving_is_remembered(api: SimulatedServer, client: Client) -> None:
    api.switches.page_limit = {"*": 100}
    await all_spaces(api, client)
    api.clear()
    await all_spaces(api, client)
    assert [(query["pageSize"], "sortField" in query) for query in queries(api)] == [("62", True)]


async def test_a_refused_sort_is_remembered(api: SimulatedServer, client: Client) -> None:
    api.switches.space_sort_taken = False
    await all_spaces(api, client)
    assert api.count() == 2
    await all_spaces(api, client)
    assert api.count() == 3
    assert [(query["pageSize"], "sortField" in query) for query in queries(api)] == [
        ("1000", True),
        ("1000", False),
        ("1000", False),
    ]


async def test_halving_of_one_list_is_none_of_another(api: SimulatedServer, client: Client) -> None:
    api.switches.page_limit = {"/spaces": 100}
    await all_spaces(api, client)
    api.clear()
    await client.rows(USERS, {}, call())
    assert [query["pageSize"] for query in queries(api)] == ["1000"]


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("listing", [SPACES, USERS, AGENTS, GUESTS], ids=lambda listing: listing.endpoint.path)
async def test_a_400_that_nothing_cures(
    api: SimulatedServer, client: Client, listing: Listing[Any], status: int
) -> None:
    """It is an error, and nothing is remembered: not the small pages, not that the sort must be left out."""
    where = {"environmentId": next(iter(api.world.environments))} if listing is not GUESTS else {"spaceId": "us_sp_x"}
    rule = api.faults.add(listing.endpoint.path, Status(status))
    for _ in range(3):
        api.clear()
        with pytest.raises(BadResponse) as caught:
            await client.rows(listing, where, call())
        assert caught.value.status == status
    assert api.count() <= 2, "no more tries with smaller pages while that has just been seen not to help"
    api.faults.remove(rule)
    api.clear()
    if listing is not GUESTS:
        await client.rows(listing, where, call())
        assert queries(api)[0].get("pageSize") == str(listing.page_size)
        assert ("sortField" in queries(api)[0]) is (listing is SPACES)


async def test_one_environments_400_does_not_keep_another_from_smaller_pages(
    api: SimulatedServer, client: Client
) -> None:
    bad, good = list(api.world.environments)[:2]
    api.faults.add("/agents", Status(400), environment=bad)
    api.switches.page_limit = {"/agents": 10}
    for _ in range(2):
        with pytest.raises(BadResponse):
            await client.rows(AGENTS, {"environmentId": bad}, call())
    assert len(await client.rows(AGENTS, {"environmentId": good}, call())) == 3


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (404, NotFound), (405, BadResponse)])
async def test_other_refusals_are_asked_once(
    api: SimulatedServer, client: Client, status: int, kind: type[FlatfileError]
) -> None:
    await client.rows(USERS, {}, call())  # the path prefix is known
    api.faults.add("/spaces", Status(status))
    api.clear()
    with pytest.raises(kind) as caught:
        await client.rows(SPACES, {}, call())
    assert api.count() == 1
    assert caught.value.is_request_rejected
    assert_clean(caught.value)


# Page numbers


@pytest.mark.parametrize("pagination", ["right", "absent"])
async def test_numbers_from_zero_are_found_out_once(api: SimulatedServer, client: Client, pagination: Any) -> None:
    api.switches.first_page, api.switches.pagination = 0, pagination
    await all_spaces(api, client)
    api.clear()
    await all_spaces(api, client)
    assert [query["pageNumber"] for query in queries(api)] == (["0"] if pagination == "right" else ["0", "1"])


async def test_zero_is_asked_for_once_at_most(api: SimulatedServer, client: Client) -> None:
    api.switches.pagination = "absent"
    for _ in range(3):
        await all_spaces(api, client)
        await client.rows(USERS, {}, call())
    assert [query["pageNumber"] for query in queries(api)].count("0") == 1


@pytest.mark.parametrize("pagination", ["right", "absent"])
async def test_many_lists_at_once_while_numbers_are_not_known(
    api: SimulatedServer, client: Client, pagination: Any
) -> None:
    api.switches.first_page, api.switches.pagination = 0, pagination
    api.switches.page_clamp = {"*": 3}
    api.switches.latency = {"/spaces": 0.005}
    lists = await asyncio.gather(
        *(client.rows(SPACES, ALL, call()) for _ in range(4)), *(client.rows(USERS, {}, call()) for _ in range(4))
    )
    assert [len({row.id for row in rows}) for rows in lists] == [26] * 4 + [5] * 4


async def test_an_empty_list_of_a_server_that_does_not_count(api: SimulatedServer, client: Client) -> None:
    api.world.users.clear()
    api.switches.pagination = "absent"
    assert await client.rows(USERS, {}, call()) == []


@pytest.mark.parametrize(("status", "known"), [(500, False), (400, True), (404, True)])
def test_whether_a_list_is_whole_is_not_known_while_page_zero_fails(status: int, known: bool) -> None:
    def reply(sent: Sent) -> Answer:
        number = sent.params["pageNumber"]
        return (
            answer(status) if number == "0" else answer(body='{"data":[%s]}' % ('{"id":"a"}' if number == "1" else ""))
        )

    async def main() -> None:
        session = session_of(Script(reply), retries=1)
        session.use_token(stored("pat"))
        client = Client(session, 100)
        if known:
            assert [row.id for row in await client.rows(USERS, {}, call())] == ["a"]
        else:
            with pytest.raises(FlatfileError, match="status 500"):
                await client.rows(USERS, {}, call())

    virtually(main())


def test_a_server_that_takes_zero_for_one() -> None:
    def reply(sent: Sent) -> Answer:
        page = max(1, int(sent.params["pageNumber"]))
        return answer(body='{"data":[%s]}' % (f'{{"id":"{page}"}}' if page < 4 else ""))

    async def main() -> None:
        session = session_of(Script(reply))
        session.use_token(stored("pat"))
        client = Client(session, 100)
        for _ in range(2):
            assert [row.id for row in await client.rows(USERS, {}, call())] == ["1", "2", "3"]

    virtually(main())


# Faults


@asynccontextmanager
async def failing(api: SimulatedServer, fault: Fault, **where: Any) -> AsyncIterator[None]:
    rule = api.faults.add("/spaces", fault, **where)
    yield
    assert rule.hits
    api.faults.remove(rule)


@pytest.mark.parametrize("capped", [False, True])
@pytest.mark.parametrize("by", [-30, -5, -1])
async def test_a_total_that_is_too_small_loses_nothing(
    api: SimulatedServer, client: Client, by: int, capped: bool
) -> None:
    if capped:
        api.switches.page_clamp = {"*": PER_PAGE}
    async with failing(api, WrongTotal(by)):
        await all_spaces(api, client)


@pytest.mark.parametrize("by", [1, 100])
async def test_a_total_that_stays_too_big_is_an_error(api: SimulatedServer, client: Client, by: int) -> None:
    async with failing(api, WrongTotal(by)):
        with pytest.raises(BadResponse, match=f"broke off: {by} rows fewer"):
            await client.rows(SPACES, ALL, call())
    await all_spaces(api, client)
    api.clear()
    await all_spaces(api, client)
    assert queries(api)[0]["pageNumber"] == "1"


async def test_a_total_that_is_too_big_once_is_asked_for_again(api: SimulatedServer, client: Client) -> None:
    async with failing(api, WrongTotal(1), count=2):
        await all_spaces(api, client)


async def test_rows_that_come_twice(api: SimulatedServer, client: Client) -> None:
    api.switches.page_clamp = {"*": PER_PAGE}
    async with failing(api, DuplicateRows()):
        assert len(await all_spaces(api, client)) == 26


@pytest.mark.parametrize("fresh", [True, False])
async def test_pages_without_end(api: SimulatedServer, fresh: bool) -> None:
    async with connected(api, max_pages=7) as client, failing(api, EndlessPages(fresh=fresh)):
        with pytest.raises(
            TooLarge if fresh else BadResponse, match="more than 7 pages" if fresh else "broke off"
        ) as caught:
            await client.rows(SPACES, ALL, call())
        assert caught.value.endpoint == "/spaces"
        assert api.count() <= 8, "one of them for the page 0"


async def test_pages_without_end_where_nothing_is_counted(api: SimulatedServer, client: Client) -> None:
    api.faults.add("/events", EndlessPages())
    assert await client.rows(EVENTS, {}, call())


def bad_answers() -> Iterator[Any]:
    for fault, match in (
        (NoData(), "without data"),
        (NullRows(), "got `null`"),
        (RowWithoutId(), "missing required field `id`"),
        (WrongTypes("ids"), r"got `int` - at `\$.data\[0\].id`"),
        (WrongTypes("data"), "got `object`"),
        (WrongTypes("body"), "got `array`"),
        (NotJson(), "a web page"),
        (EmptyBody(), "an empty body"),
    ):
        for page in (1, 2, 3):
            yield pytest.param(fault, match, page, id=f"{fault}-{page}")


@pytest.mark.parametrize(("fault", "match", "page"), [*bad_answers()])
async def test_an_answer_that_cannot_be_used(
    api: SimulatedServer, client: Client, fault: Fault, match: str, page: int
) -> None:
    """Whichever page it is: no shorter list, but an error, that quotes nothing of the answer."""
    await client.rows(USERS, {}, call())
    api.switches.page_clamp = {"*": PER_PAGE}
    async with failing(api, fault, page=page):
        with pytest.raises(BadResponse, match=match) as caught:
            await client.rows(SPACES, ALL, call())
    assert caught.value.endpoint == "/spaces"
    assert caught.value.status in (200, None)
    assert_clean(caught.value)
    assert not any(space in str(caught.value) for space in api.world.spaces)
    await all_spaces(api, client)


async def test_an_empty_id_is_none(api: SimulatedServer, client: Client) -> None:
    api.switches.fields = {"/spaces": {"id": ""}}
    with pytest.raises(BadResponse, match="a row without an id") as caught:
        await client.rows(SPACES, ALL, call())
    assert caught.value.endpoint == "/spaces"


async def test_an_empty_list_may_leave_out_its_data(api: SimulatedServer, client: Client) -> None:
    environment = api.world.add_environment("empty", announce=False)
    api.faults.add("/agents", NoData())
    assert await client.rows(AGENTS, {"environmentId": environment.id}, call()) == []
    api.switches.pagination = "absent"
    with pytest.raises(BadResponse, match="without data"):
        await client.rows(AGENTS, {"environmentId": environment.id}, call())


@pytest.mark.parametrize("page", [2, 3])
async def test_a_page_that_stays_away_is_no_end(api: SimulatedServer, page: int) -> None:
    api.switches.page_clamp = {"*": PER_PAGE}
    async with connected(api, retries=1) as client, failing(api, Status(500), page=page):
        with pytest.raises(FlatfileError, match="status 500"):
            await client.rows(SPACES, ALL, call())


# Stopping early


@pytest.mark.parametrize("counted", [True, False])
async def test_a_stop_is_no_list_that_breaks_off(api: SimulatedServer, client: Client, counted: bool) -> None:
    api.switches.since, api.switches.events_pagination, api.switches.page_clamp = "ignored", counted, {"*": 12}
    since = api.world.clock() - 600
    rows = await client.rows(EVENTS, {"since": iso(since), "includeAcknowledged": "true"}, call(), stop=Before(since))
    recent = {event.id for event in api.world.events.since(since)}
    assert recent <= {row.id for row in rows}
    assert len(rows) < len([*api.world.events.since(0)])
    assert api.count() <= len(rows) // 12 + 1


# One object


async def test_one(api: SimulatedServer, client: Client) -> None:
    account = await client.one(Endpoint.ACCOUNT, Account, call())
    assert (account.id, account.name) == (api.world.account_id, api.world.name)


async def test_one_that_is_none(api: SimulatedServer, client: Client) -> None:
    api.faults.add("/accounts/current", EmptyBody())
    with pytest.raises(BadResponse, match="empty body"):
        await client.one(Endpoint.ACCOUNT, Account, call())


# Page by page


async def pages_of(client: Client) -> list[RowsPage[Space]]:
    return [page async for page in client.pages(SPACES, ALL, call())]


def since_restart(pages: list[RowsPage[Space]]) -> list[str]:
    """The ids that hold in the end."""
    start = max(i for i, page in enumerate(pages) if page.restart)
    return [row.id for page in pages[start:] for row in page.rows]


async def test_each_page_has_its_new_rows(api: SimulatedServer, client: Client) -> None:
    api.switches.page_clamp = {"*": PER_PAGE}
    async with failing(api, DuplicateRows()):
        pages = await pages_of(client)
    assert [page.restart for page in pages] == [True] + [False] * (len(pages) - 1)
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [len(page.rows) for page in pages][:3] == [10, 10, 6]
    assert len(pages[1].all_rows) > len(pages[1].rows)
    ids = since_restart(pages)
    assert len(ids) == len(set(ids)) == 26
    assert pages[0].total == 26


async def test_what_a_broken_pass_has_yielded_is_void(api: SimulatedServer, client: Client) -> None:
    api.switches.page_clamp = {"*": PER_PAGE}
    await client.rows(USERS, {}, call())  # the numbering of pages is known
    async with failing(api, WrongTotal(1), count=4):
        pages = await pages_of(client)
    assert [page.restart for page in pages].count(True) == 2
    assert sorted(since_restart(pages)) == sorted(api.world.spaces)


async def test_numbers_from_zero_are_known_before_the_first_page_is_yielded(
    api: SimulatedServer, client: Client
) -> None:
    """A consumer that ends early has the beginning of the list."""
    api.switches.first_page, api.switches.pagination = 0, "absent"
    api.switches.page_clamp = {"*": PER_PAGE}
    async for page in client.pages(SPACES, {**ALL, **SORT}, call()):
        oldest = min(api.world.spaces.values(), key=lambda space: space.created_at)
        assert page.restart
        assert page.rows[0].id == oldest.id
        assert page.total is None
        break


async def test_a_consumer_may_end_early(api: SimulatedServer, client: Client) -> None:
    api.switches.page_clamp = {"*": PER_PAGE}
    pages = client.pages(SPACES, ALL, call())
    first = await anext(pages)
    asked = api.count("/spaces")
    await pages.aclose()
    assert len(first.rows) == PER_PAGE
    assert api.count("/spaces") == asked


async def test_a_large_page_is_read_on_the_workers_thread(api: SimulatedServer) -> None:
    threads: set[str] = set()

    def key(row: Space) -> str:
        threads.add(threading.current_thread().name)
        return row.id

    listing = Listing(Endpoint.SPACES, Space, key)
    worker = Worker("account")
    async with connected(api, worker=worker) as client:
        await client.rows(listing, ALL, call())
        assert threads == {threading.current_thread().name}, "a small one is not worth another thread"
        threads.clear()
        api.switches.fields = {"/spaces": {"metadata": "x" * 4096}}
        assert len(await client.rows(listing, ALL, call())) == 26
        assert threads == {"account"}
        api.switches.fields = {"/spaces": {"metadata": "x" * 4096, "id": ""}}
        with pytest.raises(BadResponse, match="without an id") as caught:
            await client.rows(SPACES, ALL, call())
        assert_clean(caught.value)
    worker.close()


@pytest.mark.parametrize("paged", [True, False])
async def test_a_list_of_too_many_rows(api: SimulatedServer, paged: bool) -> None:
    if paged:
        api.switches.page_clamp = {"*": PER_PAGE}
    async with connected(api, max_rows=25) as client:
        with pytest.raises(TooLarge, match="more than 25 rows") as caught:
            await client.rows(SPACES, ALL, call())
        assert caught.value.endpoint == "/spaces"
    async with connected(api, max_rows=26) as client:
        assert len(await client.rows(SPACES, ALL, call())) == 26
