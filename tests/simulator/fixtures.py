"""Fixtures of the tests of the simulated account."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.world import World
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW, fixed_world, sized_world


@pytest.fixture
def world() -> World:
    """Three environments, twelve spaces (one archived), twenty guests, forty events."""
    return sized_world(lambda: FIXED_NOW, environments=3, spaces=12, guests=20, users=5, agents=3, events=40)


@pytest.fixture
async def api(world: World) -> AsyncIterator[SimulatedServer]:
    """A server of that world."""
    async with SimulatedServer(world) as server:
        yield server


@pytest.fixture
async def client(api: SimulatedServer) -> AsyncIterator[httpx.AsyncClient]:
    """A client that is let in."""
    api.switches.ready_tokens.add("pat_test")
    headers = {"Authorization": "Bearer pat_test"}
    async with httpx.AsyncClient(base_url=api.base_url, headers=headers, timeout=60, trust_env=False) as session:
        yield session


@pytest.fixture
def fixed_api() -> Iterator[SimulatedServer]:
    """The fixed account, served from a thread."""
    with SimulatedServer(fixed_world()).in_thread() as server:
        server.switches.ready_tokens.add("pat_test")
        yield server


@pytest.fixture
def credentials() -> dict[str, str]:
    return {"clientId": CLIENT_ID, "secret": SECRET}
