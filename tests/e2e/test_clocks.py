"""The system's clock is set while the exporter runs: with libfaketime, as an administrator or NTP would set it."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import Exporter, eventually, serving
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
requests: {{retries: 1, per_second: 1000}}
collectors:
  users: {{interval: 0s, max_age: 3s}}
  jobs: {{interval: 0s}}
"""
LIBRARY = "/usr/$LIB/faketime/libfaketimeMT.so.1"
NEEDED = pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
EVENTS = 30


class WallClock:
    """The exporter's wall clock. Its monotonic clock goes on as it is."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set it to so many seconds ahead of the right time."""
        new = self._path.with_suffix(".new")
        new.write_text(f"{seconds:+d}s\n", encoding="ascii")
        new.rename(self._path)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "LD_PRELOAD": LIBRARY,
            "FAKETIME_TIMESTAMP_FILE": str(self._path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }


@contextmanager
def simulated() -> Iterator[SimulatedServer]:
    world = sized_world(time.time, environments=1, spaces=1, guests=1, users=5, agents=0, events=0)
    [environment] = world.environments
    world.add_job(environment, None, at=time.time() - 60, announce=False)
    for number in range(EVENTS):
        world.emit("file:created", environment, at=time.time() - number, runs=False)
    with SimulatedServer(world).in_thread() as api:
        yield api


def value(running: Exporter, name: str, **labels: str) -> float | None:
    found = [
        sample.value
        for family in parse_text(running.page())
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found) if found else None


def happens(api: SimulatedServer) -> None:
    [environment] = api.world.environments
    api.call(api.world.emit, "file:created", environment, at=time.time(), runs=False)


@NEEDED
def test_the_library_steps_the_wall_clock_alone(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.step(4000)
    program = "import time; print(time.time(), time.monotonic())"
    done = subprocess.run(
        ["python3", "-c", program], env=clock.environment, capture_output=True, text=True, check=True, timeout=60
    )
    wall, monotonic = map(float, done.stdout.split())
    assert wall > time.time() + 3900
    assert monotonic < time.monotonic() + 100


@NEEDED
@pytest.mark.parametrize("at_start", [0, 3600, -3600])
def test_a_clock_that_is_set_changes_no_value(at_start: int, tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    clock.step(at_start)
    with simulated() as api, serving(CONFIG % api.base_url, tmp_path, env=clock.environment) as running:
        began = time.monotonic()
        topic = {"topic": "file:created"}
        assert value(running, "flatfile_events_per_second", **topic) == pytest.approx(EVENTS / 300)
        for number, seconds in enumerate((at_start + 400, at_start, at_start - 4000, 400_000_000, at_start), start=1):
            clock.step(seconds)
            happens(api)
            eventually(lambda n=number: value(running, "flatfile_events_total", **topic) == n, "it is counted")  # type: ignore[misc]
            rate = value(running, "flatfile_events_per_second", **topic)
            if time.monotonic() - began < 250:
                assert rate == pytest.approx((EVENTS + number) / 300)
            assert value(running, "flatfile_jobs") == 1
            assert value(running, "flatfile_users_active", window="30d") == 5
            assert value(running, "flatfile_up") == 1
        assert "Traceback" not in running.text


@NEEDED
def test_old_data_does_not_become_fresh_when_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = WallClock(tmp_path / "clock")
    with simulated() as api, serving(CONFIG % api.base_url, tmp_path, env=clock.environment) as running:
        assert value(running, "flatfile_users") == 5
        api.faults.add("*", Status(500))
        clock.step(-3600)
        eventually(lambda: value(running, "flatfile_users") is None, "what is older than max_age is withheld")
        clock.step(-7200)
        assert value(running, "flatfile_users") is None
        api.faults.clear()
        eventually(lambda: value(running, "flatfile_users") == 5, "it is read again")
