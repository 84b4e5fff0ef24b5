"""A real Prometheus scrapes the real process over its HTTP service discovery, and answers queries."""

import contextlib
import functools
import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.ports import free_port
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer

from .process import PATIENCE, Exporter, eventually, serving

CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: flatfile
    http_sd_configs: [{{url: '{url}/sd', refresh_interval: 5s}}]
"""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._client = httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False)

    def close(self) -> None:
        self._client.close()

    def up(self) -> bool:
        """Whether it answers; AssertionError when it has ended."""
        assert self.process.poll() is None, "Prometheus has ended"
        try:
            return self._client.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False

    def targets(self) -> list[dict[str, str]]:
        """The labels of the targets that were scraped with success at least once."""
        data = self._client.get("/api/v1/targets?state=active").json()["data"]["activeTargets"]
        return [target["labels"] for target in data if target["health"] == "up"]

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        answer = self._client.get("/api/v1/query", params={"query": expression}).json()
        assert answer["status"] == "success", json.dumps(answer)
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]


@contextlib.contextmanager
def scraping(program: str, exporter: Exporter, directory: Path) -> Iterator[Prometheus]:
    """Prometheus with the few lines of configuration that the README gives."""
    path = directory / "prometheus.yml"
    path.write_text(CONFIG.format(url=exporter.url), encoding="utf-8")
    with started(program, path, directory) as running:
        yield running


@contextlib.contextmanager
def started(program: str, path: Path, directory: Path) -> Iterator[Prometheus]:
    """Prometheus with the configuration at `path`; its data and its log go to `directory`."""
    port = free_port()
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={path}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    running = Prometheus(f"http://127.0.0.1:{port}", process)
    try:
        eventually(running.up, "Prometheus is ready", pause=0.1)
        yield running
    finally:
        running.close()
        process.terminate()
        process.wait(PATIENCE)


@pytest.fixture
def exported(api: SimulatedServer, tmp_path: Path) -> Iterator[Exporter]:
    """Two accounts."""
    text = configuration(account_lines("acme", api.base_url), account_lines('Größe "2" & Co', api.base_url))
    with serving(text, tmp_path) as running:
        yield running


ACCOUNTS = {"acme", 'Größe "2" & Co'}


soon = functools.partial(eventually, pause=0.2)


def test_prometheus_needs_no_relabelling_and_forgets_an_account_that_is_removed(
    prometheus_program: str, api: SimulatedServer, exported: Exporter, tmp_path: Path
) -> None:
    host = exported.url.removeprefix("http://")
    with scraping(prometheus_program, exported, tmp_path) as prometheus:
        soon(lambda: len(prometheus.targets()) == 3, "three targets are up")
        expected = {host} | {f"{host}/{name}" for name in ACCOUNTS}
        assert {target["instance"] for target in prometheus.targets()} == expected
        assert {target["job"] for target in prometheus.targets()} == {"flatfile"}

        soon(lambda: len(prometheus.query("up == 1")) == 3, "up")
        soon(lambda: len(prometheus.query("flatfile_users")) == 2, "users of both accounts")
        for labels, value in prometheus.query("flatfile_users"):
            assert value == 5
            assert labels["instance"] == f"{host}/{labels['account']}"
        assert {labels["account"] for labels, _ in prometheus.query("flatfile_up == 1")} == ACCOUNTS
        series = prometheus.query('{__name__=~"flatfile_.+"}')
        assert not [name for labels, _ in series for name in labels if name.startswith("exported_")]
        # each series comes from one target
        (own,) = prometheus.query("flatfile_exporter_build_info")
        assert own[0]["instance"] == host
        assert [labels["instance"] for labels, _ in prometheus.query("process_start_time_seconds")] == [host]
        requests = prometheus.query('flatfile_exporter_api_requests_total{endpoint="/users"}')
        assert sorted(labels["account"] for labels, _ in requests) == sorted(ACCOUNTS)
        assert prometheus.query("count by (account, environment_id) (flatfile_environment_info) > 1") == []
        # the joins that dashboards and rules make
        joined = prometheus.query(
            "sum by (account, environment_id) (flatfile_spaces)"
            " * on (account, environment_id) group_left (environment_name) flatfile_environment_info"
        )
        assert len(joined) == 4
        assert {labels["environment_name"] for labels, _ in joined} == {"environment-0", "environment-1"}
        probed = 'flatfile_exporter_scrapes_total{path="/probe",outcome="complete"} > 0'
        soon(lambda: prometheus.query(probed), "the exporter's own target is scraped after the first probe")
        # nothing in a scrape was refused
        assert prometheus.query("scrape_samples_scraped != scrape_samples_post_metric_relabeling") == []
        soon(lambda: len(prometheus.query("count_over_time(up[1m]) >= 3")) == 3, "three scrapes each")
        assert prometheus.query("min_over_time(up[1m]) < 1") == []

        (tmp_path / "config.yaml").write_text(configuration(account_lines("acme", api.base_url)))
        exported.signal(signal.SIGHUP)
        exported.wait_for("configuration loaded.*accounts=1")
        soon(lambda: len(prometheus.query("flatfile_users")) == 1, "the series of the one that went are gone")
        soon(lambda: len(prometheus.query("up")) == 2, "so is its target")
        assert len(prometheus.targets()) == 2
    log = (tmp_path / "prometheus.log").read_text()
    for problem in ("out of order", "duplicate", "level=error", "Append failed", "invalid"):
        assert problem not in log


def test_promtool_has_nothing_to_say(promtool: str, exported: Exporter) -> None:
    exported.page()
    for path in ("/metrics", "/probe?target=acme", "/metrics?only=exporter"):
        done = subprocess.run(
            [promtool, "check", "metrics"],
            input=exported.page(path),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert (path, done.returncode, done.stdout, done.stderr) == (path, 0, "", "")
