"""The dashboards and the rules on Thanos: 40 accounts, shared out over two exporters and two Prometheus servers.

Every query and every rule; then a receiver is killed and an exporter is stopped. Time runs faster (`scaled_rules`).
"""

import contextlib
import math
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
import yaml

from exporter.demo.accounts import demo_world
from exporter.demo.life import Life
from tests.e2e.process import eventually, serving
from tests.grafana.alert_rules import rules
from tests.grafana.e2e import programs
from tests.grafana.e2e.programs import Json, Prometheus
from tests.grafana.e2e.scaled_rules import milliseconds, write_scaled
from tests.grafana.queries import EVERYTHING, all_queries
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .engines import nothing
from .guide import EXPORTERS, block
from .thanos import Thanos, thanos

LIVELY = "northwind"
"""The account in which something happens."""
NAMES = [LIVELY, *(f"customer{number}" for number in range(39))]
MORE = "requests: {per_second: 1000}\ncollectors: {executions: {interval: 5m}}\n"
"""Runs are asked for again after five minutes where nothing happens: too late, if time runs faster for the rules alone."""
FACTOR = 30  # a second stands for half a minute
INTERVAL = 2  # seconds, of scrapes and evaluations
RULES = [rule for rule in rules() if "optional" not in rule.group]
RECORDED = {rule.name for rule in RULES if not rule.alert}
PATIENCE = 240.0  # seconds: what takes minutes where nothing disturbs
WAITS = [milliseconds(rule.wait or "0s") for rule in RULES]
SCRAPED = '{job="flatfile",__name__!~"ALERTS.*|.+:.+"}'
ADDED = {"tenant_id"}
"""Labels that a receiver gives each series."""

OF_THE_DEMO = {"FlatfileJobOpenTooLong"}
"""Alerts that tell what is so: a job of eight minutes stands for one of four hours."""

SAMPLES = [f"{name}(flatfile_{of}[20s])" for name in ("count_over_time", "sum_over_time") for of in ("up", "spaces")]
"""Queries by which a sample that is lost, or comes twice, is seen."""
EXACT = 1e-9  # but for the order in which numbers are added up
BETWEEN_ENGINES = 0.2  # Prometheus 3, whose engine Thanos has, extrapolates new counters in another way than 2.42

Values = dict[frozenset[tuple[str, str]], float]


@dataclass(frozen=True, slots=True)
class Site:
    """An exporter, and the Prometheus server that scrapes its share of the accounts."""

    exporter: ExitStack
    prometheus: Prometheus

    def seen(self, metric: str, label: str) -> set[str]:
        """The values of a label."""
        return {one["metric"][label] for one in self.prometheus.now(f"last_over_time({metric}[1h])")}


@dataclass(frozen=True, slots=True)
class Sites:
    """All that runs. The exporter of `second` is stopped in the end; `first` has the account in which something happens."""

    thanos: Thanos
    first: Site
    second: Site

    def scraped_is_stored(self, at: float) -> None:
        """Wait until the querier has every series of both servers with its value at this time, and the same samples before."""

        def wrong() -> list[object]:
            found: list[object] = []
            for expr in (SCRAPED, *SAMPLES):
                servers = [values(site.prometheus.now(expr, at)) for site in (self.first, self.second)]
                found += differences(servers[0] | servers[1], values(self.thanos.querier.now(expr, at)), expr)
            return found

        nothing(wrong, "Thanos has all of it", pause=1)

    def answers_are_the_same(self, at: float) -> float:
        """Wait until the querier answers as the first server does. Returns for which part of the queries that does answer."""
        shown = {"account": self.first.seen("flatfile_up", "account"), "instance": self.first.seen("up", "instance")}
        chosen = EVERYTHING | {name: "|".join(sorted(these)) for name, these in shown.items()}
        exprs = {query.expr for query in all_queries(chosen) if "$instance" in query.raw}
        answered: set[str] = set()

        def wrong() -> list[object]:
            found: list[object] = []
            for expr in exprs:
                if expected := values(self.first.prometheus.now(expr, at)):
                    answered.add(expr)
                    found += compared(expr, expected, values(self.thanos.querier.now(expr, at)))
            return found[:5]

        nothing(wrong, "they give the same numbers", pause=5)
        return len(answered) / len(exprs)

    def alerts(self) -> dict[str, set[str]]:
        """The alerts that have fired, with the instance that each names, or the account and collector."""
        found: dict[str, set[str]] = {}
        for one in self.thanos.querier.now('max_over_time(ALERTS{alertstate="firing"}[1h])'):
            named = [one["metric"][label] for label in ("instance", "account", "collector") if label in one["metric"]]
            found.setdefault(one["metric"]["alertname"], set()).add(" ".join(named))
        return {name: instances for name, instances in found.items() if name not in OF_THE_DEMO}

    def rules_are_evaluated(self) -> bool:
        """Whether each rule was, at its last time, without an error."""
        loaded = self.thanos.ruler.rules()
        assert sorted(rule["name"] for rule in loaded) == sorted(rule.name for rule in RULES)
        return all(rule["health"] == "ok" and not rule.get("lastError") for rule in loaded)


def compared(expr: str, expected: Values, found: Values) -> list[object]:
    """What is wrong with the answer to a query of the dashboards."""
    if "topk" in expr or "histogram_quantile" in expr:  # any of equal ones; anywhere in a bucket
        return [] if found else [(expr, "no answer")]
    return differences(expected, found, expr, BETWEEN_ENGINES if "[" in expr else EXACT)


def values(series: list[Json]) -> Values:
    """The values by labels, without the labels that are Thanos' own."""
    found = [({k: v for k, v in one["metric"].items() if k not in ADDED}, one["value"][1]) for one in series]
    by_labels = {frozenset(labels.items()): float(value) for labels, value in found}
    assert len(by_labels) == len(found), "a series comes twice"
    return by_labels


def differences(expected: Values, found: Values, expr: str = SCRAPED, part: float = EXACT) -> list[object]:
    """Series that only one has, and those whose values differ."""

    def same(key: frozenset[tuple[str, str]]) -> bool:
        one, other = expected[key], found[key]
        return math.isclose(one, other, rel_tol=part, abs_tol=EXACT) or (math.isnan(one) and math.isnan(other))

    different = [
        (expr, dict(key), expected[key], found[key]) for key in expected.keys() & found.keys() if not same(key)
    ]
    return [*((expr, dict(key)) for key in expected.keys() ^ found.keys()), *different][:5]


@pytest.fixture(scope="module")
def sites(thanos_program: str, prometheus_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    directory = tmp_path_factory.mktemp("thanos")
    folders = [directory / name for name in ("rules", *map(str, range(len(EXPORTERS))))]
    for folder in folders:
        folder.mkdir()
    write_scaled(folders[0], FACTOR)
    lively = demo_world(time.time)
    quiet = sized_world(time.time, environments=1, spaces=2, guests=2, users=3, agents=1)
    text = block("yaml hashmod").replace("30s", f"{INTERVAL}s").replace("10s", f"{INTERVAL}s")
    with ExitStack() as stack:
        living = stack.enter_context(SimulatedServer(lively, life=Life(lively, missing=None)).in_thread())
        still = stack.enter_context(SimulatedServer(quiet).in_thread())
        accounts = [account_lines(name, (living if name == LIVELY else still).base_url) for name in NAMES]
        config = configuration(*accounts, more=MORE)
        stops = [stack.enter_context(ExitStack()) for _ in EXPORTERS]
        for there, stop, folder in zip(EXPORTERS, stops, folders[1:], strict=True):
            exporter = stop.enter_context(serving(config, folder))
            exporter.page()  # a first pass that takes ten seconds would stand for one of five minutes
            assert there in text
            text = text.replace(there, exporter.url.removeprefix("http://"))
        guide = block("sh thanos"), block("yaml thanos")
        engine = stack.enter_context(thanos(thanos_program, *guide, folders[0], directory, f"{INTERVAL}s"))
        # as much faster as the scrapes are
        written = [each | {"queue_config": {"batch_send_deadline": "250ms"}} for each in engine.remote_write]
        servers = []
        for share, folder in zip(yaml.safe_load(text)["scrape_configs"], folders[1:], strict=True):
            settings = {"scrape_configs": [share], "remote_write": written}
            flags = {"storage.remote.flush-deadline": "1s"}
            servers.append(stack.enter_context(programs.prometheus(prometheus_program, settings, folder, **flags)))

        def often() -> bool:
            scraped = "group by (account) (count_over_time(flatfile_guests[1h]) >= 8)"
            return sum(len(server.now(scraped)) for server in servers) == len(NAMES)

        eventually(often, "all accounts were scraped often enough", PATIENCE)
        found = [Site(stop, server) for stop, server in zip(stops, servers, strict=True)]
        second, first = sorted(found, key=lambda site: LIVELY in site.seen("flatfile_up", "account"))
        yield Sites(engine, first, second)


def test_it_has_what_was_scraped(sites: Sites) -> None:
    now = time.time()
    sites.scraped_is_stored(now)
    (accounts,) = sites.thanos.querier.now("count(flatfile_up)", now)
    assert int(accounts["value"][1]) == len(NAMES)


def test_it_answers_every_query(sites: Sites) -> None:
    for query in all_queries():
        sites.thanos.querier.now(query.expr)
    assert sites.answers_are_the_same(time.time()) > 0.6


def test_the_ruler_evaluates_every_rule(sites: Sites) -> None:
    eventually(sites.rules_are_evaluated, "all rules")

    def recorded() -> set[str]:
        found = sites.thanos.querier.now('last_over_time({__name__=~".+:.+"}[1h])')
        return {one["metric"]["__name__"] for one in found}

    eventually(lambda: len(recorded()) > 0.7 * len(RECORDED), "most rules have recorded something", PATIENCE, pause=1)
    assert recorded() <= RECORDED


def test_a_receiver_is_killed_and_an_exporter_stops(sites: Sites) -> None:
    """Last, because both stay away."""
    targets = sites.second.seen("up", "instance")
    assert sites.alerts() == {}
    sites.thanos.receivers[0].kill()
    sites.second.exporter.close()

    def told() -> bool:
        with contextlib.suppress(AssertionError):  # partial, until the querier has noticed
            return sites.alerts() == {"FlatfileExporterDown": targets}
        return False

    eventually(told, "each of its targets is told", PATIENCE, pause=1)
    window = max(WAITS) / 1000 / FACTOR
    longer = f'count_over_time((count(ALERTS{{alertstate="firing"}}))[1h:{INTERVAL}s]) * {INTERVAL} > {window}'
    eventually(lambda: sites.thanos.querier.now(longer), "longer than any rule waits", PATIENCE, pause=1)
    assert sites.alerts() == {"FlatfileExporterDown": targets}
    eventually(sites.rules_are_evaluated, "all rules")
    now = time.time()
    sites.scraped_is_stored(now)
    assert sites.answers_are_the_same(now) > 0.6
    for query in all_queries():
        sites.thanos.querier.now(query.expr)
    (accounts,) = sites.thanos.querier.now("count(flatfile_up)", now)
    assert int(accounts["value"][1]) == len(sites.first.seen("flatfile_up", "account")) < len(NAMES)
