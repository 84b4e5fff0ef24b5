"""Three exporters with one configuration, each scraped for its share of the accounts: what becomes of a share when one dies."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.process import eventually, exporter
from tests.grafana.e2e import programs
from tests.grafana.e2e.programs import Json, Prometheus
from tests.grafana.queries import all_queries
from tests.ports import free_port
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .guide import block

NAMES = {f"customer{number}" for number in range(12)}
SPACES = 3


class Place:
    """Where an exporter runs: its address, its share, and its volume if it has one."""

    def __init__(self, number: int, config: Path, volume: Path | None) -> None:
        self.number = number
        self.address = f"127.0.0.1:{free_port()}"
        self._config = config
        self._volume = volume
        self._running = ExitStack()

    def start(self) -> None:
        flags = [] if self._volume is None else [f"--storage.path={self._volume}"]
        command = (f"--config.file={self._config}", f"--web.listen-address={self.address}", *flags)
        self._running.enter_context(exporter(*command)).listens()

    def kill(self) -> None:
        """Also where none runs."""
        self._running.close()


@dataclass(frozen=True, slots=True)
class Three:
    """All that runs. Every account reads the same world."""

    api: SimulatedServer
    prometheus: Prometheus
    places: list[Place]

    def emit(self, events: int) -> None:
        """Let so many events happen, of which each account is told."""
        (environment,) = self.api.world.environments
        for _ in range(events):
            self.api.call(self.api.world.emit, "records:created", environment, runs=False)

    def share(self, number: int) -> set[str]:
        """The accounts for which this exporter is scraped, and answers."""
        up = self.prometheus.now(f'flatfile_up{{instance=~"{self.places[number].address}/.+"}} == 1')
        return {one["metric"]["account"] for one in up}

    def counts(self, expected: dict[str, int]) -> bool:
        """Whether the accounts' counts of events are these, each from one exporter."""
        found = self.prometheus.now('flatfile_events_total{topic="records:created"}')
        counts = [(one["metric"]["account"], int(one["value"][1])) for one in found]
        return sorted(counts) == sorted(expected.items())


def shares(places: list[Place], served_by: dict[int, str]) -> Json:
    """The guide's configuration with three exporters; `served_by` has the pattern of the shares that each one serves."""
    text = block("yaml hashmod").replace("modulus: 2", "modulus: 3").replace("30s", "1s").replace("10s", "1s")
    first: dict[str, Any] = yaml.safe_load(text)["scrape_configs"][0]
    written = yaml.safe_dump(first)
    for there in ("flatfile-exporter-0:10056", "flatfile-0", ".+;0"):
        assert there in written
    configs = [
        yaml.safe_load(
            written.replace("flatfile-exporter-0:10056", places[number].address)
            .replace("flatfile-0", f"flatfile-{number}")
            .replace(".+;0", f".+;{pattern}")
        )
        for number, pattern in served_by.items()
    ]
    return {"scrape_configs": configs}


@pytest.fixture(scope="module")
def three(prometheus_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Three]:
    """All accounts are scraped. The last exporter has no volume."""
    directory = tmp_path_factory.mktemp("three")
    world = sized_world(time.time, environments=1, spaces=SPACES, guests=2, users=3, agents=1)
    with ExitStack() as stack:
        api = stack.enter_context(SimulatedServer(world).in_thread())
        config = directory / "config.yaml"
        config.write_text(configuration(*(account_lines(name, api.base_url) for name in sorted(NAMES))))
        config.chmod(0o600)
        volumes = [directory / "volume-0", directory / "volume-1", None]
        places = [Place(number, config, volume) for number, volume in enumerate(volumes)]
        for place in places:
            stack.callback(place.kill)
            place.start()
        each_its_own = shares(places, {0: "0", 1: "1", 2: "2"})
        prometheus = stack.enter_context(programs.prometheus(prometheus_program, each_its_own, directory))
        running = Three(api, prometheus, places)
        eventually(lambda: set.union(*map(running.share, range(3))) == NAMES, "all accounts are scraped")
        yield running


def test_one_that_starts_again_goes_on_from_its_volume(three: Three) -> None:
    parts = [three.share(number) for number in range(3)]
    assert all(parts)
    assert sum(map(len, parts)) == len(NAMES)
    three.emit(30)
    eventually(lambda: three.counts(dict.fromkeys(NAMES, 30)), "all are counted")
    for place in three.places[1:]:
        place.kill()
    eventually(lambda: three.share(0) == parts[0] and not three.share(1) | three.share(2), "theirs are not scraped")
    three.emit(20)
    for place in three.places[1:]:
        place.start()
    eventually(lambda: [three.share(number) for number in range(3)] == parts, "all are back")
    three.emit(10)
    expected = dict.fromkeys(NAMES, 60) | dict.fromkeys(parts[2], 10)
    eventually(lambda: three.counts(expected), "each event once; without a volume those since the start")
    again = three.prometheus.now("resets(flatfile_events_total[1h]) > 0")
    assert {one["metric"]["account"] for one in again} == parts[2]


def test_a_share_moves_to_another_one(three: Three) -> None:
    parts = [three.share(number) for number in range(3)]
    three.places[2].kill()
    three.prometheus.load(shares(three.places, {0: "[02]", 1: "1", 2: "none"}))
    eventually(lambda: three.share(0) == parts[0] | parts[2], "the first one serves two shares")
    three.emit(5)
    eventually(lambda: three.counts(dict.fromkeys(NAMES, 65)), "it has counted since its own start")


def test_the_dashboards_counted_nothing_twice(three: Three) -> None:
    """At no second of all that. The series of a removed target go on for some scrapes."""
    (expr,) = {query.expr for query in all_queries() if "'Spaces by state', " in query.place}
    (most,) = three.prometheus.now(f"max_over_time(({expr})[1h:1s]) > 0")
    assert most["metric"] == {"state": "active"}
    assert int(most["value"][1]) == SPACES * len(NAMES)
