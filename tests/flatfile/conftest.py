"""Fixtures of the client's tests."""

from collections.abc import AsyncIterator

import pytest

from exporter.demo.world import World
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW, sized_world


@pytest.fixture
def world() -> World:
    """Three environments, 25 spaces (one archived), twenty guests, forty events."""
    return sized_world(lambda: FIXED_NOW, environments=3, spaces=26, guests=20, users=5, agents=3, events=40)


@pytest.fixture
async def api(world: World) -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer(world) as server:
        yield server
