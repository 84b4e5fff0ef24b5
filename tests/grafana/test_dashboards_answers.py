"""Every query of the dashboards, answered by a real Prometheus over made-up series of every family.

Three ways of scraping: as our examples do; from targets with labels of their own; and with two exporters
of which one still has the environments' old names. The figures of two exporters are those of one in each.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .e2e.expected_empty import NO_ALERT
from .queries import EVERYTHING, Query, all_queries, filled_in
from .stored import END, GONE, Prometheus, Scrape, family_lines, serving

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="needs prometheus and promtool"
)

WAYS = {
    "plain": Scrape(),
    "target_labels": Scrape(target_labels=True),
    "one_exporter_behind": Scrape(renamed=True),
}
QUERIES = all_queries()


@pytest.fixture(scope="module", params=WAYS)
def prometheus(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    directory: Path = tmp_path_factory.mktemp(request.param)
    with serving(family_lines(WAYS[request.param]), directory) as running:
        yield running


def answer(prometheus: Prometheus, query: Query) -> list[set[str]]:
    """The label names of each series of the answer."""
    series = prometheus.now(query.expr) if query.instant else prometheus.over_time(query.expr)
    return [set(one["metric"]) for one in series]


def wanted(dashboard: str, title: str, ref_id: str = "A") -> Query:
    (found,) = (q for q in QUERIES if q.dashboard == dashboard and f" {title!r}, query {ref_id}" in q.place)
    return found


def figure(prometheus: Prometheus, dashboard: str, title: str) -> float:
    (one,) = prometheus.now(wanted(dashboard, title).expr)
    return float(one["value"][1])


def test_every_query_has_an_answer_with_its_labels(prometheus: Prometheus) -> None:
    problems = []
    rows: dict[str, tuple[set[str], set[str]]] = {}
    for query in QUERIES:
        series = answer(prometheus, query)
        if not series and not any(query.place.endswith(one) for one in NO_ALERT):
            problems.append(f"{query.dashboard}, {query.place}: no answer to {query.expr}")
        # An expected agent of an environment that does not exist has no id.
        lacking = {label for labels in series for label in query.labels if label not in labels} - {"environment_id"}
        if lacking:
            problems.append(f"{query.dashboard}, {query.place}: some series lack {lacking}")
        panel = f"{query.dashboard}, {query.place.rpartition(',')[0]}"
        expected, found = rows.get(panel, (set(), set()))
        rows[panel] = (expected | set(query.row_labels), found.union(*series))
    problems += [
        f"{panel}: no row has {expected - found}" for panel, (expected, found) in rows.items() if expected - found
    ]
    assert problems == []


@pytest.mark.parametrize(
    ("dashboard", "title", "value"),
    [
        ("flatfile-overview", "Environments", 14),  # 7 production ones and 7 others, whatever the number of exporters
        ("flatfile-overview", "Active spaces", 14),  # 7 in each of 2 environments
        ("flatfile-overview", "Guests", 14),
        ("flatfile-overview", "Deployed agents", 28),
        ("flatfile-overview", "Environments with gaps", 0),
        ("flatfile-overview", "Failing collectors", 0),
        ("flatfile-overview", "Data age / max_age", 30 / 7),  # every gauge is 7
        # 3 topics for 6 hours, one for 5, in 2 environments
        ("flatfile-events", "Events", (6 * 3 + 5) * 3600 / 10 * 2),
        ("flatfile-overview", "Events", (6 * 3 + 5) * 3600 / 10 * 2),
        ("flatfile-overview", "Failed jobs", 14),
        ("flatfile-overview", "Job failure ratio", 0.5),  # as many have failed as are complete
        ("flatfile-overview", "Agent run failure ratio", 0.5),
        ("flatfile-agents", "Agent run failure ratio", 0.5),
        ("flatfile-environments", "Listed spaces", 2),
        ("flatfile-exporter", "API error ratio", 2 / 3),  # two of three codes
    ],
)
def test_two_exporters_count_as_one(prometheus: Prometheus, dashboard: str, title: str, value: float) -> None:
    assert figure(prometheus, dashboard, title) == pytest.approx(value, rel=0.01)


@pytest.mark.parametrize(
    ("dashboard", "title", "label", "resting", "never"),
    [
        ("flatfile-events", "Events per second by topic", "topic", "file:expired", "agent:deleted"),
        ("flatfile-events", "Events per second by family", "family", "file", "agent"),
        ("flatfile-events", "Failed, deleted, expired per second by topic", "topic", "file:expired", "agent:deleted"),
    ],
)
def test_a_line_goes_on_at_zero_while_nothing_happens(
    prometheus: Prometheus, dashboard: str, title: str, label: str, resting: str, never: str
) -> None:
    """A gap means "not known". What did not happen at all in the time range has no line."""
    series = prometheus.over_time(wanted(dashboard, title).expr)
    lines = {one["metric"][label]: [float(value) for _, value in one["values"]] for one in series}
    assert len(lines[resting]) == 61, "a point each minute of an hour"
    assert lines[resting][-1] == 0
    assert never not in lines


def test_alerts_say_their_environment_and_since_when_they_fire(prometheus: Prometheus) -> None:
    """An alert that is about no environment is there all the same."""
    alerts = prometheus.now(wanted("flatfile-overview", "Firing alerts").expr)
    assert len(alerts) == 4
    assert {float(one["value"][1]) for one in alerts} == {(END - 600) * 1000}
    about = {
        (one["metric"]["alertname"], one["metric"].get("environment_name", "none").removeprefix("Old "))
        for one in alerts
    }
    assert about == {
        ("FlatfileAgentMissing", "Production"),
        ("FlatfileAccountUnreachable", "none"),
        ("FlatfileExporterDown", "none"),
    }
    assert {one["metric"].get("instance", "none") for one in alerts} == {"exporter-a:10056", "none"}


@pytest.mark.parametrize("title", ["Alerts firing", "Firing alerts", "Alerts over time"])
def test_alerts_are_those_of_the_chosen_account_or_of_none(prometheus: Prometheus, title: str) -> None:
    chosen = filled_in(wanted("flatfile-overview", title).raw, EVERYTHING | {"account": "(other|globex)"})
    if title == "Alerts firing":
        counts = {one["metric"]["severity"]: one["value"][1] for one in prometheus.now(chosen)}
        assert counts == {"critical": "1", "warning": "1"}
    else:
        names = {one["metric"]["alertname"] for one in prometheus.now(chosen)}
        assert names == {"FlatfileAccountUnreachable", "FlatfileExporterDown"}


def test_flatfiles_own_agents_are_behind_a_switch(prometheus: Prometheus) -> None:
    """The stored agents are all of the customer's own; as if they were Flatfile's, they are hidden or shown."""
    for title, ref_id in (("Agents", "A"), ("Runs per minute by agent", "A"), ("Run duration p95 by agent", "A")):
        query = wanted("flatfile-agents", title, ref_id)
        turned = query.raw.replace('system="true"', 'system="false"').replace('"$system"', '"$turned"')
        ask = prometheus.now if query.instant else prometheus.over_time
        hidden = ask(filled_in(turned, EVERYTHING | {"turned": "true"}))
        shown = ask(filled_in(turned, EVERYTHING | {"turned": ".*"}))
        assert shown, title
        # what is expected stays, whosever it is
        assert {one["metric"]["environment_name"] for one in hidden} <= {
            one["metric"]["environment_name"] for one in shown
        }
        assert len(hidden) < len(shown) or title == "Agents"


def test_missing_agents_of_unknown_environments_are_counted(prometheus: Prometheus) -> None:
    names = {one["metric"]["environment_name"] for one in prometheus.now(wanted("flatfile-agents", "Agents").expr)}
    assert {name.removeprefix("Old ") for name in names} == {"Production", "Development", "Ghost"}


def test_an_agent_that_is_gone_is_listed_with_when_it_was_last_seen(prometheus: Prometheus) -> None:
    """One that is there is not, nor one under whose name another was deployed."""
    gone = prometheus.now(wanted("flatfile-agents", "Agents gone within a day").expr)
    assert {one["metric"]["agent"] for one in gone} == {GONE}
    seconds = END - 3600 - float(gone[0]["value"][1]) / 1000
    assert 0 <= seconds <= 600


def test_environment_variable_offers_each_environment(prometheus: Prometheus) -> None:
    (query,) = (q for q in QUERIES if q.dashboard == "flatfile-overview" and q.place == "variable 'environment'")
    offered = {(s["metric"]["environment_id"], s["metric"]["environment_name"]) for s in prometheus.now(query.expr)}
    assert {("us_env_1", "Production"), ("us_env_2", "Development")} <= offered


def test_deployments_are_marked_at_their_time(prometheus: Prometheus) -> None:
    (query,) = (q for q in QUERIES if q.dashboard == "flatfile-agents" and "'Agents deployed'" in q.place)
    marks = {float(value) for one in prometheus.over_time(query.expr) for _, value in one["values"]}
    assert (END - 30) * 1000 in marks
