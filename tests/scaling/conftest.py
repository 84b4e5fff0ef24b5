"""Programs and a simulated account.

Without VictoriaMetrics its tests are skipped, and fail where CI is set. Thanos is in no package of Debian: without it
its tests are skipped.
"""

import shutil
import time
from collections.abc import Iterator

import pytest

from exporter.demo.accounts import demo_world
from exporter.demo.life import Life
from tests.programs import program
from tests.simulator.server import SimulatedServer


@pytest.fixture(scope="session")
def victoria_metrics_program() -> str:
    return program("victoria-metrics")


@pytest.fixture(scope="session")
def vmagent_program() -> str:
    return program("vmagent")


@pytest.fixture(scope="session")
def vmalert_program() -> str:
    return program("vmalert")


@pytest.fixture(scope="session")
def thanos_program() -> str:
    path = shutil.which("thanos")
    if path is None:
        pytest.skip("thanos is not on PATH: queries and rules were not tried on Thanos")
    return path


@pytest.fixture(scope="module")
def living_api() -> Iterator[SimulatedServer]:
    """The demo's account, in which something happens."""
    world = demo_world(time.time)
    with SimulatedServer(world, life=Life(world)).in_thread() as api:
        yield api
