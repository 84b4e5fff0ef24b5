"""The HTTP side: who is answered how, what is recorded, and coming and going."""

import asyncio
import socket
import ssl
import threading
from email.utils import parsedate_to_datetime

import httpx
import pytest
import trustme

from exporter.demo.accounts import demo_world
from exporter.demo.life import MISSING_FIRST, MISSING_FOR, Life
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW, fixed_world


async def test_requests_are_recorded(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    first = next(iter(api.world.environments))
    await client.get("/spaces", params={"pageSize": 3}, headers={"X-Disable-Hooks": "true"})
    await client.get(f"/environments/{first}")
    await client.get("/spaces")
    one, two, _ = api.requests
    assert (one.method, one.path, one.query, one.status) == ("GET", "/spaces", {"pageSize": "3"}, 200)
    assert one.headers["x-disable-hooks"] == "true"
    assert two.endpoint == "/environments/{id}"
    assert (api.count(), api.count("/spaces"), api.count("/environments/{id}")) == (3, 2, 1)
    assert (api.connections_opened, api.most_in_flight, api.in_flight) == (1, 1, 0)
    api.clear()
    assert (api.count(), list(api.requests)) == (0, [])


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("GET", "/auth/api-keys?environmentId=x", 403),
        ("GET", "/agents/us_ag_x/versions/us_agv_y/revert", 403),
        ("GET", "/guests/us_g_x/token", 403),
        ("GET", "/secrets", 403),
        ("POST", "/events/us_evt_x/ack", 404),
        ("DELETE", "/spaces", 405),
        ("POST", "/spaces", 405),
    ],
)
async def test_what_a_reader_must_not_send(
    api: SimulatedServer, client: httpx.AsyncClient, method: str, path: str, code: int
) -> None:
    assert (await client.request(method, path)).status_code == code
    assert [(r.method, r.path) for r in api.forbidden_requests] == [(method, path.partition("?")[0])]


async def test_what_a_reader_may_send(
    api: SimulatedServer, client: httpx.AsyncClient, credentials: dict[str, str]
) -> None:
    await client.post("/auth", json=credentials)
    await client.get("/spaces")
    assert (await client.get("/auth")).status_code == 405
    assert (await client.get("/nothing")).status_code == 404
    assert not api.forbidden_requests


async def test_head_and_date_and_gzip(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    head = await client.head("/spaces")
    assert (head.status_code, head.content) == (200, b"")
    plain = await client.get("/spaces", headers={"Accept-Encoding": "identity"})
    packed = await client.get("/spaces", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert parsedate_to_datetime(plain.headers["Date"]).timestamp() == FIXED_NOW
    assert api.connections_opened == 1


async def test_connections_that_close(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.switches.keep_alive = False
    assert [(await client.get("/spaces")).status_code for _ in range(2)] == [200, 200]
    assert api.connections_opened == 2


async def test_the_other_prefix(api: SimulatedServer) -> None:
    async with httpx.AsyncClient(base_url=api.root_url, trust_env=False) as client:
        missing = await client.get("/api/v1/environments")
        assert (missing.status_code, missing.json()["errors"][0]["message"]) == (404, "Not found")
        assert (await client.get("/v1/environments")).status_code == 401
        api.switches.prefix, api.switches.other_prefix = "/api/v1", "html"
        assert api.base_url.endswith("/api/v1")
        page = await client.get("/v1/environments")
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
        assert (await client.get("/api/v1/environments")).status_code == 401
    assert [r.path for r in api.requests] == [
        "/api/v1/environments", "/environments", "/v1/environments", "/environments",
    ]  # fmt: skip


async def test_another_region(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.switches.region = "eu"
    listed = (await client.get("/environments")).json()["data"]
    assert all(row["id"].startswith("eu_env_") and row["accountId"].startswith("eu_acc_") for row in listed)
    one = await client.get(f"/environments/{listed[0]['id']}")
    assert one.json()["data"]["id"] == listed[0]["id"]
    spaces = (await client.get("/spaces", params={"environmentId": listed[0]["id"]})).json()["data"]
    assert {row["environmentId"] for row in spaces} == {listed[0]["id"]}


async def test_a_rate_limit(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    api.switches.rate = 3
    codes = await asyncio.gather(*(client.get("/users") for _ in range(8)))
    refused = [a for a in codes if a.status_code == 429]
    assert 3 <= 8 - len(refused) < 8
    assert {a.headers["Retry-After"] for a in refused} == {"1"}


async def test_latency_is_by_path(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    """What is slow is overtaken by what is not: no time is measured."""
    api.switches.latency = {"*": 0.3, "/users": 0.0}
    slow = asyncio.create_task(client.get("/spaces"))
    while not api.in_flight:
        await asyncio.sleep(0)
    await client.get("/users")
    assert not slow.done()
    await slow
    assert api.most_in_flight == 2


async def test_refusing_connections_and_coming_back(api: SimulatedServer, client: httpx.AsyncClient) -> None:
    await client.get("/spaces")
    port = api.port
    await api.stop_listening()
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            await client.get("/spaces")
    await api.stop_listening()
    await api.listen()
    assert api.port == port
    assert (await client.get("/spaces")).status_code == 200


async def test_the_port_stays_ours_while_connections_are_refused(api: SimulatedServer) -> None:
    await api.stop_listening()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((api.host, api.port))
    await api.stop()
    with socket.socket() as other:
        other.bind((api.host, api.port))


async def test_the_account_lives_while_it_is_asked() -> None:
    now = [FIXED_NOW]
    world = demo_world(lambda: now[0])
    async with SimulatedServer(world, life=Life(world)) as api:
        api.switches.ready_tokens.add("pat_test")
        headers = {"Authorization": "Bearer pat_test"}
        async with httpx.AsyncClient(base_url=api.base_url, headers=headers, trust_env=False) as client:
            production = next(iter(world.environments))
            seen = []
            for seconds in (MISSING_FIRST / 2, MISSING_FIRST + MISSING_FOR / 2, MISSING_FIRST + MISSING_FOR + 60):
                now[0] = FIXED_NOW + seconds
                answer = await client.get("/agents", params={"environmentId": production})
                seen.append({row.get("slug") for row in answer.json()["data"]})
    assert ["validator" in slugs for slugs in seen] == [True, False, True]


async def test_not_http(api: SimulatedServer) -> None:
    reader, writer = await asyncio.open_connection(api.host, api.port)
    writer.write(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()
    await writer.wait_closed()


async def test_over_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with (
        SimulatedServer(fixed_world(), ssl_context=context) as api,
        httpx.AsyncClient(verify=trusting, trust_env=False) as client,
    ):
        assert api.base_url.startswith("https://")
        assert (await client.get(api.base_url + "/environments")).status_code == 401


def test_from_a_thread(fixed_api: SimulatedServer) -> None:
    headers = {"Authorization": "Bearer pat_test"}
    with httpx.Client(base_url=fixed_api.base_url, headers=headers, trust_env=False) as client:
        assert len(client.get("/environments").json()["data"]) == 3
        made = fixed_api.call(fixed_api.world.add_environment, "new", is_prod=True)
        assert client.get("/environments").json()["data"][-1]["id"] == made.id
        fixed_api.call(fixed_api.stop_listening)
        with pytest.raises(httpx.ConnectError):
            client.get("/environments")
        fixed_api.call(fixed_api.listen)
        assert client.get("/environments").status_code == 200
    assert threading.current_thread() is threading.main_thread()
    with pytest.raises(KeyError):
        fixed_api.call(fixed_api.world.delete_environment, "us_env_gone0000")


def test_call_needs_a_started_server() -> None:
    with pytest.raises(RuntimeError, match="started"):
        SimulatedServer(fixed_world()).call(print)
