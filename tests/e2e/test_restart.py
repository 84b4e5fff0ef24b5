"""Restarts of a real process with --storage.path: each event counted once, whatever ended the process and whenever."""

import itertools
import random
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer

from .process import ANY_PORT, Exporter, eventually, exporter, run, serving

ONLY_EVENTS = (
    "requests: {per_second: 1000, retries: 1}\n"
    "collectors: {spaces: {enabled: false}, agents: {enabled: false}, users: {enabled: false}, guests: {enabled: false}}\n"
)
TOPICS = ("job:failed", "file:created", "tea:made")


def totals(page: str) -> Counter[tuple[str, str]]:
    """How many events were counted, by environment and topic."""
    return Counter(
        {
            (sample.labels["environment_id"], sample.labels["topic"]): int(sample.value)
            for family in parse_text(page)
            for sample in family.samples
            if sample.name == "flatfile_events_total" and sample.value
        }
    )


class Bustle:
    """Events in both environments, from a thread: several in one moment, and some that become visible late."""

    def __init__(self, api: SimulatedServer) -> None:
        self.emitted: Counter[tuple[str, str]] = Counter()
        self._api = api
        self._environments = list(api.world.environments)
        self._rng = random.Random(7)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._go_on)

    def __enter__(self) -> "Bustle":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.wait(0.01):
            self._api.call(self._some)

    def _some(self) -> None:
        now = time.time()
        for _ in range(self._rng.randrange(4)):
            environment, topic = self._rng.choice(self._environments), self._rng.choice(TOPICS)
            late = self._rng.choice((0.0, 0.0, 0.1, 1.5))
            self._api.world.emit(topic, environment, at=now, visible_at=now + late, runs=False)
            self.emitted[environment, topic] += 1


def stops(running: Exporter, number: int) -> None:
    running.signal(number)
    assert running.ended() == (0 if number == signal.SIGTERM else -number)


def test_each_event_counts_once_however_often_it_is_killed(api: SimulatedServer, tmp_path: Path) -> None:
    config = configuration(account_lines("acme", api.base_url), more=ONLY_EVENTS)
    storage = f"--storage.path={tmp_path / 'states'}"
    rng = random.Random(11)
    with serving(config, tmp_path, storage) as running:
        assert totals(running.page()) == {}
        stops(running, signal.SIGTERM)
    before: Counter[tuple[str, str]] = Counter()
    with Bustle(api) as bustle:
        for number in itertools.count():
            if number >= 6 and before:
                break
            with serving(config, tmp_path, storage) as running:
                # on a busy machine the first ones may be killed before they have answered anything
                killer = threading.Timer(rng.uniform(0, 0.1 * (number + 4)), running.signal, [signal.SIGKILL])
                killer.start()
                try:
                    while True:
                        page = totals(running.page())
                        assert all(page[key] >= value for key, value in before.items()), "a counter went back"
                        before = page or before
                except httpx.TransportError:
                    pass
                killer.join()
                running.ended()
                assert "restart at 0" not in running.text, f"run {number}"
    with serving(config, tmp_path, storage) as running:
        eventually(lambda: totals(running.page()) == bustle.emitted, "all events counted, and no more")
        assert totals(running.page()) == bustle.emitted
        stops(running, signal.SIGTERM)
        assert "resuming event counts" in running.text
    with serving(config, tmp_path, storage) as running:
        assert totals(running.page()) == bustle.emitted
    states = [path.name for path in (tmp_path / "states").iterdir()]
    assert sum(name.endswith(".sqlite") for name in states) == 1
    assert not any("unusable" in name for name in states)


def test_without_it_counting_begins_anew(api: SimulatedServer, tmp_path: Path) -> None:
    config = configuration(account_lines("acme", api.base_url), more=ONLY_EVENTS)
    environment = next(iter(api.world.environments))
    for _ in range(2):
        with serving(config, tmp_path) as running:
            running.page()
            api.call(api.world.emit, "job:failed", environment, runs=False)
            assert totals(running.page()) == {(environment, "job:failed"): 1}
            stops(running, signal.SIGTERM)


def test_a_reload_that_changes_the_account_keeps_its_counts(api: SimulatedServer, tmp_path: Path) -> None:
    config = configuration(account_lines("acme", api.base_url), more=ONLY_EVENTS)
    environment = next(iter(api.world.environments))
    with serving(config, tmp_path, f"--storage.path={tmp_path / 'states'}") as running:
        running.page()
        api.call(api.world.emit, "job:failed", environment, runs=False)
        assert totals(running.page()) == {(environment, "job:failed"): 1}
        (tmp_path / "config.yaml").write_text(config + "events: {window: 1m}\n")
        running.signal(signal.SIGHUP)
        running.wait_for("configuration loaded.*new_or_changed=1")
        assert totals(running.page()) == {(environment, "job:failed"): 1}
        api.call(api.world.emit, "job:failed", environment, runs=False)
        assert totals(running.page()) == {(environment, "job:failed"): 2}


FULL_DISK = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
runpy.run_module("exporter", run_name="__main__")
"""


def test_a_full_disk_is_said_once_and_metrics_go_on(api: SimulatedServer, tmp_path: Path) -> None:
    """No file may grow beyond 100 bytes, which a state does."""
    (tmp_path / "config.yaml").write_text(configuration(account_lines("acme", api.base_url), more=ONLY_EVENTS))
    arguments = [f"--config.file={tmp_path / 'config.yaml'}", f"--storage.path={tmp_path / 'states'}", ANY_PORT]
    environment = next(iter(api.world.environments))
    with exporter(*arguments, program=("-c", FULL_DISK)) as running:
        running.listens().page()
        running.wait_for("continuing in memory.*states/acme.sqlite")
        for number in range(5):
            api.call(api.world.emit, "job:failed", environment, runs=False)
            page = running.page()
            assert totals(page) == {(environment, "job:failed"): number + 1}
        stops(running, signal.SIGTERM)
        assert running.text.count("continuing in memory") == 1
        assert 'flatfile_exporter_storage_success{account="acme"} 0' in page
    with exporter(*arguments) as running:  # there is room again
        running.listens().page()
        stops(running, signal.SIGTERM)
        assert "in memory" not in running.text
    assert len(list((tmp_path / "states").glob("*.sqlite"))) == 1


def test_two_exporters_do_not_share_a_directory(api: SimulatedServer, tmp_path: Path) -> None:
    config = configuration(account_lines("acme", api.base_url), more=ONLY_EVENTS)
    storage = f"--storage.path={tmp_path / 'states'}"
    with serving(config, tmp_path, storage) as running:
        second = run(f"--config.file={tmp_path / 'config.yaml'}", storage, ANY_PORT)
        assert second.returncode == 1
        assert second.stderr.splitlines()[-1] == (
            f"flatfile-exporter: --storage.path: {tmp_path / 'states'} is in use by another exporter; "
            "each needs a directory of its own"
        )
        stops(running, signal.SIGKILL)
    with serving(config, tmp_path, storage) as running:  # whoever was killed holds nothing
        running.page()


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_directory_that_cannot_be_used_is_an_error_at_the_start(command: str, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(configuration(account_lines("acme", "http://127.0.0.1:9/v1")))
    (tmp_path / "states").write_text("a file")
    config = [f"--config.file={tmp_path / 'config.yaml'}"] if command == "serve" else []
    done = run(command, *config, ANY_PORT, f"--storage.path={tmp_path / 'states'}")
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1] == f"flatfile-exporter: --storage.path: {tmp_path / 'states'} is not a directory"
    )
    assert "Traceback" not in done.stderr


def test_the_demo_goes_on_too(tmp_path: Path) -> None:
    for _ in range(2):
        with exporter("demo", ANY_PORT, f"--storage.path={tmp_path / 'states'}") as running:
            running.listens().page()
            stops(running, signal.SIGTERM)
    assert "resuming event counts" in running.text
