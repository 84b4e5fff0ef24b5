"""Alert rules: what every rule must have, that rules, unit tests, runbooks and the metrics fit, and that no join can go wrong."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import promql_parser as parser
import pytest
import yaml

from exporter.flatfile.errors import REASONS

from . import promql
from .alert_rules import FILLED_IN, TEST_FILES, Rule, groups, labels_of, matching, nodes, rules, scalar

ROOT = Path(__file__).parents[2]
RUNBOOKS = (ROOT / "docs" / "alerts.md").read_text(encoding="utf-8")
RUNBOOK_URL = "https://github.com/flatfile-exporter/flatfile-exporter/blob/main/docs/alerts.md#"
DASHBOARDS = {"flatfile-overview", "flatfile-environments", "flatfile-agents", "flatfile-events", "flatfile-exporter"}
VARIABLES = {"account": "account", "environment": "environment_id", "job": "job", "instance": "instance"}
"""The dashboards' variables, and the label that fills each."""

JOINS = [
    {"account"},
    {"account", "environment_id"},
    {"account", "environment_id", "agent_id"},
    {"account", "environment_id", "agent"},  # an agent that was deployed again has another id
    {"job", "instance"},
    {"job", "instance", "account", "collector"},  # series of the exporter itself; its own ids
]
TARGET = {"job", "instance"}
DATA = Path(__file__).parent / "data"
CLOSED = {
    **yaml.safe_load((DATA / "closed_labels.yaml").read_text(encoding="utf-8")),
    "collector": ["environments", "spaces", "agents", "executions", "events", "users", "guests", "jobs"],
    "reason": REASONS,
    "alertstate": ["firing"],
}
"""Labels whose values are all known."""

RULES = rules()
RECORDED = {rule.name: rule.expr for rule in RULES if not rule.alert}
ALERTS = [rule for rule in RULES if rule.alert]


def contract() -> dict[str, set[str]]:
    """Every series that the exporter may expose, with its labels."""
    environment = {"account", "environment_id", "environment_name"}
    common: dict[str, set[str]] = {"account": {"account"}, "process": set(), "environment": environment}
    common["agent"] = environment | {"agent_id", "agent"}
    series: dict[str, set[str]] = {}
    for level, families in yaml.safe_load((DATA / "contract.yaml").read_text(encoding="utf-8")).items():
        for family, about in families.items():
            labels = common[level] | set(about.get("labels", ()))
            if about["type"] == "histogram":
                series |= {f"{family}_bucket": labels | {"le"}, f"{family}_sum": labels, f"{family}_count": labels}
            else:
                series[family] = labels
    return series


SERIES = contract()


def name(rule: Rule) -> str:
    return rule.name


def queries() -> list[tuple[str, str]]:
    """Every expression of a rule and every query of an annotation, with the rule's name."""
    return [(rule.name, query) for rule in RULES for query in (rule.expr, *dict.fromkeys(rule.template_queries()))]


def test_names_are_unique() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_groups_fit_every_ruler() -> None:
    for file, group in groups():
        assert len(group["rules"]) <= 20, (file, group["name"])
        assert set(group) == {"name", "rules"}, "Prometheus 2.42 knows neither labels nor query_offset"


def test_groups_run_side_by_side_without_reading_each_other() -> None:
    """An alert must not see another group's series from before or after its own: annotations alone may read them."""
    group_of = {rule.name: rule.group for rule in RULES}
    for rule in RULES:
        read = {selector.metric for selector in promql.selectors(rule.expr)} & set(RECORDED)
        assert {group_of[metric] for metric in read} <= {rule.group}, rule.name


@pytest.mark.parametrize("stem", ["account:flatfile_unknown:", "environment:flatfile_listed:"])
def test_what_is_worked_out_in_several_groups_is_the_same(stem: str) -> None:
    copies = [(record.removeprefix(stem), expr) for record, expr in RECORDED.items() if record.startswith(stem)]
    assert len(copies) > 1
    assert len({expr.replace(f":{group}", ":GROUP") for group, expr in copies}) == 1


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_alert_has_what_a_pager_needs(rule: Rule) -> None:
    assert re.fullmatch(r"Flatfile[A-Z]\w+", rule.name)
    assert re.fullmatch(r"\d+m", rule.wait)
    assert set(rule.labels) == {"severity"}
    assert rule.labels["severity"] in {"critical", "warning", "info"}
    assert set(rule.annotations) == {"summary", "description", "runbook_url", "dashboard_url"}
    assert "\n" not in rule.annotations["summary"].strip()
    assert "$value" not in rule.annotations["summary"]
    assert len(rule.annotations["description"]) > len("short")
    assert rule.annotations["runbook_url"] == RUNBOOK_URL + rule.name.lower()


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_alert_leads_to_a_dashboard_with_its_variables_filled(rule: Rule) -> None:
    url = urlsplit(rule.annotations["dashboard_url"])
    assert url.path.removeprefix("/d/") in DASHBOARDS
    filled = dict(parse_qsl(url.query))
    for key, value in filled.items():
        variable = key.removeprefix("var-")
        assert value == f"{{{{ $labels.{VARIABLES[variable]} | urlquery }}}}"
    labels = alert_labels(rule)
    for variable, label in VARIABLES.items():
        if variable in {"account", "environment"}:
            assert (f"var-{variable}" in filled) == (label in labels), variable


def alert_labels(rule: Rule) -> frozenset[str]:
    """Labels of the alert: always a fixed set, whatever labels the scrape target has."""
    found = labels_of(parser.parse(rule.expr), RECORDED)
    assert found is not None
    return found


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_annotations_use_labels_that_survive(rule: Rule) -> None:
    used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule.annotations.values())))
    assert used <= alert_labels(rule)


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_an_alert_that_is_kept_has_the_labels_it_had(rule: Rule) -> None:
    """Each side of `or` must give the same labels: other labels would be another alert."""
    for node in nodes(rule.expr):
        if isinstance(node, parser.BinaryExpr) and str(node.op) == "or":
            left, right = labels_of(node.lhs, RECORDED), labels_of(node.rhs, RECORDED)
            assert left is None or right is None or left == right, node.prettify()


@pytest.mark.parametrize(("rule", "query"), queries())
def test_rules_name_metrics_and_labels_of_the_contract(rule: str, query: str) -> None:
    available = TARGET | promql.made_labels(query)
    for selector in promql.selectors(query):
        if selector.metric in RECORDED:
            labels = labels_of(parser.parse(RECORDED[selector.metric]), RECORDED) or frozenset(TARGET)
        elif selector.metric == "ALERTS":
            labels = frozenset({"alertname", "alertstate"}).union(*(alert_labels(alert) for alert in ALERTS))
        else:
            labels = frozenset() if selector.metric == "up" else frozenset(SERIES[selector.metric])
        for label, operator, value in selector.matchers:
            assert label in labels | TARGET, (selector.metric, label)
            if label in CLOSED and value not in {"", FILLED_IN}:
                assert set(value.split("|") if "~" in operator else [value]) <= set(CLOSED[label]), (label, value)
        available |= labels
    assert promql.used_labels(query) <= available | {""}  # "" reads no label


@pytest.mark.parametrize(("rule", "query"), queries())
def test_joins_are_on_ids_alone(rule: str, query: str) -> None:
    """Names may repeat and change; and never many-to-many."""
    for node in nodes(query):
        if not isinstance(node, parser.BinaryExpr) or scalar(node.lhs) or scalar(node.rhs):
            continue
        on = matching(node)
        left, right = labels_of(node.lhs, RECORDED), labels_of(node.rhs, RECORDED)
        if on is not None:
            assert on in JOINS, on
        if str(node.op) in {"and", "or", "unless"}:
            assert on is not None or str(node.op) == "or" or left == right is not None, node.prettify()
        else:  # arithmetic and comparison fail on two series with the same labels
            assert left is not None, node.prettify()
            assert left == right, node.prettify()
            assert on is None or on == left, node.prettify()


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_an_alert_keeps_itself_only(rule: Rule) -> None:
    """What keeps a firing alert while its answer is not known looks at ALERTS of this very alert."""
    looked_at = [{m[0]: m[2] for m in s.matchers} for s in promql.selectors(rule.expr) if s.metric == "ALERTS"]
    assert all(seen == {"alertname": rule.name, "alertstate": "firing"} for seen in looked_at)
    assert looked_at or rule.name in {"FlatfileExporterDown", "FlatfileExporterAbsent"}


# Unit tests: each alert has its story


def stories() -> dict[str, list[dict[str, Any]]]:
    """For each alert the test groups that are about it."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in TEST_FILES:
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for alert in {check["alertname"] for check in group["alert_rule_test"]}:
                found.setdefault(alert, []).append(group)
    return found


STORIES = stories()


def test_only_alerts_that_exist_are_tested() -> None:
    assert set(STORIES) == {rule.name for rule in ALERTS}


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_alert_is_seen_to_fire_to_wait_and_to_vanish(rule: Rule) -> None:
    names = " ".join(group["name"] for group in STORIES[rule.name])
    for word in ("fire", "near miss", "vanish"):
        assert word in names
    series = [series for group in STORIES[rule.name] for series in group["input_series"]]
    assert any("stale" in each["values"] for each in series)
    assert any("near" in each["series"] for each in series)
    before = []
    for group in STORIES[rule.name]:
        checks = [check for check in group["alert_rule_test"] if check["alertname"] == rule.name]
        minutes = {int(check["eval_time"].removesuffix("m")): bool(check["exp_alerts"]) for check in checks}
        before += [then - earlier for then in minutes for earlier in minutes if minutes[then] and not minutes[earlier]]
    # four minutes between evaluations where a week goes by; twice that where versions differ by one evaluation
    assert min(gap for gap in before if gap > 0) <= (8 if any(g["interval"] == "4m" for g in STORIES[rule.name]) else 1)


# Runbooks


def sections() -> dict[str, str]:
    """The alerts' sections of the runbooks by heading."""
    parts = re.split(r"^### (Flatfile\w+)$", RUNBOOKS, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    assert set(sections()) == {rule.name for rule in ALERTS}


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_runbook_says_what_to_look_at_and_what_to_do(rule: Rule) -> None:
    section = sections()[rule.name]
    for part in ("**What it means.**", "**What to look at.**", "**What to do.**", "**Silence or tune.**"):
        assert part in section
    assert "```promql" in section


def test_table_of_thresholds_says_what_the_rules_say() -> None:
    rows = re.findall(r"^\| \[(Flatfile\w+)\]\(#(\w+)\) \| (\w+) \| (\w+) \|", RUNBOOKS, flags=re.MULTILINE)
    assert rows == [(rule.name, rule.name.lower(), rule.labels["severity"], rule.wait) for rule in ALERTS]


@pytest.mark.parametrize("query", re.findall(r"```promql\n(.*?)```", RUNBOOKS, flags=re.DOTALL))
def test_runbook_queries_name_what_exists(query: str) -> None:
    for part in query.strip().split("\n\n"):
        parser.parse(part)
        for selector in promql.selectors(part):
            assert selector.metric in {*SERIES, *RECORDED, "up", "scrape_duration_seconds"}, selector.metric
            if selector.metric in SERIES:
                assert {label for label, _, _ in selector.matchers} <= SERIES[selector.metric] | TARGET
