"""Connections that stay open between scrapes: enough for a few accounts, one for each of many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.transport import Transport


class Server:
    """Answers a request when `together` of them have come, and knows how many connections are open."""

    def __init__(self) -> None:
        self.open = 0
        self.waiting: list[asyncio.Event] = []
        self.together = 1

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.waiting.append(asyncio.Event())
                mine = self.waiting[-1]
                if len(self.waiting) == self.together:
                    for event in self.waiting:
                        event.set()
                    self.waiting.clear()
                await mine.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.open -= 1
            writer.close()

    async def ask(self, transport: Transport, together: int) -> None:
        """So many requests side by side."""
        self.together = together

        async def one() -> None:
            await transport.send(
                self.url, Endpoint.SPACES, params={}, bearer=None, body=None, timeout=30, max_bytes=1000
            )

        await asyncio.gather(*(one() for _ in range(together)))

    async def until(self, connections: int) -> None:
        while self.open != connections:
            await asyncio.sleep(0.01)

    url = ""


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    served = Server()
    running = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    served.url = f"http://127.0.0.1:{running.sockets[0].getsockname()[1]}"
    async with running:
        yield served


async def test_many_accounts_keep_one_connection_each(server: Server) -> None:
    transports = [Transport(user_agent="test") for _ in range(64)]
    await server.ask(transports[0], 4)
    assert server.open == 4
    await server.until(1)
    await server.ask(transports[0], 1)
    assert server.open == 1, "the one that was kept is used"
    for transport in transports:
        await transport.aclose()
    await server.until(0)


async def test_a_few_accounts_keep_several(server: Server) -> None:
    alone = Transport(user_agent="test")
    await server.ask(alone, 4)
    alone._trim()
    await server.ask(alone, 4)
    assert server.open == 4
    await alone.aclose()
    await server.until(0)


async def test_accounts_that_are_closed_do_not_count(server: Server) -> None:
    gone = [Transport(user_agent="test") for _ in range(64)]
    for transport in gone:
        await transport.aclose()
    alone = Transport(user_agent="test")
    await server.ask(alone, 4)
    alone._trim()
    assert len(alone._idle) == 4
    await alone.aclose()
