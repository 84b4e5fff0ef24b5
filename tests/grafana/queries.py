"""Every query of every dashboard, ready for a Prometheus: panels, variables and annotations, with macros filled in."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from . import promql

GRAFANA = Path(__file__).parents[2] / "grafana"
FOLDERS = {"prometheus": GRAFANA / "dashboards", "loki": GRAFANA / "dashboards-loki"}
"""Where the dashboards for provisioning are, by the data source that they ask."""

EVERYTHING = {"job": ".+", "instance": ".+", "account": ".+", "environment": ".*", "system": "false"}
"""What Grafana puts in for the variables as they stand at first: "All", and Flatfile's own agents hidden."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """One query.

    `expr` is PromQL for `/api/v1/query` (and `/api/v1/query_range` where not `instant`); of a variable by
    `label_values` it is the selector whose series carry the label. `labels` must be on every series of the answer,
    `row_labels` (of tables) on those of at least one query of the same panel. `place` says where it stands.
    """

    dashboard: str
    place: str
    kind: Literal["panel", "variable", "annotation"]
    expr: str
    raw: str
    instant: bool
    labels: tuple[str, ...] = ()
    row_labels: tuple[str, ...] = ()


def dashboards(kind: Literal["prometheus", "loki"] = "prometheus") -> dict[str, Json]:
    """The committed dashboards by uid: those that ask Prometheus, or those that ask Loki."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDERS[kind].glob("*.json"))]
    return {dashboard["uid"]: dashboard for dashboard in found}


def panels(dashboard: Json) -> Iterator[Json]:
    """All panels but the rows, those inside collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def filled_in(text: str, variables: Mapping[str, str] = EVERYTHING, macros: Mapping[str, str] = promql.MACROS) -> str:
    """The query as Grafana sends it: durations and the dashboard's variables replaced."""
    text = promql.without_macros(text, macros)
    for name, value in variables.items():
        text = text.replace(f"${name}", value)
    return text


def _labels(template: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"{{\s*(\w+)\s*}}", template)))


def _row_labels(panel: Json) -> tuple[str, ...]:
    """The label columns of a table: what its transformations name, but for the values."""
    named: list[str] = []
    for step in panel.get("transformations", ()):
        options = step["options"]
        named += [name for name in options.get("renameByName", ()) if not name.startswith("Value")]
        named += [options[key] for key in ("rowField", "columnField") if key in options]
    return tuple(named)


def _of_panel(dashboard: Json, panel: Json, variables: Mapping[str, str]) -> Iterator[Query]:
    for target in panel.get("targets", ()):
        yield Query(
            dashboard["uid"],
            f"panel {panel['id']} {panel['title']!r}, query {target['refId']}",
            "panel",
            filled_in(target["expr"], variables),
            target["expr"],
            bool(target.get("instant")),
            _labels(target.get("legendFormat", "")),
            _row_labels(panel),
        )


def _of_variable(dashboard: Json, variable: Json, variables: Mapping[str, str]) -> Query | None:
    if variable["type"] != "query":
        return None
    text = variable["query"]["query"]
    place = f"variable {variable['name']!r}"
    if match := re.fullmatch(r"label_values\((.+), *(\w+)\)", text):
        return Query(dashboard["uid"], place, "variable", filled_in(match[1], variables), match[1], True, (match[2],))
    if match := re.fullmatch(r"query_result\((.+)\)", text):
        labels = ("environment_id", "environment_name")
        return Query(dashboard["uid"], place, "variable", filled_in(match[1], variables), match[1], True, labels)
    raise ValueError(f"{dashboard['uid']}, {place}: {text!r} is neither label_values nor query_result")


def _of_annotation(dashboard: Json, annotation: Json, variables: Mapping[str, str]) -> Query | None:
    if "expr" not in annotation:
        return None
    return Query(
        dashboard["uid"],
        f"annotation {annotation['name']!r}",
        "annotation",
        filled_in(annotation["expr"], variables),
        annotation["expr"],
        False,
    )


def queries_of(dashboard: Json, variables: Mapping[str, str] = EVERYTHING) -> Iterator[Query]:
    """Every query of one dashboard."""
    for variable in dashboard["templating"]["list"]:
        if query := _of_variable(dashboard, variable, variables):
            yield query
    for annotation in dashboard["annotations"]["list"]:
        if query := _of_annotation(dashboard, annotation, variables):
            yield query
    for panel in panels(dashboard):
        yield from _of_panel(dashboard, panel, variables)


def all_queries(variables: Mapping[str, str] = EVERYTHING) -> list[Query]:
    """Every query of the dashboards that ask Prometheus. `variables` are regular expressions by the variable's name."""
    return [query for dashboard in dashboards().values() for query in queries_of(dashboard, variables)]
