"""Alert rules: what every rule must have, that rules, runbooks and the metrics fit, and that no join can go wrong."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import promql_parser as parser
import pytest
import yaml

from exporter.flatfile.errors import REASONS
from grafana.alerts import build

from . import promql
from .alert_rules import FILLED_IN, OPTIONAL_FILES, RULE_FILES, Rule, groups, labels_of, matching, nodes, rules, scalar

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
    {"account", "collector"},
    {"agent"},  # in a text about one environment
    {"account", "environment_name"},  # of an environment that is expected and has no id
    set(),  # whether there is any
]
TARGET = {"job", "instance"}
DATA = Path(__file__).parent / "data"
CLOSED = {
    **yaml.safe_load((DATA / "closed_labels.yaml").read_text(encoding="utf-8")),
    "collector": ["environments", "spaces", "agents", "executions", "events", "users", "guests", "jobs"],
    "reason": REASONS,
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


def test_rule_files_are_what_the_code_makes() -> None:
    written = build.written()
    assert {path: path.read_text(encoding="utf-8") for path in written} == written, "python -m grafana.alerts.build"
    assert {*RULE_FILES, *OPTIONAL_FILES} == written.keys() - {build.TEMPLATE}


def test_every_setting_is_used_and_every_mark_is_one() -> None:
    marks = set(re.findall(r"<<(\w+)>>", build.TEMPLATE.read_text(encoding="utf-8")))
    assert marks == build.settings().keys()


def test_names_are_unique_but_for_their_severities() -> None:
    names = [(rule.name, rule.labels.get("severity")) for rule in RULES]
    assert len({*names}) == len(names)
    assert len({rule.name for rule in ALERTS if rule.file != "flatfile-optional.yaml"}) == 18


def test_groups_fit_every_ruler() -> None:
    for file, group in groups():
        assert len(group["rules"]) <= 20, (file, group["name"])
        assert set(group) <= {"name", "interval", "rules"}, "Prometheus 2.42 knows neither labels nor query_offset"


def test_no_group_reads_what_it_records_and_none_reads_alerts() -> None:
    """Some rulers show a group its own results one evaluation late, and not every one writes ALERTS."""
    group_of = {rule.name: rule.group for rule in RULES if not rule.alert}
    for rule in RULES:
        read = {selector.metric for selector in promql.selectors(rule.expr)}
        assert rule.group not in {group_of[metric] for metric in read & set(RECORDED)}, rule.name
        assert not read & {"ALERTS", "ALERTS_FOR_STATE"}


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_an_alert_reads_recorded_series_over_a_time(rule: Rule) -> None:
    """A recorded series alone is not there in the first evaluation after a restart of the engine."""
    for selector in promql.selectors(rule.expr):
        if selector.metric in RECORDED and rule.file != "flatfile-optional.yaml":
            assert {*selector.around} & {"last_over_time", "max_over_time"}, selector


@pytest.mark.parametrize("rule", ALERTS, ids=name)
def test_alert_has_what_a_pager_needs(rule: Rule) -> None:
    assert re.fullmatch(r"Flatfile[A-Z]\w+", rule.name)
    assert re.fullmatch(r"\d+m", rule.wait)
    assert set(rule.labels) == {"severity"}
    assert rule.labels["severity"] in {"critical", "warning", "info"}
    assert bool(rule.keep) == (rule.labels["severity"] == "critical")
    assert set(rule.annotations) - {"__panelId__"} == {
        "summary", "description", "runbook_url", "dashboard_url", "__dashboardUid__"
    }  # fmt: skip
    assert "\n" not in rule.annotations["summary"].strip()
    assert "$value" not in rule.annotations["summary"]
    assert len(rule.annotations["description"]) > len("short")
    assert rule.annotations["runbook_url"] == RUNBOOK_URL + rule.name.lower()
    assert rule.annotations["dashboard_url"].startswith(f"/d/{rule.annotations['__dashboardUid__']}")


@pytest.mark.parametrize("rule", [rule for rule in ALERTS if "__panelId__" in rule.annotations], ids=name)
def test_alert_leads_to_a_panel_that_there_is(rule: Rule) -> None:
    board = json.loads(
        (ROOT / f"grafana/dashboards/{rule.annotations['__dashboardUid__']}.json").read_text(encoding="utf-8")
    )
    panels = [panel for top in board["panels"] for panel in (top, *top.get("panels", ()))]
    (panel,) = [panel for panel in panels if str(panel["id"]) == rule.annotations["__panelId__"]]
    assert panel["type"] != "row"


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
def test_both_sides_of_or_have_the_same_labels(rule: Rule) -> None:
    """Other labels would be another alert. The exporter that has no target has no labels."""
    for node in nodes(rule.expr):
        if isinstance(node, parser.BinaryExpr) and str(node.op) == "or":
            left, right = labels_of(node.lhs, RECORDED), labels_of(node.rhs, RECORDED)
            assert left is None or right is None or left == right or right == frozenset(), node.prettify()


@pytest.mark.parametrize(("rule", "query"), queries())
def test_rules_name_metrics_and_labels_of_the_contract(rule: str, query: str) -> None:
    available = TARGET | promql.made_labels(query)
    for selector in promql.selectors(query):
        if selector.metric in RECORDED:
            labels = labels_of(parser.parse(RECORDED[selector.metric]), RECORDED) or frozenset(TARGET)
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
            assert right is not None
            assert left == right or (on == right and right < left), node.prettify()  # the second with group_left
            assert on is None or on == right, node.prettify()


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
    for part in ("**Meaning.**", "**Diagnosis.**", "**Mitigation.**", "**Tuning.**"):
        assert part in section
    assert "```promql" in section


def row(rule: Rule) -> tuple[str, str, str, str]:
    """How the table has it; an alert of two severities has one row."""
    severities = " or ".join(dict.fromkeys(one.labels["severity"] for one in ALERTS if one.name == rule.name))
    return rule.name, rule.name.lower(), severities, rule.wait


def test_table_says_what_the_rules_say() -> None:
    rows = re.findall(r"^\| \[(Flatfile\w+)\]\(#(\w+)\) \| ([a-z ]+) \| (\w+) \|", RUNBOOKS, flags=re.MULTILINE)
    assert rows == [*dict.fromkeys(row(rule) for rule in ALERTS)]


@pytest.mark.parametrize("query", re.findall(r"```promql\n(.*?)```", RUNBOOKS, flags=re.DOTALL))
def test_runbook_queries_name_what_exists(query: str) -> None:
    for part in query.strip().split("\n\n"):
        parser.parse(part)
        for selector in promql.selectors(part):
            assert selector.metric in {*SERIES, *RECORDED, "up", "scrape_duration_seconds"}, selector.metric
            if selector.metric in SERIES:
                assert {label for label, _, _ in selector.matchers} <= SERIES[selector.metric] | TARGET
