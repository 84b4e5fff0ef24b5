"""A simulated API for the processes of these tests."""

import time
from collections.abc import Iterator

import pytest

from exporter.demo.accounts import sized_world
from exporter.demo.server import DemoServer


@pytest.fixture
def api() -> Iterator[DemoServer]:
    """Two environments, six spaces, eight guests, five users; served from a thread."""
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=10)
    with DemoServer(world).in_thread() as running:
        yield running
