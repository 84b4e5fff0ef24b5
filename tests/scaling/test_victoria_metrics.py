"""Every query of the dashboards and every rule on VictoriaMetrics, beside a Prometheus that scrapes the same exporter."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.e2e.process import serving
from tests.grafana.alert_rules import RULE_FILES, rules
from tests.grafana.e2e import programs
from tests.grafana.e2e.programs import Json, Prometheus
from tests.grafana.queries import all_queries
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer

from .engines import VictoriaMetrics, for_older_vmalert, nothing, victoria_metrics, vmalert
from .guide import block

MORE = "spaces: {per_space: true}\nrequests: {per_second: 1000}\n"
EXPECTED = "expected_agents: [{environment: production, agents: [importer, ghost], min: 2}]"
RECORDED = sorted({rule.name for rule in rules() if not rule.alert and "optional" not in rule.group})


@dataclass(frozen=True, slots=True)
class Engines:
    """Both have scraped the same exporter for some seconds, and evaluated the same rules."""

    victoria: VictoriaMetrics
    prometheus: Prometheus


@pytest.fixture(scope="module")
def engines(
    victoria_metrics_program: str,
    vmalert_program: str,
    prometheus_program: str,
    living_api: SimulatedServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Engines]:
    directory = tmp_path_factory.mktemp("engines")
    text = configuration(account_lines("acme", living_api.base_url, more=EXPECTED), more=MORE)
    with ExitStack() as stack:
        exporter = stack.enter_context(serving(text, directory))
        guide = block("yaml victoria-metrics")
        assert "flatfile-exporter:10056" in guide
        guide = guide.replace("http://flatfile-exporter:10056", exporter.url)
        scrape: Json = yaml.safe_load(guide.replace("30s", "1s").replace("10s", "1s"))
        # a Kubernetes target has a namespace and an environment of its own
        own = {"environment": "cluster-7", "namespace": "monitoring"}
        scrape["scrape_configs"][0]["relabel_configs"] = [
            {"target_label": name, "replacement": value} for name, value in own.items()
        ]
        older = [for_older_vmalert(Path(shutil.copy(path, directory))) for path in RULE_FILES]
        config = scrape | {"rule_files": [str(path) for path in older], "global": {"evaluation_interval": "1s"}}
        victoria = stack.enter_context(victoria_metrics(victoria_metrics_program, scrape, directory))
        stack.enter_context(vmalert(vmalert_program, victoria, older, directory))
        prometheus = stack.enter_context(programs.prometheus(prometheus_program, config, directory))
        both = Engines(victoria, prometheus)

        def lacking() -> set[str]:
            found = {one["metric"]["__name__"] for one in prometheus.now('{__name__=~".+:.+"}')}
            there = {one["metric"]["__name__"] for one in victoria.now('{__name__=~".+:.+"}')}
            scraped = [len(engine.now("count_over_time(up[1m]) > 8")) for engine in (victoria, prometheus)]
            return found - there if all(scraped) and len(found) > len(RECORDED) / 2 else {"too early"}

        nothing(lacking, "both have scraped, and recorded")
        yield both


def test_it_takes_every_query(engines: Engines) -> None:
    exprs = {query.expr for query in all_queries()} | {rule.expr for rule in rules()}
    assert {expr: why for expr in exprs if (why := engines.victoria.refusal(expr))} == {}


def test_what_prometheus_answers_it_answers_too(engines: Engines) -> None:
    queries = all_queries()

    def silent() -> list[str]:
        answered = [query for query in queries if engines.prometheus.now(query.expr)]
        missing = [query for query in answered if not engines.victoria.now(query.expr)]
        too_few = len(answered) <= len(queries) * 0.7
        return ["too early"] if too_few else [f"{query.dashboard}, {query.place}: {query.expr}" for query in missing]

    # each scrapes by itself, so that one has seen a counter go up when the other has not yet
    nothing(silent, "it answers all of them")


def test_the_series_are_the_same(engines: Engines) -> None:
    """Of everything that the exporter gives but what counts its own process' work."""
    selector = '{__name__=~"flatfile_.+",__name__!~"flatfile_exporter_.+|.+_(bucket|sum|count)"}'
    names = ("__name__", "account", "environment_id", "environment_name", "flatfile_namespace", "environment")

    def seen(series: list[Json]) -> set[tuple[str | None, ...]]:
        return {tuple(one["metric"].get(name) for name in names) for one in series}

    found = seen(engines.prometheus.now(selector))
    assert len(found) > 100
    nothing(lambda: found - seen(engines.victoria.now(selector)), "it has all of them")
    assert {one[-1] for one in found} == {"cluster-7"}


def test_a_rule_records_what_it_records_in_prometheus(engines: Engines) -> None:
    recorded = [name for name in RECORDED if engines.prometheus.now(name)]
    nothing(lambda: [name for name in recorded if not engines.victoria.now(name)], "it has recorded all of them")
