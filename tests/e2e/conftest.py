"""A simulated API for the processes of these tests."""

import time
from collections.abc import Iterator

import pytest

from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    """Two environments, six spaces, eight guests, five users; served from a thread."""
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=10)
    with SimulatedServer(world).in_thread() as running:
        yield running
