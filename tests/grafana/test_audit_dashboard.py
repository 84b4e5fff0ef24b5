"""The dashboard on Loki: every query is LogQL, asks for keys that lines have, through every filter, over the right range."""

import json
import re
from pathlib import Path

import pytest

from . import dashboard_lint, logql
from .queries import Json, dashboards, panels

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
(BOARD,) = dashboards("loki").values()
TARGETS = [(panel, target) for panel in panels(BOARD) for target in panel.get("targets", ())]
FILTERS = {
    "only_account": "account",
    "only_environment": "environment",
    "only_topic": "topic",
    "only_actor": "who",
    "only_space": "space",
}
each_query = pytest.mark.parametrize(("panel", "target"), TARGETS, ids=lambda one: str(one.get("title", "")))


@each_query
def test_query_is_logql_on_keys_that_lines_have(panel: Json, target: Json) -> None:
    asked = logql.parse(target["expr"])
    keys = set(SCHEMA["properties"]) | asked.made | {"__error__"}
    assert asked.stream == {"job": "flatfile-audit"}
    assert set(asked.tested) | set(asked.by) | asked.written <= keys
    assert asked.tested["__error__"] == [""]
    assert set(re.findall(r"{{(\w+)}}", target.get("legendFormat", ""))) <= set(asked.by)


@each_query
def test_query_goes_through_every_filter(panel: Json, target: Json) -> None:
    tested = logql.parse(target["expr"]).tested
    for variable, key in FILTERS.items():
        assert f"${{{variable}:raw}}" in tested[key]


@each_query
def test_query_goes_to_the_chosen_loki_over_the_range_that_is_seen(panel: Json, target: Json) -> None:
    loki = {"type": "loki", "uid": "${loki_datasource}"}
    assert panel["datasource"] == target["datasource"] == loki
    asked = logql.parse(target["expr"])
    assert asked.ranged == (None if panel["type"] == "logs" else "$__auto")
    assert target["queryType"] == ("range" if panel["type"] in ("timeseries", "logs") else "instant")


def test_variables_are_the_data_source_and_a_regular_expression_for_each_filter() -> None:
    source, *filters = BOARD["templating"]["list"]
    assert (source["name"], source["label"], source["type"], source["query"]) == (
        "loki_datasource",
        "Loki data source",
        "datasource",
        "loki",
    )
    assert [(one["name"], one["type"], one["query"]) for one in filters] == [
        (name, "textbox", ".*") for name in FILTERS
    ]


def test_variables_are_not_those_of_the_other_dashboards() -> None:
    """Grafana hands variables on by name, and `$__all` is no regular expression."""
    others = {v["name"] for board in dashboards().values() for v in board["templating"]["list"]}
    assert not others & {variable["name"] for variable in BOARD["templating"]["list"]}


def test_it_says_who_what_when_and_where_by_actor_environment_and_topic() -> None:
    grouped = {key for _, target in TARGETS for key in logql.parse(target["expr"]).by}
    assert {"who", "actor_type", "environment", "topic", "space"} <= grouped
    (lines,) = (target for panel, target in TARGETS if panel["type"] == "logs")
    assert {"topic", "who", "space", "environment", "account"} <= logql.parse(lines["expr"]).written


def test_it_says_that_it_names_people() -> None:
    (prose,) = (panel for panel in panels(BOARD) if panel["type"] == "text")
    assert "it names people" in prose["options"]["content"]


def test_nothing_is_marked_by_prometheus() -> None:
    assert BOARD["annotations"]["list"] == []


@pytest.mark.parametrize(
    "broken",
    [
        "sum(count_over_time({job=`a`} | json [$__auto])",
        "sum(rate({job=`a`} | json [$__auto]))",
        "{job=`a`} json",
        "{job=`a`} | jsn",
        "{job=`a`} | topic=~file",
        "{job=`a` | json",
        '{job="a"} | topic="a',
        "",
    ],
)
def test_the_reader_finds_what_is_no_logql(broken: str) -> None:
    with pytest.raises(ValueError, match=r"LogQL|stage|stream|bar"):
        logql.parse(broken)


def test_bars_in_strings_are_no_stages() -> None:
    asked = logql.parse('sum by (a) (count_over_time({job="x"} | json | b=~`c|d` | e="f\\"|g" [5m]))')
    assert asked.tested == {"b": ["c|d"], "e": ['f\\"|g']}
    assert (asked.by, asked.ranged) == (("a",), "5m")


def test_the_linters_rules_that_are_not_about_prometheus_are_kept() -> None:
    about_prometheus = re.compile(
        "template-(job|instance|datasource)-rule|target-(logql|logql-auto|promql)-rule|panel-datasource"
    )
    findings = [finding for finding in dashboard_lint.lint(BOARD) if not about_prometheus.match(finding.rule)]
    assert findings == []
