"""What the dashboards show of exporters that come and go, of many environments, and of rules that are not loaded.

Six hours in a real Prometheus. Each account is a story of its own: `account=~"…"` chooses one.
"""

import shutil
from collections.abc import Iterator

import pytest

from .queries import EVERYTHING, all_queries, filled_in
from .stored import BEGIN, RULES, Prometheus, line, serving

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="needs prometheus and promtool"
)

HOUR, STEP = 3600, 30
END = 6 * HOUR
PODS = {
    "one": {"a": (0, 6)},
    "pods": {"a": (0, 2), "b": (2, 4), "c": (4, 6)},
    "pair": {"a": (0, 6), "b": (0, 6)},
    "rolling pair": {"a": (0, 3), "b": (0, 6), "c": (3, 6)},
    "second one later": {"a": (0, 6), "b": (4, 6)},
}
"""Account -> instance -> from and to which hour it runs."""
FAILURES = (0.5, 1.5, 3.2, 4.5, 5.5)
"""The hours at which a job fails, once each."""
ENVIRONMENTS = 30
MACROS = {"$__rate_interval": "2m", "$__interval_ms": "30000", "$__interval": "30s", "$__range": "6h"}
"""As Grafana fills them in for six hours with a scrape interval of 30 s."""


def place(account: str, number: int = 1) -> dict[str, str]:
    return {"account": account, "environment_id": f"us_env_{number}", "environment_name": f"Environment {number}"}


def events(account: str, instance: str, hours: tuple[int, int]) -> Iterator[str]:
    """Each exporter counts from 0 what happens while it runs: an event a second, and the failures."""
    start, end = (hour * HOUR for hour in hours)
    for topic in ("records:updated", "job:failed"):
        labels = {"job": "flatfile", "instance": instance, "topic": topic} | place(account)
        for second in range(start, end, STEP):
            failed = sum(start < hour * HOUR <= second for hour in FAILURES)
            yield line("flatfile_events_total", labels, second - start if topic != "job:failed" else failed, second)


def environments() -> Iterator[str]:
    """Each environment has its hour in which it has the most spaces; in all others it has one."""
    for number in range(ENVIRONMENTS):
        for second in range(0, END, 4 * STEP):
            labels = {"job": "flatfile", "instance": "a", "state": "active"} | place("many", number)
            yield line("flatfile_spaces", labels, 1 + number if second // HOUR == number % 6 else 1, second)


def alerts() -> Iterator[str]:
    """The rules are loaded from the second hour on, and an alert fires from the fourth."""
    for second in range(HOUR, END, STEP):
        yield line(RULES, {}, 1, second)


def firing() -> Iterator[str]:
    labels = {"alertname": "FlatfileUnreachable", "alertstate": "firing", "severity": "warning", "account": "one"}
    for second in range(3 * HOUR, END, STEP):
        yield line("ALERTS", labels, 1, second)


def agents() -> Iterator[tuple[str, dict[str, str], float]]:
    """(family, labels, value in an hour) of one environment with two exporters, and runs of which nobody knows the agent."""
    for instance in "ab":
        place_ = {"job": "flatfile", "instance": instance} | place("agents")
        for agent, system in (("importer", "false"), ("rare", "false"), ("flatfiles", "true")):
            yield "flatfile_agent_info", place_ | {"agent_id": agent, "agent": agent, "system": system}, 1
        yield "flatfile_agent_missing", place_ | {"agent": "validator"}, 1
        for agent, failures, successes in (
            ("importer", 30, 60),
            ("rare", 1, 0),
            ("flatfiles", 60, 60),
            ("unknown", 0, 9),
        ):
            ran = place_ | {"agent_id": "" if agent == "unknown" else agent, "agent": agent}
            for result, number in (("failure", failures), ("success", successes)):
                yield "flatfile_agent_executions", ran | {"result": result}, number


def agent_lines() -> Iterator[str]:
    by_family: dict[str, list[str]] = {}
    for family, labels, value in agents():
        counter = family.endswith("executions")
        known = {name: text for name, text in labels.items() if text}
        lines = by_family.setdefault(family, [f"# TYPE {family} {'counter' if counter else 'gauge'}"])
        for second in range(0, END, STEP):
            lines.append(
                line(f"{family}_total", known, value * second // HOUR, second)
                if counter
                else line(family, known, value, second)
            )
    for lines in by_family.values():
        yield from lines


def stories() -> Iterator[str]:
    yield from agent_lines()
    yield "# TYPE flatfile_events counter"
    for account, pods in PODS.items():
        for instance, hours in pods.items():
            yield from events(account, instance, hours)
    for family, lines in (("flatfile_spaces", environments()), (RULES, alerts()), ("ALERTS", firing())):
        yield f"# TYPE {family} gauge"
        yield from lines


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with serving(stories(), tmp_path_factory.mktemp("stories")) as running:
        yield running


def expr(dashboard: str, title: str, account: str, ref_id: str = "A") -> str:
    (query,) = (
        q for q in all_queries() if q.dashboard == dashboard and q.place.endswith(f" {title!r}, query {ref_id}")
    )
    return filled_in(query.raw, EVERYTHING | {"account": account}, MACROS)


@pytest.mark.parametrize("account", PODS)
def test_events_of_a_time_range_are_those_of_all_pods_and_of_a_pair_once(prometheus: Prometheus, account: str) -> None:
    """Six hours have 21,600 events, whoever has counted them. A pod's change may cost what comes between two scrapes."""
    for dashboard in ("flatfile-overview", "flatfile-events"):
        (one,) = prometheus.now(expr(dashboard, "Events", account), BEGIN + END)
        assert float(one["value"][1]) == pytest.approx(6 * HOUR, rel=0.01)


@pytest.mark.parametrize("account", PODS)
def test_single_events_are_not_lost_between_the_steps(prometheus: Prometheus, account: str) -> None:
    asked = expr("flatfile-events", "Failed, deleted, expired", account)
    (one,) = prometheus.now(asked, BEGIN + END)
    assert float(one["value"][1]) == pytest.approx(len(FAILURES), abs=0.5)


def test_a_graph_by_environment_has_20_lines_the_same_all_along(prometheus: Prometheus) -> None:
    query = expr("flatfile-environments", "Active spaces by environment", "many")
    asked = {"start": str(BEGIN + STEP), "end": str(BEGIN + END - STEP), "step": "120"}
    series = prometheus.ask("query_range", query=query, **asked)["result"]
    assert {one["metric"]["environment_id"] for one in series} == {f"us_env_{number}" for number in range(10, 30)}
    assert all(len(one["values"]) > 170 for one in series), "whole lines, not the points at which one is large"


def agents_table(prometheus: Prometheus, system: str, **macros: str) -> dict[str, dict[str, float]]:
    """The columns that have an answer, each with its values by agent."""
    queries = [q for q in all_queries() if q.dashboard == "flatfile-agents" and " 'Agents', query " in q.place]
    columns = {}
    for query in queries:
        variables = EVERYTHING | {"account": "agents", "system": system}
        answer = prometheus.now(filled_in(query.raw, variables, MACROS | macros), BEGIN + END - STEP)
        columns[query.place[-1]] = {one["metric"]["agent"]: float(one["value"][1]) for one in answer}
    return columns


def test_each_row_of_agents_has_a_status_and_the_missing_are_first(prometheus: Prometheus) -> None:
    """Runs of an agent that nobody knows make no row; Flatfile's own agents make one when they are shown."""
    hidden, shown = agents_table(prometheus, "false"), agents_table(prometheus, ".*")
    assert hidden["A"] == {"validator": 0, "importer": 1, "rare": 1}
    assert shown["A"] == hidden["A"] | {"flatfiles": 1}
    for table in (hidden, shown):
        assert {agent for column in table.values() for agent in column} == set(table["A"])


def test_failure_ratios_are_of_an_hour_and_not_of_single_runs(prometheus: Prometheus) -> None:
    for time_range in ("15m", "6h"):
        (ratio,) = (
            column
            for name, column in agents_table(prometheus, "false", **{"$__range": time_range}).items()
            if name == "F"
        )
        assert ratio == {"importer": pytest.approx(1 / 3, rel=0.05)}, "and none of `rare`, which ran once an hour"


def test_the_tile_of_alerts_tells_no_rules_from_no_alerts(prometheus: Prometheus) -> None:
    def tile(hour: float) -> tuple[list[str], list[str]]:
        answers = [
            prometheus.now(expr("flatfile-overview", "Alerts firing", ".+", ref_id), BEGIN + int(hour * HOUR))
            for ref_id in "AB"
        ]
        firing, none = ([one["value"][1] for one in answer] for answer in answers)
        return firing, none

    assert tile(0.5) == ([], []), "no value: the panel says that the rules are not loaded"
    assert tile(2) == ([], ["0"]), "none firing"
    assert tile(4) == (["1"], [])
