"""Requests over real sockets: what is sent, what ends them, what they cost, and that no connection is left behind."""

import asyncio
import gc
import gzip
import os
import socket
import ssl
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import trustme

from exporter.core.secret import Secret
from exporter.demo.api import Reply
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, ConnectionFailed, FlatfileError, Timeout, TooLarge
from exporter.flatfile.network import MAX_HEAD_BYTES
from exporter.flatfile.resolver import Resolver
from exporter.flatfile.transport import Answer, Transport
from tests.flatfile.rig import Told, assert_clean, call, connected
from tests.simulator.faults import (
    Chunked,
    Disconnect,
    Drip,
    EndlessHeaders,
    Fault,
    Hang,
    HugeBody,
    Informational,
    OnWire,
    Redirect,
    Replied,
    Reset,
    Status,
    Truncated,
)
from tests.simulator.server import SimulatedServer
from tests.simulator.wire import Wire
from tests.simulator.worlds import sized_world

AGENT = "flatfile-exporter/test"
MB = 1 << 20
BEARER = Secret("pat_SECRET-bearer")


@pytest.fixture
async def transport() -> AsyncIterator[Transport]:
    made = Transport(user_agent=AGENT)
    yield made
    await made.aclose()


async def ask(transport: Transport, base: str) -> Answer:
    return await transport.send(base, Endpoint.SPACES, params={}, bearer=BEARER, body=None, timeout=10, max_bytes=MB)


async def send(
    transport: Transport,
    api: SimulatedServer,
    endpoint: Endpoint = Endpoint.SPACES,
    *,
    timeout: float = 60.0,
    max_bytes: int = 64 * MB,
    body: Secret | None = None,
    **params: str,
) -> Answer:
    api.switches.ready_tokens.add(BEARER.reveal())
    return await transport.send(
        api.base_url, endpoint, params=params, bearer=BEARER, body=body, timeout=timeout, max_bytes=max_bytes
    )


def open_connections(api: SimulatedServer) -> int:
    return len(vars(api)["_connections"])


async def closed(api: SimulatedServer, left: int = 0) -> None:
    """Wait until the server sees no more connections than that."""
    async with asyncio.timeout(60):
        while open_connections(api) > left:
            await asyncio.sleep(0.005)


@dataclass(frozen=True)
class Answered(Replied):
    """An answer of any kind."""

    body: bytes = b'{"data":[]}'
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200

    def reply(self, now: float) -> Reply:
        return Reply(self.status, self.body, self.headers)


@dataclass(frozen=True)
class Raw(OnWire):
    """Bytes that are no proper answer."""

    data: bytes

    async def send(self, wire: Wire, reply: Reply) -> None:
        await wire.send(self.data)


# What is sent


async def test_headers_of_a_get(api: SimulatedServer, transport: Transport) -> None:
    await send(transport, api, pageSize="5", search="ü & +")
    request = api.requests[-1]
    assert (request.method, request.path, request.body) == ("GET", "/spaces", b"")
    assert request.query == {"pageSize": "5", "search": "ü & +"}
    assert request.headers["authorization"] == "Bearer pat_SECRET-bearer"
    assert request.headers["user-agent"] == AGENT
    assert request.headers["x-disable-hooks"] == "true"
    assert request.headers["accept-encoding"] == "gzip"
    assert request.headers["accept"] == "application/json"
    assert "content-type" not in request.headers
    assert "cookie" not in request.headers


async def test_headers_of_a_post(api: SimulatedServer, transport: Transport) -> None:
    await transport.send(
        api.base_url, Endpoint.AUTH, params={}, bearer=None, body=Secret('{"a":"ü"}'), timeout=60, max_bytes=MB
    )
    request = api.requests[-1]
    assert (request.method, request.path, request.body) == ("POST", "/auth", '{"a":"ü"}'.encode())
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"] == AGENT
    assert request.headers["x-disable-hooks"] == "true"
    assert "authorization" not in request.headers


async def test_cookies_are_not_kept(api: SimulatedServer, transport: Transport) -> None:
    api.faults.add("/spaces", Answered(headers={"Set-Cookie": "session=1; Path=/"}), count=1)
    await send(transport, api)
    await send(transport, api)
    assert "cookie" not in api.requests[-1].headers
    assert api.connections_opened == 1


async def test_an_id_that_no_address_can_hold(api: SimulatedServer, transport: Transport) -> None:
    for text in ("x" * 100_000, "\ud800"):
        with pytest.raises(BadResponse, match="no address can hold"):
            await send(transport, api, environmentId=text)
    assert api.count() == 0


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("endpoint", [Endpoint.SPACES, Endpoint.AUTH])
async def test_redirects_are_not_followed(
    api: SimulatedServer, transport: Transport, status: int, endpoint: Endpoint
) -> None:
    async with SimulatedServer(sized_world(lambda: 0.0, environments=1, spaces=1)) as elsewhere:
        api.faults.add("*", Redirect(f"{elsewhere.base_url}{endpoint.path}", status))
        answer = await send(transport, api, endpoint, body=None if endpoint is Endpoint.SPACES else Secret("{}"))
        assert answer.status == status
        assert (api.count(), elsewhere.count(), elsewhere.connections_opened) == (1, 0, 0)


# Bodies


async def test_gzip(api: SimulatedServer, transport: Transport) -> None:
    answer = await send(transport, api, pageSize="20")
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.wire_bytes < len(answer.body)
    assert answer.body.startswith(b'{"')
    api.faults.add("/spaces", Answered(b'{"data":[]}'))
    answer = await send(transport, api)
    assert (answer.body, answer.wire_bytes, answer.status) == (b'{"data":[]}', 11, 200)


async def test_nothing_shows_a_body(api: SimulatedServer, transport: Transport) -> None:
    assert "data" not in repr(await send(transport, api))


PACKED = gzip.compress(b'{"data":[]}' * 200, mtime=0)


@pytest.mark.parametrize(
    ("headers", "body", "match"),
    [
        ({"Content-Encoding": "br"}, b"...", "not asked for"),
        ({"Content-Encoding": "gzip, gzip"}, PACKED, "not asked for"),
        ({"Content-Encoding": "gzip"}, b'{"data":[]}', "does not unpack"),
        ({"Content-Encoding": "gzip"}, PACKED[:-9], "breaks off"),
        ({"Content-Encoding": "gzip"}, b"", "breaks off"),
        ({"Content-Encoding": "gzip"}, PACKED[:-8] + bytes(8), "does not unpack"),
        ({"Content-Encoding": "gzip"}, PACKED + b"and more", "goes on after its end"),
    ],
)
async def test_codings(
    api: SimulatedServer, transport: Transport, headers: dict[str, str], body: bytes, match: str
) -> None:
    api.faults.add("/spaces", Answered(body, headers), count=1)
    with pytest.raises(BadResponse, match=match) as caught:
        await send(transport, api)
    assert caught.value.status == 200
    await closed(api)
    assert (await send(transport, api)).status == 200


async def test_gzip_of_two_members_and_padding(api: SimulatedServer, transport: Transport) -> None:
    api.faults.add("/spaces", Answered(PACKED + PACKED + bytes(9), {"Content-Encoding": "X-GZIP"}))
    assert (await send(transport, api)).body == b'{"data":[]}' * 400


@pytest.mark.parametrize("size", [1, 20, 64, 1000])
async def test_a_body_in_small_pieces(api: SimulatedServer, transport: Transport, size: int) -> None:
    api.faults.add("/spaces", Chunked(size))
    if size >= 64:
        assert (await send(transport, api)).status == 200
    else:
        with pytest.raises(BadResponse, match="too many small pieces"):
            await send(transport, api)


async def test_informational_answers_without_end(api: SimulatedServer, transport: Transport) -> None:
    api.faults.add("/spaces", Informational())
    with pytest.raises(ConnectionFailed, match="the connection broke: RemoteProtocolError"):
        await send(transport, api)
    api.faults.clear()
    api.faults.add("/spaces", Informational(5))
    assert (await send(transport, api)).status == 200


async def test_a_long_body_is_no_long_head(api: SimulatedServer, transport: Transport) -> None:
    body = b"[" + b" " * 2 * MAX_HEAD_BYTES + b"]"
    api.faults.add("/spaces", Answered(body))
    for _ in range(3):
        assert (await send(transport, api, max_bytes=MB)).body == body
    assert api.connections_opened == 1


@pytest.mark.parametrize("gzipped", [False, True])
async def test_just_as_large_as_allowed(api: SimulatedServer, transport: Transport, gzipped: bool) -> None:
    body = b"x" * 100_000
    sent = gzip.compress(body) if gzipped else body
    api.faults.add("/spaces", Answered(sent, {"Content-Encoding": "gzip"} if gzipped else {}))
    assert (await send(transport, api, max_bytes=100_000)).body == body
    with pytest.raises(TooLarge, match="more than 99999 bytes"):
        await send(transport, api, max_bytes=99_999)


@pytest.mark.parametrize("size", [n * 256 * 1024 + more for n in (1, 2, 3) for more in (-1, 0, 1)])
async def test_what_is_unpacked_in_pieces_is_whole(api: SimulatedServer, transport: Transport, size: int) -> None:
    """Also where an answer ends with a piece, and where its last bytes are all read before all is unpacked."""
    body = bytes(size)
    api.faults.add("/spaces", Answered(gzip.compress(body), {"Content-Encoding": "gzip"}))
    assert (await send(transport, api, max_bytes=size)).body == body


@pytest.mark.parametrize("fault", [HugeBody(), HugeBody(declared=True), HugeBody(gzip=True)], ids=repr)
async def test_a_huge_body_takes_no_more_memory_than_allowed(
    api: SimulatedServer, transport: Transport, fault: HugeBody
) -> None:
    api.faults.add("/spaces", fault)
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        with pytest.raises(TooLarge) as caught:
            await send(transport, api, max_bytes=4 * MB, timeout=60)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 32 * MB  # the server is in this process, with its own pieces of a megabyte
    assert caught.value.status == 200
    await closed(api)


async def test_a_bomb_in_one_piece(api: SimulatedServer, transport: Transport) -> None:
    bomb = gzip.compress(bytes(60 * MB))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    api.faults.add("/spaces", Raw(head.encode() + bomb))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            await send(transport, api, max_bytes=4 * MB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 16 * MB


async def test_a_huge_error_keeps_its_status(api: SimulatedServer, transport: Transport) -> None:
    api.faults.add("/spaces", Answered(b"x" * MB, status=503), count=1)
    answer = await send(transport, api)
    assert (answer.status, answer.body) == (503, b"")
    assert (await send(transport, api)).status == 200


# What goes wrong


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Disconnect(), ConnectionFailed),
        (Truncated(), ConnectionFailed),
        (Reset(), ConnectionFailed),
        (EndlessHeaders(), ConnectionFailed),
        (Raw(b"SECRET-junk\r\n\r\n"), ConnectionFailed),
        (Raw(b"HTTP/1.1 SECRET-\r\n\r\n"), ConnectionFailed),
        (Raw(b"HTTP/1.1 200 OK\r\nSECRET- x\r\n\r\n"), ConnectionFailed),
        (Raw(b"HTTP/1.1 200 OK\r\nContent-Length: SECRET-\r\n\r\n"), ConnectionFailed),
        (Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nSECRET-\r\n"), ConnectionFailed),
        (Raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"), ConnectionFailed),
        (Drip(), Timeout),
        (Hang(), Timeout),
    ],
    ids=repr,
)
async def test_a_fault_is_an_error_without_secrets(
    api: SimulatedServer, transport: Transport, fault: Fault, kind: type[FlatfileError]
) -> None:
    rule = api.faults.add("/spaces", fault)
    with pytest.raises(kind) as caught:
        await send(transport, api, timeout=0.3 if kind is Timeout else 30)
    assert type(caught.value) is kind
    assert (caught.value.endpoint, caught.value.status) == ("/spaces", None)
    assert_clean(caught.value)
    await closed(api)
    api.faults.remove(rule)
    assert (await send(transport, api)).status == 200


async def test_the_timeout_is_for_the_whole_exchange(api: SimulatedServer, transport: Transport) -> None:
    """A byte now and then does not prolong it."""
    api.faults.add("/spaces", Drip(0.01))
    with pytest.raises(Timeout, match=r"no complete answer within 1s"):
        await send(transport, api, timeout=1)
    await closed(api)


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_nobody_listens(transport: Transport, closed_port: int, host: str) -> None:
    with pytest.raises(ConnectionFailed, match="cannot connect: Connection refused") as caught:
        await ask(transport, f"http://{host}:{closed_port}/v1")
    assert_clean(caught.value)


def resolving(*addresses: str) -> Transport:
    """A transport on a host whose resolver knows these addresses for every name, or none at all."""

    def look_up(*_: object, **__: object) -> list[Any]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 0)) for address in addresses]

    return Transport(user_agent=AGENT, resolver=Resolver(look_up))


async def test_nobody_listens_at_any_of_several_addresses(closed_port: int) -> None:
    transport = resolving("127.0.0.1", "127.0.0.2")
    with pytest.raises(ConnectionFailed, match="cannot connect: Connection refused"):
        await ask(transport, f"http://two.test:{closed_port}/v1")
    await transport.aclose()


async def test_a_host_that_does_not_exist() -> None:
    transport = resolving()
    with pytest.raises(ConnectionFailed, match="cannot connect: Name or service not known") as caught:
        await ask(transport, "http://nowhere.invalid/v1")
    assert_clean(caught.value)
    await transport.aclose()


# TLS


@dataclass(frozen=True)
class Authority:
    """Who vouches for servers (`ca`) and for clients."""

    ca: trustme.CA = field(default_factory=trustme.CA)

    def server(self, host: str = "127.0.0.1") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(host).configure_cert(context)
        return context

    def client(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ca.configure_trust(context)
        return context


@asynccontextmanager
async def over_tls(served: ssl.SSLContext, trusted: ssl.SSLContext) -> AsyncIterator[tuple[SimulatedServer, Transport]]:
    transport = Transport(user_agent=AGENT, verify=trusted)
    async with SimulatedServer(sized_world(lambda: 0.0, environments=1, spaces=3), ssl_context=served) as api:
        yield api, transport
        await transport.aclose()


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


async def test_a_good_certificate(authority: Authority) -> None:
    async with over_tls(authority.server(), authority.client()) as (api, transport):
        for _ in range(3):
            assert (await send(transport, api)).status == 200
        assert api.connections_opened == 1


@pytest.mark.parametrize(
    ("host", "trusted", "match"),
    [
        ("127.0.0.1", False, "certificate is not valid .*issuer"),
        ("other.test", True, "certificate is not valid .*mismatch"),
    ],
)
async def test_a_bad_certificate(authority: Authority, host: str, trusted: bool, match: str) -> None:
    client = authority.client() if trusted else ssl.create_default_context()
    async with over_tls(authority.server(host), client) as (api, transport):
        with pytest.raises(ConnectionFailed, match=match) as caught:
            await send(transport, api)
        assert_clean(caught.value)
        assert api.count() == 0


async def test_a_server_that_wants_a_certificate(authority: Authority) -> None:
    """It says so after the handshake, when the request has been sent."""
    served = authority.server()
    served.verify_mode = ssl.CERT_REQUIRED
    authority.ca.configure_trust(served)
    async with over_tls(served, authority.client()) as (api, transport):
        with pytest.raises(ConnectionFailed) as caught:
            await send(transport, api)
        assert_clean(caught.value)


@dataclass(frozen=True)
class BrokenRecord(OnWire):
    """A TLS record that nobody can decrypt, in the place of an answer."""

    async def send(self, wire: Wire, reply: Reply) -> None:
        os.write(vars(wire)["_writer"].get_extra_info("socket").fileno(), b"\x17\x03\x03\x00\x20" + bytes(32))
        await wire.gone()


async def test_a_connection_that_somebody_meddles_with(authority: Authority) -> None:
    async with over_tls(authority.server(), authority.client()) as (api, transport):
        api.faults.add("/spaces", BrokenRecord(), count=1)
        with pytest.raises(ConnectionFailed, match=r"the connection broke: .*record") as caught:
            await send(transport, api)
        assert_clean(caught.value)
        assert (await send(transport, api)).status == 200


async def test_a_server_that_does_not_speak_tls(api: SimulatedServer, authority: Authority) -> None:
    transport = Transport(user_agent=AGENT, verify=authority.client())
    with pytest.raises(ConnectionFailed, match="cannot connect"):
        await ask(transport, api.base_url.replace("http:", "https:"))
    await transport.aclose()
    await closed(api)


# Connections


async def test_connections_are_used_again(api: SimulatedServer, transport: Transport) -> None:
    for _ in range(20):
        await send(transport, api)
    assert api.connections_opened == 1
    await asyncio.gather(*(send(transport, api) for _ in range(4)))
    for _ in range(5):
        await asyncio.gather(*(send(transport, api) for _ in range(4)))
    assert api.connections_opened <= 4
    await transport.aclose()
    assert not vars(transport)["_closing"]
    await closed(api)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_an_error_status_keeps_the_connection(api: SimulatedServer, transport: Transport, status: int) -> None:
    api.faults.add("/spaces", Status(status))
    for _ in range(5):
        assert (await send(transport, api)).status == status
    assert api.connections_opened == 1


async def test_a_server_that_keeps_no_connection(api: SimulatedServer, transport: Transport) -> None:
    api.switches.keep_alive = False
    for _ in range(3):
        assert (await send(transport, api)).status == 200
    await closed(api)


async def test_a_connection_that_the_server_has_closed_meanwhile(api: SimulatedServer, transport: Transport) -> None:
    await send(transport, api)
    await api.stop_listening()
    await api.listen()
    assert (await send(transport, api)).status == 200


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_never_more_at_once_than_allowed(api: SimulatedServer, concurrency: int) -> None:
    api.switches.latency = {"*": 0.002}
    async with connected(api, concurrency=concurrency) as client:
        ask = client.session.get
        await asyncio.gather(*(ask(Endpoint.SPACES, {"page": str(i)}, call()) for i in range(30)))
        assert api.most_in_flight == concurrency
        assert open_connections(api) <= concurrency


async def steps(task: asyncio.Task[Answer], number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("turn", [*range(0, 40, 2), 60, 100, 200])
async def test_whenever_it_is_cancelled(api: SimulatedServer, transport: Transport, turn: int, again: bool) -> None:
    """At any turn of the loop, on a new connection or an old one, and once more while it tidies up."""
    if turn % 4:
        await send(transport, api)
    api.faults.add("/spaces", Drip(0.001), count=1)
    task = asyncio.create_task(send(transport, api))
    await steps(task, turn)
    while not task.done():
        task.cancel()
        if not again:
            break
        await asyncio.sleep(0)
    await asyncio.gather(task, return_exceptions=True)
    api.faults.clear()
    for _ in range(2):
        assert (await send(transport, api)).status == 200
    await closed(api, left=1)
    await transport.aclose()
    await closed(api)


async def test_a_request_that_ends_after_the_transport_was_closed(api: SimulatedServer, transport: Transport) -> None:
    rule = api.faults.add("/spaces", Hang())
    task = asyncio.create_task(send(transport, api))
    async with asyncio.timeout(60):
        while not rule.hits:
            await asyncio.sleep(0.001)
    await transport.aclose()
    api.faults.remove(rule)
    assert (await task).status == 200
    await closed(api)


@pytest.mark.parametrize("fault", [Disconnect(), Truncated(), HugeBody(size=3 * MB), Drip(), Status(500)], ids=repr)
async def test_many_failures_leave_nothing_behind(api: SimulatedServer, fault: Fault) -> None:
    told = Told()
    limit = 0.3 if isinstance(fault, Drip) else 10
    api.faults.add("/spaces", fault)
    async with connected(api, retries=2, timeout=limit, max_response_bytes=MB, told=told) as client:
        ask = client.session.get
        errors = await asyncio.gather(*(ask(Endpoint.SPACES, {}, call()) for _ in range(10)), return_exceptions=True)
        assert all(isinstance(error, FlatfileError) for error in errors)
        # one that is given up for its time may not have come as far as the server
        assert api.count() <= len(told.requests)
        assert api.count() == len(told.requests) or isinstance(fault, Drip)
        api.faults.clear()
        await ask(Endpoint.SPACES, {}, call())
        await closed(api, left=4)
    await closed(api)
