"""Each fault over a real socket: what a client sees of it, and that it ends when the client goes away."""

import asyncio
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from tests.simulator.faults import (
    HTML,
    Disconnect,
    Drip,
    DuplicateRows,
    EmptyBody,
    EndlessHeaders,
    EndlessPages,
    Fault,
    Hang,
    HugeBody,
    NoData,
    NotJson,
    NullRows,
    Redirect,
    Reset,
    RowWithoutId,
    Status,
    Truncated,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW


async def raw(api: SimulatedServer, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which this has been asked."""
    reader, writer = await asyncio.open_connection(api.host, api.port)
    lines = f"GET {api.switches.prefix}{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer pat_test\r\n\r\n"
    writer.write(lines.encode())
    return reader, writer


async def idle(api: SimulatedServer) -> None:
    """Wait until no request is under way."""
    async with asyncio.timeout(60):
        while api.in_flight:
            await asyncio.sleep(0.01)


async def rows(client: httpx.AsyncClient, **query: Any) -> Any:
    return (await client.get("/spaces", params={"pageSize": 5, **query})).json()


# Other replies


@pytest.mark.parametrize("code", [400, 401, 403, 404, 408, 418, 429, 500, 502, 503, 504])
async def test_a_status(api: SimulatedServer, client: httpx.AsyncClient, code: int) -> None:
    api.faults.add("/spaces", Status(code), count=1)
    answer = await client.get("/spaces")
    assert answer.status_code == code
    assert "Retry-After" not in answer.headers
    assert answer.json()["errors"]
    assert (await client.get("/spaces")).status_code == 200


async def test_retry_after_and_bodies(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    for fault in (Status(429, 2.5), Status(503, "date", "html"), Status(502, body="empty")):
        api.faults.add("/spaces", fault, count=1)
    seconds, date, empty = [await client.get("/spaces") for _ in range(3)]
    assert seconds.headers["Retry-After"] == "2.5"
    assert parsedate_to_datetime(date.headers["Retry-After"]).timestamp() == FIXED_NOW + 1
    assert date.content == HTML
    assert empty.content == b""


async def test_a_redirect(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Redirect())
    answer = await client.get("/spaces")
    assert answer.status_code == 302
    assert "127.0.0.2" in answer.headers["Location"]


async def test_bodies_that_are_not_json(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    for fault in (EmptyBody(), NotJson(), NotJson(b"\xff\xfe{")):
        api.faults.add("/spaces", fault, count=1)
    bodies = [(await client.get("/spaces")).content for _ in range(3)]
    assert bodies == [b"", HTML, b"\xff\xfe{"]


# Deformed bodies


async def test_deformed_bodies(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    right = await rows(client)

    async def with_fault(fault: Fault, **query: Any) -> Any:
        rule = api.faults.add("/spaces", fault)
        body = await rows(client, **query)
        api.faults.remove(rule)
        return body

    assert [row["id"] for row in (await with_fault(WrongTypes()))["data"]] == [0, 1, 2, 3, 4]
    assert (await with_fault(WrongTypes("data")))["data"] == {"rows": right["data"]}
    assert await with_fault(WrongTypes("body")) == [right]
    assert await with_fault(NoData()) == {"pagination": right["pagination"]}
    assert (await with_fault(NullRows()))["data"] == [None] * 5
    assert ["id" in row for row in (await with_fault(RowWithoutId()))["data"]] == [False, True, True, True, True]
    assert len((await with_fault(DuplicateRows()))["data"]) == 10
    assert (await with_fault(WrongTotal(3)))["pagination"]["totalCount"] == right["pagination"]["totalCount"] + 3
    assert (await with_fault(WrongTotal(-3)))["pagination"]["totalCount"] == right["pagination"]["totalCount"] - 3
    repeated = await with_fault(EndlessPages(), pageNumber=77)
    assert repeated["data"] == right["data"]
    assert repeated["pagination"] == {"currentPage": 77, "pageCount": 78, "totalCount": 5 * 78}
    one, two = [await with_fault(EndlessPages(fresh=True), pageNumber=n) for n in (1, 2)]
    assert not {r["id"] for r in one["data"]} & {r["id"] for r in two["data"]}
    assert await rows(client) == right


async def test_a_deformed_object(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    right = (await client.get("/accounts/current")).json()["data"]

    async def with_fault(fault: Fault) -> Any:
        api.faults.add("/accounts/current", fault, count=1)
        return (await client.get("/accounts/current")).json()

    assert await with_fault(WrongTypes()) == {"data": {**right, "id": 1}}
    assert await with_fault(WrongTypes("data")) == {"data": [right]}
    assert await with_fault(WrongTypes("body")) == [{"data": right}]
    assert await with_fault(NoData()) == {}
    assert await with_fault(NullRows()) == {"data": None}
    assert await with_fault(RowWithoutId()) == {"data": {k: v for k, v in right.items() if k != "id"}}
    for of_lists_alone in (DuplicateRows(), EndlessPages(), WrongTotal(1)):
        assert await with_fault(of_lists_alone) == {"data": right}


async def test_a_deformed_token(api: SimulatedServer, client: httpx.AsyncClient, credentials: dict[str, str]) -> None:
    async def with_fault(fault: Fault) -> Any:
        api.faults.add("/auth", fault, count=1)
        return (await client.post("/auth", json=credentials)).json()

    assert (await with_fault(WrongTypes()))["accessToken"] == 1
    assert isinstance((await with_fault(WrongTypes("data")))["accessToken"], list)
    assert isinstance(await with_fault(WrongTypes("body")), list)
    assert "accessToken" not in await with_fault(NoData())
    assert set((await with_fault(NullRows())).values()) == {None}
    assert (await with_fault(RowWithoutId()))["accessToken"]


async def test_an_error_is_not_deformed(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("*", DuplicateRows())
    assert (await client.get("/guests")).status_code == 400
    assert (await client.get("/accounts/current")).json()["data"]["id"] == api.world.account_id


# On the wire


async def test_the_connection_is_closed_before_the_answer(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Disconnect(), count=1)
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/spaces")
    assert (await client.get("/spaces")).status_code == 200
    assert [r.status for r in api.requests] == [None, 200]


async def test_a_reset_in_the_body(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Reset(), count=2)
    with pytest.raises(httpx.ReadError):
        await client.get("/spaces")
    reader, writer = await raw(api, "/spaces")
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_a_truncated_body(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Truncated(), count=1)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        await client.get("/spaces")


@pytest.mark.parametrize(
    "fault", [HugeBody(20_000_000), HugeBody(20_000_000, declared=True), HugeBody(20_000_000, gzip=True)]
)
async def test_a_huge_body(api: SimulatedServer, client: httpx.AsyncClient, fault: HugeBody) -> None:
    api.faults.add("/spaces", fault)
    async with client.stream("GET", "/spaces") as answer:
        assert ("Content-Length" in answer.headers) == fault.declared
        size, tail = 0, b""
        async for part in answer.aiter_bytes():
            size, tail = size + len(part), (tail + part)[-2:]
        on_wire = answer.num_bytes_downloaded
    assert size == 20_000_000 + len(b'{"data":[],"filler":""}')
    assert tail == b'"}'
    assert (on_wire < 100_000) == fault.gzip


async def test_a_huge_body_ends_with_its_client(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", HugeBody(10**15))
    async with client.stream("GET", "/spaces") as answer:
        async for _ in answer.aiter_raw():
            break
    await idle(api)


async def test_endless_headers(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", EndlessHeaders())
    with pytest.raises(httpx.RemoteProtocolError):
        await client.get("/spaces")
    await idle(api)


async def test_a_body_that_drips(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    right = (await client.get("/environments")).content
    api.faults.add("/environments", Drip(0))
    answer = await client.get("/environments")
    assert answer.content == right


async def test_a_slow_drip_ends_with_its_client(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Drip(0.01))
    reader, writer = await raw(api, "/spaces")
    await reader.readuntil(b"\r\n\r\n{")
    writer.close()
    await writer.wait_closed()
    await idle(api)


async def test_a_hang_and_its_release(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    rule = api.faults.add("/spaces", Hang())
    hanging = asyncio.create_task(client.get("/spaces"))
    while not rule.hits:
        await asyncio.sleep(0.01)
    assert api.in_flight == 1
    api.faults.remove(rule)
    assert (await hanging).status_code == 200


async def test_a_hang_ends_with_its_client(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Hang())
    _, writer = await raw(api, "/spaces")
    while not api.in_flight:
        await asyncio.sleep(0.01)
    writer.close()
    await writer.wait_closed()
    await idle(api)
    assert [r.status for r in api.requests] == [None]


@pytest.mark.parametrize("fault", [Hang(), HugeBody(10**15), EndlessHeaders(), Drip(1)])
async def test_whatever_goes_on_ends_with_the_server(
    api: SimulatedServer, client: httpx.AsyncClient, fault: Fault
) -> None:
    api.faults.add("/spaces", fault)
    reader, writer = await raw(api, "/spaces")
    while not api.in_flight:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(60):
        await api.stop()
    assert api.in_flight == 0
    writer.close()
    del reader


# Where a fault strikes


async def test_half_a_list_and_then_a_failure(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.faults.add("/spaces", Status(500), page=2)
    answers = [await client.get("/spaces", params={"pageSize": 5, "pageNumber": n}) for n in (1, 2, 3)]
    assert [a.status_code for a in answers] == [200, 500, 500]
    assert answers[0].json()["pagination"]["pageCount"] == 3


async def test_one_environment_alone(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    first, second, _ = api.world.environments
    api.faults.add("*", Status(500), environment=first)
    assert (await client.get("/agents", params={"environmentId": first})).status_code == 500
    assert (await client.get("/agents", params={"environmentId": second})).status_code == 200
    assert (await client.get("/spaces")).status_code == 200


async def test_rules_count_and_clear(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    twice = api.faults.add("/spaces", Status(500), count=2)
    always = api.faults.add("/spaces", Status(503))
    assert [(await client.get("/spaces")).status_code for _ in range(4)] == [500, 500, 503, 503]
    assert (twice.hits, always.hits) == (2, 2)
    api.faults.clear()
    assert (await client.get("/spaces")).status_code == 200


async def test_a_fault_on_auth(api: SimulatedServer, client: httpx.AsyncClient, credentials: dict[str, str]) -> None:
    api.faults.add("/auth", Status(500), count=1)
    assert (await client.post("/auth", json=credentials)).status_code == 500
    assert (await client.post("/auth", json=credentials)).status_code == 200
