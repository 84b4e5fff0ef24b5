"""Every query of the dashboards and every rule, on a Prometheus that has scraped two exporters for days, in bad hours too.

`history` says what went wrong and when. The targets have labels `environment` and `namespace` of their own.
"""

import asyncio
import fcntl
import logging
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from grafana.alerts.build import TEMPLATE, settings
from grafana.alerts.build.parts import filled_in
from tests.e2e.process import Exporter, eventually, serving
from tests.grafana.alert_rules import ALERTS, FILLED_IN, rules
from tests.grafana.queries import Query, all_queries
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer

from . import programs
from .backfill import TARGET_LABELS, fill
from .expected_empty import NO_ALERT, TROUBLE
from .history import ACCOUNT, INSTANCES, SETTINGS, STEP, TIMES, History, accounts_now, write
from .programs import Json, Prometheus
from .story import CALM, WRONG

EAGER = "collectors:\n" + "".join(
    f"  {name}: {{interval: 0s}}\n"
    for name in ("environments", "spaces", "agents", "executions", "events", "users", "guests", "jobs")
)
QUERIES = all_queries()
RUNBOOKS = ALERTS.parents[1] / "docs" / "alerts.md"
SPEAKING = {
    "FlatfileExpectedEnvironmentMissing",
    "FlatfileAgentMissing",
    "FlatfileAgentsBelowMinimum",
    "FlatfileExporterDown",
    "FlatfileAccountUnreachable",
    "FlatfileCredentialsRefused",
    "FlatfileCollectorFailing",
    "FlatfileRateLimited",
    "FlatfileReloadFailed",
    "FlatfileGuestsGrowing",
}
"""The alerts that have something to say in the story."""
BY_CHANCE = {"FlatfileAgentRunsFailing", "FlatfileJobsFailing"}
"""Those that may have: some runs and jobs fail now and then, as luck has it."""
RARE = {"environment:flatfile_events_silent:timestamp"}
"""Recorded only when events have stopped."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Written once, for all processes that run tests side by side."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    directory = shared / "flatfile-history"
    with (shared / "flatfile-history.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / TIMES).exists():
            directory.mkdir(exist_ok=True)
            with silent("exporter"):
                asyncio.run(write(directory))
    return History.read(directory)


@contextmanager
def silent(logger: str) -> Iterator[None]:
    """Hours of refreshes that fail are no news."""
    log = logging.getLogger(logger)
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


@dataclass(frozen=True, slots=True)
class Living:
    """The simulated API of the account after the history, and two new exporter processes."""

    api: SimulatedServer
    exporters: list[Exporter]

    @contextmanager
    def failing(self, path: str) -> Iterator[None]:
        rule = self.api.call(self.api.faults.add, path, Status(500))
        try:
            yield
        finally:
            self.api.call(self.api.faults.remove, rule)


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Living]:
    api, other = accounts_now()
    with ExitStack() as stack:
        for server in (api, other):
            stack.enter_context(server.in_thread())
        config = SETTINGS % (api.base_url, other.base_url) + EAGER
        built = {"FLATFILE_EXPORTER_REVISION": "0123abc"}
        exporters = [
            stack.enter_context(serving(config, directory, f"--storage.path={directory}/storage", env=built))
            for directory in (tmp_path_factory.mktemp("exporter") for _ in INSTANCES)
        ]
        yield Living(api, exporters)


@dataclass(frozen=True, slots=True)
class Scraped:
    """Prometheus with all of that; `now` is when the live part was complete (unix seconds)."""

    prometheus: Prometheus
    history: History
    now: float

    def answer(self, query: Query, at: float) -> list[Json]:
        """What a panel would show at this time: of a graph its last hour."""
        if query.instant:
            return self.prometheus.now(query.expr, at)
        return self.prometheus.over_time(query.expr, at - 3600, at, 60)

    def throughout(self, expr: str) -> list[Json]:
        """The answer at each scrape of the story."""
        return self.prometheus.over_time(expr, self.history.story, self.history.end, STEP)


def without_waiting(directory: Path) -> list[str]:
    """A file of all rules, with settings by which whatever is so now fires now."""
    quick = {name: "0s" for name in settings() if name.endswith("_for")}
    quick |= {"events_interval": "10s", "unreachable_window": "10s"}
    path = directory / "rules.yaml"
    path.write_text(filled_in(TEMPLATE.read_text(encoding="utf-8"), settings() | quick), encoding="utf-8")
    return [str(path)]


@pytest.fixture(scope="module")
def scraped(
    prometheus_program: str,
    promtool: str,
    history: History,
    living: Living,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scraped]:
    directory = tmp_path_factory.mktemp("prometheus")
    fill(prometheus_program, promtool, history, directory)
    targets = [
        {"targets": [exporter.url.removeprefix("http://")], "labels": {"instance": instance} | TARGET_LABELS}
        for instance, exporter in zip(INSTANCES, living.exporters, strict=True)
    ]
    config = {
        "global": {"scrape_interval": "2s", "scrape_timeout": "2s", "evaluation_interval": "2s"},
        "rule_files": without_waiting(directory),
        "scrape_configs": [
            {"job_name": "flatfile", "static_configs": targets},
        ],
    }
    with programs.prometheus(prometheus_program, config, directory) as prometheus:

        def steady() -> bool:
            return len(prometheus.now("count_over_time(up[20s]) >= 3 and up == 1")) == len(INSTANCES)

        def told() -> bool:
            failing = prometheus.now('flatfile_exporter_collector_success{collector="users"} == 0')
            return len(failing) == len(INSTANCES) and bool(prometheus.now('ALERTS{alertstate="firing"}'))

        eventually(steady, "both exporters were scraped some times")
        with living.failing("/users"):
            eventually(told, "one thing goes wrong, and it is told")
            (now,) = prometheus.now("vector(time())")
        yield Scraped(prometheus, history, float(now["value"][1]))


def named(query: Query) -> str:
    """The title, which says more than the panel's number, and which query of the panel it is."""
    return re.sub(r"^panel \d+ ", "", query.place)


def place(query: Query) -> str:
    return f"{query.dashboard}, {query.place}"


def test_lists_name_queries_that_there_are() -> None:
    assert {*TROUBLE, *NO_ALERT} <= {named(query) for query in QUERIES}


@pytest.mark.parametrize("moment", ["before anything went wrong", "now"])
def test_every_query_has_an_answer_with_its_labels(scraped: Scraped, moment: str) -> None:
    at = scraped.now if moment == "now" else scraped.history.minute(CALM)
    problems = []
    for query in QUERIES:
        if named(query) not in {*TROUBLE, *NO_ALERT}:
            series = scraped.answer(query, at)
            problems += lacking(query, series) or ([] if series else [f"{place(query)}: no answer to {query.expr}"])
    assert not problems, "\n".join(problems)


def test_every_column_of_a_table_is_in_some_row(scraped: Scraped) -> None:
    expected: dict[str, set[str]] = {}
    found: dict[str, set[str]] = {}
    moments = [scraped.now, *map(scraped.history.minute, WRONG)]
    for query in (query for query in QUERIES if query.row_labels):
        panel = place(query).rpartition(",")[0]
        expected.setdefault(panel, set()).update(query.row_labels)
        series = [one for at in moments for one in scraped.answer(query, at)]
        found.setdefault(panel, set()).update(*(one["metric"] for one in series))
    assert {panel: columns - found[panel] for panel, columns in expected.items() if columns - found[panel]} == {}


def lacking(query: Query, series: list[Json]) -> list[str]:
    """What is wrong with the labels of an answer. An agent expected where there is no environment has no id of one."""
    missing = {label for one in series for label in query.labels if label not in one["metric"]} - {"environment_id"}
    return [f"{place(query)}: some series lack {missing}"] if missing else []


def test_queries_about_trouble_have_an_answer_when_there_was_some(scraped: Scraped) -> None:
    problems = []
    for query in (query for query in QUERIES if named(query) in TROUBLE):
        series = scraped.throughout(query.expr)
        problems += lacking(query, series) or ([] if series else [f"{place(query)}: no answer to {query.expr}"])
        calm = scraped.answer(query, scraped.history.minute(CALM))
        problems += [f"{place(query)}: an answer where nothing is wrong, {calm}"] if calm else []
    assert not problems, "\n".join(problems)


def test_no_query_fails_at_any_moment(scraped: Scraped) -> None:
    """Environments that are renamed, agents that come again under a new id, exporters that know less than the other."""
    for expr in {query.expr for query in QUERIES}:
        scraped.throughout(expr)
    for expr in {expr for rule in rules() for expr in rule.template_queries()}:
        scraped.throughout(expr.replace(f'="{FILLED_IN}"', '=~".+"'))


def test_queries_of_the_runbooks_can_be_pasted(scraped: Scraped) -> None:
    exprs = runbook_queries()
    assert len(exprs) > len([rule for rule in rules() if rule.alert])
    for expr in exprs:
        scraped.throughout(re.sub(r'\b(account|environment_id|agent_id)="[^"]*"', r'\1=~".+"', expr))


def runbook_queries() -> list[str]:
    """What stands in the runbooks to paste, an empty line between two of them."""
    blocks = re.findall(r"```promql\n(.*?)```", RUNBOOKS.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [query for block in blocks for query in re.split(r"\n\n+", block.strip())]


def test_every_recording_rule_records(scraped: Scraped) -> None:
    recorded = {rule.name for rule in rules() if not rule.alert and scraped.throughout(rule.expr)}
    assert recorded - RARE == {rule.name for rule in rules() if not rule.alert} - RARE
    live = {rule.name for rule in rules() if not rule.alert and scraped.prometheus.now(rule.name, scraped.now)}
    assert recorded - live <= RARE


def test_alerts_speak_of_what_went_wrong_and_of_nothing_else(scraped: Scraped) -> None:
    """That they wait for their `for` and do not end too soon is in promtool's unit tests."""
    alerts = [rule for rule in rules() if rule.alert]
    speaking: dict[str, list[Json]] = {}
    for rule in alerts:
        speaking.setdefault(rule.name, []).extend(scraped.throughout(rule.expr))
    assert {name for name, series in speaking.items() if series} - BY_CHANCE == SPEAKING
    calm = {rule.name for rule in alerts if scraped.prometheus.now(rule.expr, scraped.history.minute(CALM))}
    assert calm - BY_CHANCE == {"FlatfileExpectedEnvironmentMissing"}, (
        "the configuration expects agents in an environment `ghost`"
    )
    for name, series in speaking.items():
        labels = {frozenset(one["metric"]) - {"__name__"} for one in series}
        assert len(labels) <= 1, f"{name} has different labels: {labels}"


def test_rules_work_on_living_exporters(scraped: Scraped, living: Living) -> None:
    prometheus = scraped.prometheus

    def healthy() -> bool:
        return {rule["health"] for rule in prometheus.rules()} == {"ok"}

    def firing(name: str) -> list[Json]:
        return prometheus.now(f'ALERTS{{alertname="{name}",alertstate="firing"}}')

    eventually(healthy, "all rules were evaluated")
    # the last scrape may have been too late
    listed = 'last_over_time(flatfile_environment_info{production="true"}[1m])'
    production = prometheus.now(f"{listed} and on (account) (last_over_time(flatfile_users[1m]) > 5)")
    environment_id = production[0]["metric"]["environment_id"]
    texts = [text for alert in prometheus.ask("alerts")["alerts"] for text in alert["annotations"].values()]
    assert (
        f"Flatfile agent validator is missing in environment production ({environment_id}) of account {ACCOUNT}"
        in texts
    ), "the name comes once, from whichever of two exporters"
    assert [text for text in texts if "error expanding" in text or "<no value>" in text] == []

    living.api.call(living.api.stop_listening)
    try:
        eventually(lambda: firing("FlatfileAccountUnreachable"), "that nobody can be asked is told")
        assert firing("FlatfileAgentMissing")
        assert healthy()
    finally:
        living.api.call(living.api.listen)
    eventually(lambda: not firing("FlatfileAccountUnreachable"), "and that it is over")
    assert prometheus.complaints == []
