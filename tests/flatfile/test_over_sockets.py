"""The whole client against the simulated API: tokens, tries and what users can get wrong, over real sockets."""

import asyncio
from typing import Any

import pytest

from exporter.core.clock import Clock
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import (
    BadResponse,
    ConnectionFailed,
    FlatfileError,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    TooLarge,
    Unauthorized,
)
from exporter.flatfile.models import Environment, Space, User
from tests.flatfile.rig import Told, assert_clean, call, connected, stored
from tests.simulator.faults import Disconnect, HugeBody, NotJson, Redirect, Reset, Status, Truncated
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW

SPACES = Listing(Endpoint.SPACES, Space, identity)
USERS = Listing(Endpoint.USERS, User, identity)
ENVIRONMENTS = Listing(Endpoint.ENVIRONMENTS, Environment, identity)
RIGHT = (stored(CLIENT_ID), stored(SECRET))
WRONG = (stored(CLIENT_ID), stored("SECRET-wrong"))


async def everything(client: Client) -> list[list[Any]]:
    return await asyncio.gather(*(client.rows(listing, {}, call()) for listing in (SPACES, USERS, ENVIRONMENTS) * 5))


@pytest.mark.parametrize("wrapped", [False, True])
@pytest.mark.parametrize("expires", ["iso", "http", "junk", "absent"])
@pytest.mark.parametrize("expires_in", ["string", "number", "junk", "absent"])
@pytest.mark.parametrize("is_jwt", [True, False])
async def test_every_shape_of_a_token(
    api: SimulatedServer, wrapped: bool, expires: Any, expires_in: Any, is_jwt: bool
) -> None:
    switches = api.switches
    switches.auth_wrapped, switches.expires, switches.expires_in, switches.token_is_jwt = (
        wrapped,
        expires,
        expires_in,
        is_jwt,
    )
    switches.token_life = 3600
    told = expires in ("iso", "http") or expires_in in ("string", "number") or is_jwt
    clock = Clock(wall=lambda: FIXED_NOW)
    async with connected(api, credentials=RIGHT, clock=clock) as client:
        await everything(client)
        assert api.count("/auth") == 1
        assert client.session.token_expiry == pytest.approx(FIXED_NOW + (3600 if told else 86400), abs=2)


async def test_the_type_once(api: SimulatedServer) -> None:
    api.switches.auth_needs_type = True
    async with connected(api, credentials=RIGHT) as client:
        await everything(client)
        api.invalidate_tokens()
        await everything(client)
        assert [request.status for request in api.requests if request.path == "/auth"] == [400, 200, 200]


@pytest.mark.parametrize("calls", [1, 3])
async def test_a_token_that_is_worn_out(api: SimulatedServer, calls: int) -> None:
    async with connected(api, credentials=RIGHT) as client:
        api.switches.token_calls = calls
        for _ in range(6):
            await client.rows(USERS, {}, call())
        assert api.count("/auth") == 6 // calls


async def test_a_401_is_one_exchange_for_twenty(api: SimulatedServer) -> None:
    async with connected(api, credentials=RIGHT) as client:
        await everything(client)
        api.invalidate_tokens()
        api.switches.latency = {"/auth": 0.02}
        await everything(client)
        assert api.count("/auth") == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_wrong_credentials(api: SimulatedServer, status: int) -> None:
    api.switches.auth_refusal = status
    async with connected(api, credentials=WRONG) as client:
        for _ in range(3):
            outcomes = await asyncio.gather(
                *(client.rows(listing, {}, call()) for listing in (SPACES, USERS) * 5), return_exceptions=True
            )
            for error in outcomes:
                assert isinstance(error, Unauthorized)
                assert error.status == status
                assert_clean(error)
        assert {request.path.removeprefix("/api/v1") for request in api.requests} == {"/auth"}
        assert api.count() <= 2


@pytest.mark.parametrize(
    ("fault", "kind", "requests"),
    [
        (Status(500), ServerError, 3),
        (Status(503, body="html"), ServerError, 3),
        (Status(429, 600), RateLimited, 1),
        (Disconnect(), ConnectionFailed, 3),
        (Truncated(), ConnectionFailed, 3),
        (Reset(), ConnectionFailed, 3),
        (Redirect(), NotFound, 2),
        (NotJson(), NotFound, 2),
        (Status(405), NotFound, 2),
        (Status(403, body="html"), NotFound, 2),
        (Status(206), BadResponse, 1),
        (HugeBody(300_000_000), TooLarge, 1),
        (Status(418), BadResponse, 1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("where", ["/auth", "/spaces"])
async def test_no_error_tells_a_secret(
    api: SimulatedServer, fault: Any, kind: type[FlatfileError], requests: int, where: str
) -> None:
    """Whatever happens, and wherever: the reason is told, and nothing of what was sent or came."""
    told = Told()
    async with connected(api, credentials=RIGHT, told=told, max_response_bytes=1 << 20) as client:
        if where == "/spaces":
            await client.rows(USERS, {}, call())
            if kind is NotFound:  # the path prefix is known
                requests, kind = 1, Forbidden if fault == Status(403, body="html") else BadResponse
        if where == "/auth" and fault == Status(418):
            kind = Unauthorized
        api.faults.add("*" if where == "/auth" else where, fault)
        with pytest.raises(kind) as caught:
            await client.rows(SPACES, {}, call())
        assert type(caught.value) is kind
        assert caught.value.endpoint == where
        if where == "/spaces" and kind is TooLarge:  # smaller pages are tried, once an hour
            requests = 10
        assert [endpoint for endpoint, _ in told.requests].count(where) == requests
        assert_clean(caught.value)
    assert len(told.requests) == api.count()


@pytest.mark.parametrize("prefix", ["/v1", "/api/v1"])
@pytest.mark.parametrize("reading", ["json", "html", "method", "moved", "forbidden"])
@pytest.mark.parametrize("by_token", [False, True])
async def test_every_reading_of_the_prefix_that_is_not_served(
    api: SimulatedServer, prefix: Any, reading: Any, by_token: bool
) -> None:
    api.switches.prefix, api.switches.other_prefix = prefix, reading
    base = api.root_url + ("/api/v1" if prefix == "/v1" else "/v1")
    async with connected(api, base=base, credentials=None if by_token else RIGHT) as client:
        assert await client.rows(USERS, {}, call())
        asked = api.count()
        assert await client.rows(USERS, {}, call())
        assert api.count() == asked + 1


@pytest.mark.parametrize("reading", ["json", "html", "method", "moved", "forbidden"])
@pytest.mark.parametrize("by_token", [False, True])
async def test_an_address_where_there_is_no_api(api: SimulatedServer, reading: Any, by_token: bool) -> None:
    """It is the address that is wrong, not the credentials."""
    api.switches.prefix, api.switches.other_prefix = "/v2", reading  # type: ignore[assignment]
    async with connected(api, base=f"{api.root_url}/v1", credentials=None if by_token else RIGHT) as client:
        kind = (
            Unauthorized if reading == "json" and not by_token else NotFound
        )  # 404 in JSON may mean unknown credentials
        with pytest.raises(kind, match="base_url" if kind is NotFound else "404"):
            await client.rows(USERS, {}, call())


async def test_wrong_credentials_at_the_other_prefix_are_wrong_credentials(api: SimulatedServer) -> None:
    api.switches.prefix, api.switches.other_prefix = "/api/v1", "method"
    async with connected(api, base=f"{api.root_url}/v1", credentials=WRONG) as client:
        with pytest.raises(Unauthorized, match="status 400"):
            await client.rows(USERS, {}, call())


async def test_a_403_with_retry_after_pauses_the_account(api: SimulatedServer) -> None:
    async with connected(api) as client:
        await client.rows(USERS, {}, call())
        api.faults.add("/spaces", Status(403, 60))
        api.clear()
        for listing in (SPACES, USERS, ENVIRONMENTS) * 5:
            with pytest.raises(RateLimited):
                await client.rows(listing, {}, call())
        assert api.count() == 1


@pytest.mark.parametrize("retry_after", [1.0, "date", None])
async def test_under_a_rate_limit_everything_comes_in_the_end(api: SimulatedServer, retry_after: Any) -> None:
    """The limit counts any one second: no request is lost, and none goes out while the account is paused."""
    api.switches.rate, api.switches.rate_retry_after = 8, retry_after
    told = Told()
    async with connected(api, told=told, retries=10, clock=Clock(wall=lambda: FIXED_NOW)) as client:
        await client.rows(USERS, {}, call(60))
        await asyncio.gather(*(client.rows(SPACES, {}, call(60)) for _ in range(12)))
    refused = [code for _, code in told.requests].count("429")
    assert 1 <= refused <= 8  # at most what was in flight, each time
