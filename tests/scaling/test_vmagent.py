"""Two vmagent that scrape the accounts of one exporter for one VictoriaMetrics: each a part of them, or both all of them."""

import shlex
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import eventually, serving
from tests.grafana.e2e.programs import Json, running
from tests.grafana.e2e.scaled_rules import write_scaled
from tests.ports import free_port
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .engines import HEALTH, VictoriaMetrics, for_older_vmalert, victoria_metrics, vmalert
from .guide import block

NAMES = [f"customer{number}" for number in range(12)]
IDLE = "requests: {per_second: 1000}\ncollectors: {executions: {interval: 5m}}\n"
"""Runs are asked for again after five minutes where nothing happens: too late, if time runs faster for the rules alone."""
FACTOR = 60  # a second stands for a minute
INTERVAL = "2s"


class Agent:
    """A running vmagent."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self._url = url
        self.process = process

    def targets(self) -> set[str]:
        """What it scrapes."""
        answer: Json = httpx.get(f"{self._url}/api/v1/targets", trust_env=False).json()
        return {target["labels"]["instance"] for target in answer["data"]["activeTargets"]}


@pytest.fixture(scope="module")
def scrape(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The guide's configuration with the address of an exporter."""
    world = sized_world(time.time, environments=1, spaces=2, guests=2, users=3, agents=1)
    with SimulatedServer(world).in_thread() as api:
        config = configuration(*(account_lines(name, api.base_url) for name in NAMES), more=IDLE)
        with serving(config, tmp_path_factory.mktemp("exporter")) as exporter:
            exporter.page()
            text = block("yaml victoria-metrics").replace("30s", INTERVAL).replace("10s", INTERVAL)
            yield text.replace("http://flatfile-exporter:10056", exporter.url)


@contextmanager
def agents(program: str, scrape: str, engine: VictoriaMetrics, directory: Path, *flags: str) -> Iterator[list[Agent]]:
    """As the guide starts them, with more flags."""
    path = directory / "scrape.yaml"
    path.write_text(scrape, encoding="utf-8")
    lines = block("sh vmagent").replace("\\\n", " ").replace("http://victoria-metrics:8428", engine.url)
    with ExitStack() as stack:
        started = []
        for number, line in enumerate(lines.replace("=scrape.yaml", f"={path}").splitlines()):
            address = f"127.0.0.1:{free_port()}"
            own = [f"-httpListenAddr={address}", f"-remoteWrite.tmpDataPath={directory / f'agent-{number}'}"]
            command = [program, *shlex.split(line)[1:], *own, *flags]
            log = directory / f"agent-{number}.log"
            started.append(
                Agent(f"http://{address}", stack.enter_context(running(command, f"http://{address}", log, HEALTH)))
            )
        yield started


def up(engine: VictoriaMetrics) -> bool:
    """Whether all accounts were scraped a moment ago."""
    return len(engine.now("count_over_time(flatfile_up[6s]) and flatfile_up == 1")) == len(NAMES)


def test_they_share_the_accounts(
    vmagent_program: str, victoria_metrics_program: str, scrape: str, tmp_path: Path
) -> None:
    with (
        victoria_metrics(victoria_metrics_program, {"scrape_configs": []}, tmp_path) as engine,
        agents(vmagent_program, scrape, engine, tmp_path) as started,
    ):
        eventually(lambda: up(engine), "all accounts are scraped")
        first, second = (agent.targets() for agent in started)
        assert first
        assert second
        assert not first & second
        assert len(first | second) == len(NAMES) + 1, "the exporter itself is a target"


def test_one_of_two_that_scrape_all_is_killed(
    vmagent_program: str, victoria_metrics_program: str, vmalert_program: str, scrape: str, tmp_path: Path
) -> None:
    rules = [for_older_vmalert(path) for path in write_scaled(tmp_path, FACTOR)]
    with ExitStack() as stack:
        flags = [f"-dedup.minScrapeInterval={INTERVAL}"]
        engine = stack.enter_context(
            victoria_metrics(victoria_metrics_program, {"scrape_configs": []}, tmp_path, flags)
        )
        both = agents(vmagent_program, scrape, engine, tmp_path, "-promscrape.cluster.replicationFactor=2")
        first, second = stack.enter_context(both)
        eventually(lambda: up(engine), "all accounts are scraped")
        url = stack.enter_context(vmalert(vmalert_program, engine, rules, tmp_path))
        assert len(first.targets()) == len(second.targets()) == len(NAMES) + 1
        (twice,) = engine.now("max(count_over_time(flatfile_up[20s]))")
        assert int(twice["value"][1]) <= 11, "one sample of each is left for two seconds"

        def evaluated(since: float) -> bool:
            groups = httpx.get(f"{url}/api/v1/rules", trust_env=False).json()["data"]["groups"]
            found = [rule for group in groups for rule in group["rules"]]
            assert [rule["lastError"] for rule in found if rule["lastError"]] == []
            return all(
                rule["lastEvaluation"] > time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since)) for rule in found
            )

        first.process.kill()
        killed = time.time()
        eventually(lambda: time.time() > killed + 15 and up(engine), "the other goes on", pause=1)
        eventually(lambda: evaluated(killed + 15), "all rules are evaluated", pause=1)
        fired = engine.now('max_over_time(ALERTS{alertstate="firing"}[1h])')
        assert {tuple(sorted(one["metric"].items())) for one in fired} == set()
