"""Programs and a simulated account; without VictoriaMetrics its tests are skipped, and fail where CI is set."""

import os
import shutil
import time
from collections.abc import Iterator

import pytest

from exporter.demo.accounts import demo_world
from exporter.demo.life import Life
from exporter.demo.server import DemoServer


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is not None:
        return path
    message = f"{name} is not installed (tests/system-packages.sh)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def victoria_metrics_program() -> str:
    return _program("victoria-metrics")


@pytest.fixture(scope="session")
def vmalert_program() -> str:
    return _program("vmalert")


@pytest.fixture(scope="module")
def living_api() -> Iterator[DemoServer]:
    """The demo's account, in which something happens."""
    world = demo_world(time.time)
    with DemoServer(world, life=Life(world)).in_thread() as api:
        yield api
