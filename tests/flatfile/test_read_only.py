"""Read only by construction: nothing but the listed requests can be sent, whoever tries."""

import dataclasses
import inspect
import itertools
from types import SimpleNamespace
from typing import Any

import pytest

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.flatfile import client, session, transport
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.models import Account, Space
from exporter.flatfile.session import Session
from exporter.flatfile.transport import Transport
from tests.flatfile.rig import call, connected, stored
from tests.simulator.answers import FORBIDDEN_GETS
from tests.simulator.server import SimulatedServer

EVIL = [
    SimpleNamespace(method="DELETE", path="/spaces"),
    SimpleNamespace(method="POST", path="/jobs"),
    SimpleNamespace(method="GET", path="/auth/api-keys"),
    ("GET", "/agents/us_ag_1/versions/us_agv_1/revert"),
    "/secrets",
    None,
]
METHODS = {
    Client: {"one", "rows", "pages", "aclose"},
    Session: {"get", "is_rejection", "note_objects", "aclose", "use_credentials", "use_token"},
    Transport: {"send", "aclose"},
}


def test_the_list() -> None:
    assert {(endpoint.method, endpoint.path) for endpoint in Endpoint} == {
        ("POST", "/auth"),
        ("GET", "/accounts/current"),
        ("GET", "/environments"),
        ("GET", "/environments/{id}"),
        ("GET", "/spaces"),
        ("GET", "/agents"),
        ("GET", "/agents/executions"),
        ("GET", "/users"),
        ("GET", "/guests"),
        ("GET", "/events"),
        ("GET", "/jobs"),
    }
    assert not any(FORBIDDEN_GETS.search(endpoint.path) for endpoint in Endpoint)
    assert [str(endpoint) for endpoint in Endpoint] == [endpoint.path for endpoint in Endpoint]


def test_the_list_cannot_be_changed() -> None:
    for name in ("path", "method"):
        with pytest.raises(AttributeError):
            setattr(Endpoint.SPACES, name, "/secrets")
    with pytest.raises(AttributeError):
        Endpoint.SPACES = "/secrets"  # type: ignore[misc,assignment]
    with pytest.raises(ValueError):
        Endpoint(("GET", "/secrets"))
    with pytest.raises(TypeError):

        class _More(Endpoint):  # type: ignore[misc]
            EVIL = ("GET", "/secrets")


@pytest.mark.parametrize("evil", EVIL, ids=repr)
async def test_nothing_else_can_be_asked_for(api: SimulatedServer, evil: Any) -> None:
    made = Transport(user_agent="x")
    async with connected(api, transport=made) as asking:
        for attempt in (
            lambda: made.send(api.base_url, evil, params={}, bearer=None, body=None, timeout=5, max_bytes=1),
            lambda: asking.session.get(evil, {}, call()),
            lambda: asking.one(evil, Account, call()),
            lambda: asking.rows(Listing(evil, Space, identity), {}, call()),
        ):
            with pytest.raises(TypeError):
                await attempt()
    assert api.count() == 0


def test_these_are_all_ways_to_ask() -> None:
    """Who adds a way adds it here as well, and tries it above."""
    for kind, methods in METHODS.items():
        public = {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        assert public == methods
    asking = {
        name
        for module in (client, session, transport)
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and not dataclasses.is_dataclass(kind)
    }
    assert {name for name in asking if not name.startswith("_")} == {
        "Client",
        "Session",
        "Transport",
        "Observer",
        "Identified",
    }


async def test_no_parameter_leads_elsewhere(api: SimulatedServer) -> None:
    """Ids come from outside: none of them gets out of the query."""
    odd = [
        "../secrets",
        "/../../auth/api-keys",
        "?x=1#",
        "a&archived=true",
        "\r\nDELETE /v1/spaces HTTP/1.1\r\n\r\n",
        "%2e%2e/",
    ]
    async with connected(api) as asking:
        await asking.one(Endpoint.ACCOUNT, Account, call())
        for name, text in itertools.product(("environmentId", "spaceId", "search"), odd):
            if name == "search":
                await asking.session.get(Endpoint.SPACES, {name: text}, call())
                assert (api.requests[-1].path, api.requests[-1].query) == ("/spaces", {name: text})
    assert not api.forbidden_requests


@pytest.mark.parametrize(
    "evil",
    [
        "",
        "..",
        "current",
        "subscription-token",
        "us_env_a/../../secrets",
        "us_sp_1",
        "us_env_",
        "us_env_a?x",
        "us_env_%2e",
    ],
)
async def test_no_id_leads_elsewhere(api: SimulatedServer, evil: str) -> None:
    async with connected(api) as asking:
        with pytest.raises(ValueError, match="not the id of an environment"):
            await asking.one(Endpoint.ENVIRONMENT, Account, call(), evil)
    assert api.count() == 0


async def test_all_that_is_asked_is_a_read(api: SimulatedServer) -> None:
    async with connected(api, token=None, credentials=(stored(CLIENT_ID), stored(SECRET))) as asking:
        for endpoint in Endpoint:
            if endpoint is not Endpoint.AUTH:
                environment = {
                    "environmentId": next(iter(api.world.environments)),
                    "spaceId": next(iter(api.world.spaces)),
                }
                if endpoint is Endpoint.ENVIRONMENT:
                    environment = {"id": environment["environmentId"]}
                await asking.session.get(endpoint, environment if endpoint is not Endpoint.ACCOUNT else {}, call())
    assert not api.forbidden_requests
    assert {(request.method, request.endpoint) for request in api.requests} == {(e.method, e.path) for e in Endpoint}
    assert all(request.headers["x-disable-hooks"] == "true" for request in api.requests)
    assert all(request.headers["user-agent"] == "flatfile-exporter/test" for request in api.requests)
    assert ["authorization" in request.headers for request in api.requests] == [False] + [True] * (len(Endpoint) - 1)
