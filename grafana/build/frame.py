"""What all dashboards share: variables, annotations, links to one another, and the places of the panels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from . import colours
from .expressions import ENVIRONMENT, of_environment, once, selector
from .links import TAG
from .panels import DATASOURCE, Placed

COLUMNS = 24
"""Width of Grafana's grid."""

LABEL_VALUES, QUERY_RESULT = 1, 3
"""Kinds of a Prometheus variable, as Grafana's variable editor stores them (`qryType`)."""

OUR_ALERTS = 'alertname=~"Flatfile.*", account=~"$account|"'
FIRING = f'ALERTS{{{OUR_ALERTS}, alertstate="firing"}}'
"""Our alerts that fire, for the chosen accounts or for none (as when an exporter is down). No `job` and no `instance` is
selected: an alert about an account has neither."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading, left to right and then down. A collapsed row asks nothing until it is opened."""

    title: str
    panels: Sequence[Placed]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard, before it is placed and numbered.

    `more_variables` come after those that choose exporters and environments. `variables` replace all of those; the marks on
    graphs, which come from Prometheus too, are left out then.
    """

    uid: str
    title: str
    description: str
    rows: Sequence[Row]
    time_from: str = "now-24h"
    more_variables: Sequence[Any] = ()
    variables: Sequence[Any] | None = None


def _query(query: str, kind: int) -> dict[str, object]:
    return {"query": query, "qryType": kind, "refId": "PrometheusVariableQueryEditor-VariableQuery"}


def _variable(
    name: str, label: str, query: str, kind: int = LABEL_VALUES, all_value: str = ".+"
) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(_query(query, kind))
        .definition(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC)
        .multi(True)
        .include_all(True)
        .all_value(all_value)
        .current(model.VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _variables() -> list[Any]:
    """Each variable offers what the ones before it leave over.

    The environment's value is its id and its text the name, which `label_values` cannot do: `query_result` hands the
    whole series over as text, `{environment_id="us_env_1",environment_name="Production"} 1 1700000000000`, and the regular
    expression's groups `text` and `value` pick the two. Prometheus sorts labels, so the id comes first. Grafana keeps one
    entry for each value, so two environments of one name stay two entries.
    """
    in_scope = selector("flatfile_environment_info", 'account=~"$account"')
    by_name = once(in_scope, ("environment_id", "environment_name"))
    return [
        build.DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _variable("job", "Job", "label_values(flatfile_up, job)"),
        _variable("instance", "Instance", 'label_values(flatfile_up{job=~"$job"}, instance)'),
        _variable("account", "Account", f"label_values({selector('flatfile_up')}, account)"),
        _variable("environment", "Environment", f"query_result({by_name})", QUERY_RESULT, all_value=".*").regex(
            '/environment_id="(?<value>[^"]+)",\\s*environment_name="(?<text>[\\s\\S]*)"/'
        ),
    ]


def _annotations() -> list[Any]:
    """Marks on graphs: when an agent was deployed, and (where the switch is turned on) while an alert of ours was firing."""
    updated = once(of_environment("flatfile_agent_updated_timestamp_seconds"), (*ENVIRONMENT, "agent_id", "agent"))
    return [
        build.AnnotationQuery()
        .name("Agents deployed")
        .datasource(DATASOURCE)
        .enable(True)
        .hide(False)
        .icon_color(colours.BLUE)
        # The value, in milliseconds, is the time of the mark: one for each change, at its exact moment.
        .expr(f"{updated} * 1000")
        .use_value_for_time(True)
        .step("60s")
        .title_format("{{agent}} deployed")
        .text_format("in {{environment_name}} ({{environment_id}}) of account {{account}}")
        .tag_keys("account,environment_name,agent"),
        build.AnnotationQuery()
        .name("Alerts firing")
        .datasource(DATASOURCE)
        .enable(False)  # many alerts at once would cover the lines; the overview has a timeline of them
        .hide(False)
        .icon_color(colours.WARNING)
        .expr(FIRING)
        .step("60s")
        .title_format("{{alertname}}")
        .text_format("{{severity}}: account {{account}}, environment {{environment_id}}, {{agent}} {{collector}}")
        .tag_keys("alertname,severity,account"),
    ]


def _other_dashboards() -> build.DashboardLink:
    return (
        build.DashboardLink("Flatfile dashboards")
        .type(model.DashboardLinkType.DASHBOARDS)
        .tags([TAG])
        .as_dropdown(True)
        .keep_time(True)
        .include_vars(True)
        .icon("external link")
        .tooltip("The other Flatfile dashboards, with the same time range and variables")
    )


def _as_json(built: object) -> Json:
    return json.loads(json.dumps(built, cls=JSONEncoder))  # type: ignore[no-any-return]


def _place(rows: Sequence[Row]) -> list[Json]:
    """Number the panels and put them on the grid: rows downwards, panels left to right, a new line when one is full.

    A collapsed row takes one line; its panels lie below it, where they are when it is opened and the rest moves down.
    """
    placed: list[Json] = []
    number, top = 0, 0
    for row in rows:
        number += 1
        heading: Json = {"id": number, "type": "row", "title": row.title, "collapsed": row.collapsed, "panels": []}
        heading["gridPos"] = {"x": 0, "y": top, "w": COLUMNS, "h": 1}
        placed.append(heading)
        x, y, tallest = 0, top + 1, 0
        for one in row.panels:
            if x + one.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            number += 1
            panel = _as_json(one.panel.build()) | {"id": number}
            panel["gridPos"] = {"x": x, "y": y, "w": one.width, "h": one.height}
            (heading["panels"] if row.collapsed else placed).append(_tidy_panel(panel))
            x, tallest = x + one.width, max(tallest, one.height)
        top = top + 1 if row.collapsed else y + tallest
    return placed


def _tidy_panel(panel: Json) -> Json:
    """Leave out what the builders add and no Grafana needs: a repeat's direction, a data link's dashboard fields."""
    panel.pop("repeatDirection", None)
    panel.pop("transparent", None)
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    if "links" in defaults:
        defaults["links"] = [{"title": link["title"], "url": link["url"]} for link in defaults["links"]]
    return panel


def render(board: Board) -> Json:
    """Return the dashboard in Grafana's classic JSON."""
    shell = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .readonly()
        .refresh("1m")
        .time(board.time_from, "now")
        .timezone("browser")
        .tooltip(model.DashboardCursorSync.CROSSHAIR)
        .variables([*_variables(), *board.more_variables] if board.variables is None else [*board.variables])
        .annotations(_annotations() if board.variables is None else [])
        .link(_other_dashboards())
    )
    dashboard = _as_json(shell.build())
    for variable in dashboard["templating"]["list"]:
        # The builder writes an interval variable's fields on every kind; Grafana's schema knows them on none.
        for key in ("auto", "auto_min", "auto_count"):
            variable.pop(key, None)
    for item in (*dashboard["annotations"]["list"], *dashboard["links"]):
        item.pop("placement", None)  # would hide them in a menu on the newest Grafana
    dashboard["panels"] = _place(board.rows)
    return dashboard


def written(dashboard: Json, indent: int | None = 2) -> str:
    """Return the text of the dashboard's file."""
    return json.dumps(dashboard, indent=indent, sort_keys=True, ensure_ascii=False) + "\n"
