"""Name resolution that hangs, fails or is asked for by many: nothing else waits for it."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import ConnectionFailed
from exporter.flatfile.resolver import MAX_LOOK_UP, MAX_LOOK_UPS, Resolver
from exporter.flatfile.transport import Answer, Transport
from tests.flatfile.rig import virtually
from tests.simulator.server import SimulatedServer


def found(*addresses: str) -> list[Any]:
    """What `socket.getaddrinfo` returns."""
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]


class Names:
    """A resolver's look-up that hangs for `hangs.test` until it is let go, and knows two addresses of any other host."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.asked: list[str] = []

    def __call__(self, host: str, port: object, **_: object) -> list[Any]:
        self.asked.append(host)
        if host.startswith("hangs"):
            self.go.wait()
        if host == "unknown.test":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found("127.0.0.2", "127.0.0.1", "127.0.0.1")


@pytest.fixture
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.go.set()


async def ask(transport: Transport, host: str, api: SimulatedServer, timeout: float = 10) -> Answer:
    base = f"http://{host}:{api.port}/v1"
    return await transport.send(
        base, Endpoint.SPACES, params={}, bearer=None, body=None, timeout=timeout, max_bytes=1 << 20
    )


async def test_addresses(names: Names) -> None:
    resolver = Resolver(names)
    assert await resolver.addresses("one.test") == ["127.0.0.2", "127.0.0.1"]
    for literal in ("127.0.0.1", "::1"):
        assert await resolver.addresses(literal) == [literal]
    assert names.asked == ["one.test"]


async def test_real_names() -> None:
    assert set(await Resolver().addresses("localhost")) <= {"127.0.0.1", "::1"}
    with pytest.raises(socket.gaierror):
        await Resolver().addresses("a" * 300)
    with pytest.raises(socket.gaierror):
        await Resolver().addresses("a..b")


async def test_a_look_up_that_hangs_is_one_for_all_who_ask_and_hinders_no_other(names: Names) -> None:
    resolver = Resolver(names)
    waiting = [asyncio.create_task(resolver.addresses("hangs.test")) for _ in range(20)]
    await asyncio.sleep(0)
    assert await resolver.addresses("one.test") == ["127.0.0.2", "127.0.0.1"]
    for task in waiting[:10]:
        task.cancel()
    await asyncio.wait(waiting[:10])
    waiting.append(asyncio.create_task(resolver.addresses("hangs.test")))
    await asyncio.sleep(0)
    assert names.asked == ["hangs.test", "one.test"]
    names.go.set()
    assert await asyncio.gather(*waiting[10:]) == [["127.0.0.2", "127.0.0.1"]] * 11
    await resolver.addresses("hangs.test")
    assert names.asked.count("hangs.test") == 2, "an answer is used by those who waited for it, and not kept"


async def test_look_ups_that_hang_are_bounded(names: Names) -> None:
    resolver = Resolver(names)
    waiting = [asyncio.create_task(resolver.addresses(f"hangs-{i}.test")) for i in range(MAX_LOOK_UPS)]
    await asyncio.sleep(0)
    with pytest.raises(socket.gaierror, match="too many"):
        await resolver.addresses("one.test")
    names.go.set()
    await asyncio.gather(*waiting)
    assert await resolver.addresses("one.test")


def test_nobody_waits_longer_than_the_limit(names: Names) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(socket.gaierror, match="no name resolution within 10s"):
            await Resolver(names).addresses("hangs.test")
        assert loop.time() == pytest.approx(1000 + MAX_LOOK_UP)

    virtually(main())


async def test_the_client_resolves_names_by_this_alone(api: SimulatedServer, names: Names) -> None:
    """Not in asyncio's own threads, which others need: here they are all taken."""
    loop = asyncio.get_running_loop()
    taken = [loop.run_in_executor(None, names.go.wait) for _ in range(64)]
    transport = Transport(user_agent="test", resolver=Resolver(names))
    hanging = asyncio.create_task(ask(transport, "hangs.test", api))
    assert (await ask(transport, "one.test", api)).status == 401
    with pytest.raises(ConnectionFailed, match="cannot connect: Name or service not known"):
        await ask(transport, "unknown.test", api)
    names.go.set()
    assert (await hanging).status == 401
    await asyncio.gather(*taken)
    await transport.aclose()


async def test_the_address_that_worked_is_the_first_one_the_next_time(names: Names, api: SimulatedServer) -> None:
    """Nobody listens at 127.0.0.2, where the first connection is tried."""
    transport = Transport(user_agent="test", resolver=Resolver(names))
    api.switches.keep_alive = False
    for _ in range(3):
        assert (await ask(transport, "one.test", api)).status == 401
    assert list(transport._network._worked.values()) == ["127.0.0.1"]
    await transport.aclose()
