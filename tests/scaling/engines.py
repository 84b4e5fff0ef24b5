"""VictoriaMetrics in place of Prometheus: it scrapes, stores and answers, and vmalert evaluates the rules on it."""

import contextlib
import json
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import httpx
import yaml

from tests.e2e.process import PATIENCE, eventually
from tests.grafana.e2e.programs import Json, running
from tests.ports import free_port

HEALTH = "/health"
"""Where VictoriaMetrics' programs say that they are ready."""


class VictoriaMetrics:
    """A running one."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def refusal(self, expr: str) -> str:
        """What it has against a query; empty where it takes it."""
        answer: Json = self._client.get("/api/v1/query", params={"query": expr}).json()
        return "" if answer["status"] == "success" else str(answer["error"])

    def now(self, expr: str) -> list[Json]:
        """The series of an instant query. Of series that are new it would not know for up to ten seconds."""
        self._client.get("/internal/force_flush").raise_for_status()
        answer: Json = self._client.get("/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", f"{answer} to {expr}"
        return list(answer["data"]["result"])


@contextlib.contextmanager
def victoria_metrics(
    program: str, scrape_config: Json, directory: Path, flags: Sequence[str] = ()
) -> Iterator[VictoriaMetrics]:
    """VictoriaMetrics that scrapes by itself. What it has stored is to be seen at once, as in Prometheus."""
    path = directory / "victoria-metrics.yml"
    path.write_text(json.dumps(scrape_config), encoding="utf-8")  # JSON is YAML
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"-promscrape.config={path}",
        f"-storageDataPath={directory / 'victoria-metrics'}",
        f"-httpListenAddr={url.removeprefix('http://')}",
        "-search.latencyOffset=0s",
        "-search.disableCache",
        *flags,
    ]
    with (
        running(command, url, directory / "victoria-metrics.log", HEALTH),
        httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client,
    ):
        yield VictoriaMetrics(url, client)


@contextlib.contextmanager
def vmalert(program: str, engine: VictoriaMetrics, rule_files: Sequence[Path], directory: Path) -> Iterator[str]:
    """Evaluates the rules every second, and stores there what they record. Nobody is notified. Gives its URL."""
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        *(f"-rule={path}" for path in rule_files),
        f"-datasource.url={engine.url}",
        f"-remoteWrite.url={engine.url}",
        f"-remoteRead.url={engine.url}",
        "-notifier.url=http://127.0.0.1:9",  # required, and nothing listens there
        "-evaluationInterval=1s",
        "-remoteWrite.flushInterval=100ms",  # 5s otherwise, which is long where a second stands for two minutes
        f"-httpListenAddr={url.removeprefix('http://')}",
    ]
    with running(command, url, directory / "vmalert.log", HEALTH):
        yield url


def for_older_vmalert(path: Path) -> Path:
    """Without `keep_firing_for`, which Debian's vmalert does not know (docs/alerts.md); all groups are evaluated as often."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for group in content["groups"]:
        group.pop("interval", None)
        for rule in group["rules"]:
            rule.pop("keep_firing_for", None)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def nothing(lacking: Callable[[], Collection[object]], what: str, pause: float = 0.2) -> None:
    """Wait until nothing is lacking: two engines scrape and evaluate each by itself. Says what was lacking to the end."""
    last: list[object] = []

    def there() -> bool:
        last[:] = lacking()
        return not last

    try:
        eventually(there, what, 2 * PATIENCE, pause)
    except AssertionError as error:
        raise AssertionError(f"{error}: {last}") from None
