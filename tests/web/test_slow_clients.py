"""Strangers at the door, on real sockets: each is let go of in the end, and others are answered meanwhile."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web.server import Address, listen, server
from exporter.web.slow_clients import ClientLimits, Connection

LARGE = 32 << 20  # bytes: more than the sockets' buffers hold
QUESTION = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
SHORT = ClientLimits(head_timeout=0.05, response_timeout=0.05, handshake_timeout=0.05)


@dataclass
class Door:
    """What listens: `connections` are those that it has."""

    address: tuple[str, int]
    connections: set[Connection]

    async def connect(self, **tls: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(*self.address, **tls)  # type: ignore[arg-type]

    async def answer(
        self, request: bytes = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", *, end: bool = False
    ) -> bytes:
        """All that comes until the connection ends. `end`: nothing more will be asked."""
        reader, writer = await self.connect()
        writer.write(request)
        if end:
            writer.write_eof()
        said = b""
        with contextlib.suppress(ConnectionError):
            while piece := await reader.read(65536):
                said += piece
        writer.transport.abort()
        return said


async def _hello(request: Request) -> Response:
    return PlainTextResponse("hello")


async def _large(request: Request) -> Response:
    return Response(bytes(LARGE))


@contextlib.asynccontextmanager
async def door(patience: ClientLimits, tls: ssl.SSLContext | None = None) -> AsyncIterator[Door]:
    app = Starlette(routes=[Route("/", _hello), Route("/large", _large)])
    (opened,) = listen(Address("127.0.0.1", 0))
    host, port = opened.getsockname()
    running = server(app, tls, patience)
    task = asyncio.create_task(running.serve(sockets=[opened]))
    try:
        yield Door((host, port), running.server_state.connections)  # type: ignore[arg-type]
    finally:
        running.should_exit = True
        await task


async def _ended(reader: asyncio.StreamReader) -> bytes:
    """What came until the other side hung up."""
    said = b""
    with contextlib.suppress(ConnectionError):
        while piece := await reader.read(65536):
            said += piece
    return said


HEADS = [b"", b"G", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\nX-More: "]


@pytest.mark.parametrize("begun", HEADS, ids=["silent", "a-letter", "a-line", "half-a-head"])
async def test_a_head_that_does_not_come_is_not_waited_for(begun: bytes) -> None:
    async with door(SHORT) as there:
        reader, writer = await there.connect()
        writer.write(begun)
        assert await _ended(reader) == b""
        assert there.connections == set()
        writer.close()


async def test_a_head_that_drips_has_no_more_time_than_one_that_does_not_come() -> None:
    async with door(SHORT) as there:
        reader, writer = await there.connect()
        ended = asyncio.create_task(_ended(reader))
        while not ended.done():  # for ever, were the time counted anew
            writer.write(b"X")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.wait([ended], timeout=0.01)
        assert b"200" not in await ended
        writer.close()


async def test_the_second_head_of_a_connection_has_no_more_time_than_the_first() -> None:
    async with door(SHORT) as there:
        reader, writer = await there.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        writer.write(b"GET / HTTP/1.1\r\n")
        assert await _ended(reader) == b""
        writer.close()


async def test_a_connection_may_rest_between_requests() -> None:
    async with door(ClientLimits(head_timeout=0.05)) as there:
        reader, writer = await there.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"hello")
        silent, other = await there.connect()
        await _ended(silent)  # as long as another one is waited for
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        writer.close()
        other.close()


@pytest.mark.parametrize("then", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_that_is_not_read_is_dropped(then: bytes) -> None:
    async with door(SHORT) as there:
        reader, writer = await asyncio.open_connection(*there.address, limit=1024)
        writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n" + then + b"\r\n")
        await reader.readexactly(1)
        await _gone(there)
        assert len(await _ended(reader)) < LARGE
        writer.close()


async def test_a_body_that_drips_after_its_answer_is_dropped() -> None:
    async with door(SHORT) as there:
        reader, writer = await there.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        ended = asyncio.create_task(_ended(reader))
        while not ended.done():
            writer.write(b"x")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            await asyncio.wait([ended], timeout=0.01)
        assert (await ended).startswith(b"HTTP/1.1 405 ")
        writer.close()


async def test_junk_in_the_body_of_what_is_answered_already_ends_the_connection_in_silence() -> None:
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    async with door(SHORT) as there:
        reader, writer = await there.connect()
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\nMethod Not Allowed")).startswith(b"HTTP/1.1 405 ")
        writer.write(b"this is no chunk\r\n")
        assert await _ended(reader) == b""
        writer.close()
    assert raised == []


async def test_a_handshake_that_does_not_come_is_not_waited_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with door(SHORT, context) as there:
        reader, writer = await there.connect()
        assert await _ended(reader) == b""
        writer.close()


async def test_a_crowd_of_the_silent_keeps_nobody_out() -> None:
    async with door(ClientLimits(head_timeout=600.0, max_connections=20)) as there:
        crowd = [await there.connect() for _ in range(200)]
        for _ in range(3):
            assert (await there.answer()).endswith(b"hello")
        assert len(there.connections) <= 20
        for _, writer in crowd:
            writer.transport.abort()


async def test_in_a_crowd_those_who_never_asked_go_first() -> None:
    async with door(ClientLimits(head_timeout=600.0, max_connections=5)) as there:
        reader, writer = await there.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"hello")
        crowd = [await there.connect() for _ in range(50)]
        assert (await there.answer()).endswith(b"hello")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200 ")
        for _, each in [*crowd, (reader, writer)]:
            each.transport.abort()


JUNK = st.one_of(
    st.binary(min_size=1, max_size=2000),
    st.binary(max_size=200).map(lambda tail: b"GET / HTTP/1.1\r\nHost: x\r\n" + tail),
    st.binary(max_size=200).map(
        lambda tail: b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + tail
    ),
    st.text(max_size=200).map(lambda path: b"GET /" + path.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
)


@settings(max_examples=10, deadline=None)
@given(st.lists(JUNK, min_size=1, max_size=50))
def test_whatever_bytes_come_the_next_one_is_answered(junk: list[bytes]) -> None:
    async def knock() -> None:
        raised: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
        async with door(SHORT) as there:
            for each in junk:
                said = await there.answer(each, end=True)
                assert not said or said.startswith(b"HTTP/1.1 ")
                assert (await there.answer()).endswith(b"hello")
        assert raised == []

    asyncio.run(knock())


async def _gone(there: Door) -> None:
    while there.connections:
        await asyncio.sleep(0.01)
