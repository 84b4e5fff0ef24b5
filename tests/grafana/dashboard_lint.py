"""The 17 rules of Grafana's dashboard-linter (0.2), for machines where the linter itself is not at hand.

Written from the rules' documentation; stricter in two things: every kind of panel is looked at, and panels in collapsed
rows too. The two rules on LogQL come down to one question here: nothing may ask Loki.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from . import promql
from .queries import Json, panels

TEMPLATED = ("$datasource", "${datasource}")
SHOWS_VALUES = ("stat", "timeseries", "gauge", "bargauge", "table", "state-timeline")
UNITS = {
    "short",
    "locale",
    "percentunit",
    "bytes",
    "s",
    "reqps",
    "dateTimeFromNow",
}
"""Those of Grafana's units that are in use here; the linter knows all."""
MARK = timedelta(days=4321)
"""Stands for `$__rate_interval` in an expression: nobody writes it by hand."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule; `panel` is the panel's title, empty for a breach of the dashboard as a whole."""

    rule: str
    panel: str
    message: str


Rule = Callable[[Json], Iterator[Finding]]


def _targets(dashboard: Json) -> Iterator[tuple[str, Json]]:
    for panel in panels(dashboard):
        for target in panel.get("targets") or ():
            yield panel["title"], target


def _valid(expr: str) -> bool:
    try:
        promql.parse(expr)
    except ValueError:
        return False
    return True


def _variable(dashboard: Json, name: str) -> Json | None:
    return next((v for v in dashboard["templating"]["list"] if v["name"] == name), None)


def template_datasource(dashboard: Json) -> Iterator[Finding]:
    found = [v for v in dashboard["templating"]["list"] if v["type"] == "datasource"]
    names = {("datasource", "Data source"), ("prometheus_datasource", "Prometheus data source")}
    if not found or any((v["name"], v["label"]) not in names for v in found):
        yield Finding("template-datasource-rule", "", "no variable named datasource and labelled Data source")


def _exporter_variable(name: str, label: str) -> Rule:
    def rule(dashboard: Json) -> Iterator[Finding]:
        variable = _variable(dashboard, name)
        if variable is None:
            yield Finding(f"template-{name}-rule", "", f"no variable {name}")
            return
        wanted: dict[str, Any] = {"type": "query", "label": label, "multi": True, "allValue": ".+"}
        for key, value in wanted.items():
            if variable.get(key) != value:
                yield Finding(f"template-{name}-rule", "", f"{key} is {variable.get(key)!r}, not {value!r}")
        if variable["datasource"]["uid"] not in TEMPLATED:
            yield Finding(f"template-{name}-rule", "", "does not ask $datasource")

    return rule


def template_label_promql(dashboard: Json) -> Iterator[Finding]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] != "query":
            continue
        text = variable["query"]["query"]
        match = re.fullmatch(r"label_values\((.+), *\w+\)|query_result\((.+)\)", text)
        if not match or not _valid(match[1] or match[2]):
            yield Finding("template-label-promql-rule", "", f"{variable['name']}: {text}")


def template_reload(dashboard: Json) -> Iterator[Finding]:
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query" and variable.get("refresh") != 2:
            yield Finding("template-on-time-change-reload-rule", "", f"{variable['name']} does not reload")


def panel_datasource(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        asked = [panel.get("datasource"), *(t.get("datasource") for t in panel.get("targets") or ())]
        if panel["type"] in SHOWS_VALUES and any((d or {}).get("uid") not in TEMPLATED for d in asked):
            yield Finding("panel-datasource-rule", panel["title"], "does not ask $datasource")


def panel_title_description(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        if panel["type"] in SHOWS_VALUES and not (panel.get("title") and panel.get("description")):
            yield Finding("panel-title-description-rule", panel.get("title", ""), "no title or no description")


def panel_units(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        if panel["type"] not in SHOWS_VALUES:
            continue
        field_config = panel["fieldConfig"]
        units = [field_config["defaults"].get("unit")]
        units += [p["value"] for o in field_config["overrides"] for p in o["properties"] if p["id"] == "unit"]
        if not set(units) <= UNITS:
            yield Finding("panel-units-rule", panel["title"], f"units {units}")


def panel_no_targets(dashboard: Json) -> Iterator[Finding]:
    for panel in panels(dashboard):
        if panel["type"] in SHOWS_VALUES and not panel.get("targets"):
            yield Finding("panel-no-targets-rule", panel["title"], "asks nothing")


def target_logql(dashboard: Json) -> Iterator[Finding]:
    for title, target in _targets(dashboard):
        if target.get("datasource", {}).get("type") != "prometheus":
            yield Finding("target-logql-rule", title, "asks something else than Prometheus")


def target_logql_auto(dashboard: Json) -> Iterator[Finding]:
    for title, target in _targets(dashboard):
        if "$__auto" in target["expr"]:
            yield Finding("target-logql-auto-rule", title, "$__auto is for Loki")


def target_promql(dashboard: Json) -> Iterator[Finding]:
    for title, target in _targets(dashboard):
        if not _valid(target["expr"]):
            yield Finding("target-promql-rule", title, f"not PromQL: {target['expr']}")


def target_rate_interval(dashboard: Json) -> Iterator[Finding]:
    for title, target in _targets(dashboard):
        marked = target["expr"].replace("$__rate_interval", f"{MARK.days}d")
        if not _valid(marked):
            continue
        for selector in promql.selectors(marked):
            if selector.around[-1:] in (("rate",), ("irate",)) and selector.ranged != str(MARK):
                yield Finding("target-rate-interval-rule", title, f"rate over {selector.ranged}")


def _exporter_matcher(name: str) -> Rule:
    def rule(dashboard: Json) -> Iterator[Finding]:
        for title, target in _targets(dashboard):
            if not _valid(target["expr"]):
                continue
            for selector in promql.selectors(target["expr"]):
                if (name, "=~", f"${name}") not in selector.matchers:
                    yield Finding(f"target-{name}-rule", title, f"{selector.metric} is not asked for its {name}")

    return rule


def target_counter_agg(dashboard: Json) -> Iterator[Finding]:
    for title, target in _targets(dashboard):
        if not _valid(target["expr"]):
            continue
        for selector in promql.selectors(target["expr"]):
            within = selector.around[-1:] and selector.around[-1]
            if selector.metric.endswith("_total") and within not in ("rate", "irate", "increase"):
                yield Finding("target-counter-agg-rule", title, f"{selector.metric} outside rate and increase")


def uneditable(dashboard: Json) -> Iterator[Finding]:
    if dashboard.get("editable") is not False:
        yield Finding("uneditable-dashboard", "", "editable is not false")


RULES: tuple[Rule, ...] = (
    template_datasource,
    _exporter_variable("job", "Job"),
    _exporter_variable("instance", "Instance"),
    template_label_promql,
    template_reload,
    panel_datasource,
    panel_title_description,
    panel_units,
    panel_no_targets,
    target_logql,
    target_logql_auto,
    target_promql,
    target_rate_interval,
    _exporter_matcher("job"),
    _exporter_matcher("instance"),
    target_counter_agg,
    uneditable,
)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One entry of the linter's `.lint` file."""

    rule: str
    dashboard: str
    panel: str
    reason: str


def exclusions(path: Path) -> list[Exclusion]:
    """The exceptions of a `.lint` file; KeyError where one has no reason, dashboard or panel."""
    rules = yaml.safe_load(path.read_text(encoding="utf-8"))["exclusions"]
    return [
        Exclusion(rule, entry["dashboard"], entry["panel"], body["reason"])
        for rule, body in rules.items()
        for entry in body["entries"]
    ]


def lint(dashboard: Json) -> list[Finding]:
    """Every breach of every rule."""
    return [finding for rule in RULES for finding in rule(dashboard)]
