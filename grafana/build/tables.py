"""Tables of instant queries: rows joined on their labels, columns named, ordered and linked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import dashboard as model

from . import colours
from .links import DataLink
from .panels import COUNT, REF_IDS, STEPS, About, Placed, Query, targets, usual

EMPTY = "–"
"""In a cell that has no value. A table without any row says its panel's own words."""

Property = model.DynamicConfigValue


@dataclass(frozen=True, slots=True)
class Column:
    """The value of one query. `words` replace values by text on a coloured ground, `steps` colour the text.

    `width` in pixels, where the table has too many columns to share its room evenly. Not `shown`: the query is there
    for its labels alone.
    """

    title: str
    expr: str
    unit: str = COUNT
    decimals: int | None = None
    words: colours.Words | None = None
    steps: Sequence[model.Threshold] = ()
    width: int | None = None
    shown: bool = True


def ago(title: str, timestamp: str) -> Column:
    """A column that says how long ago a Unix time was."""
    return Column(title, f"({timestamp}) * 1000", unit="dateTimeFromNow", width=135)


@dataclass(frozen=True, slots=True)
class Label:
    """How a label is shown: its heading, what to write for its values (`words`: on which ground), its width in pixels.

    Without a `width` it shares the room that is left, at least `least` pixels.
    """

    title: str
    texts: Mapping[str, str] | None = None
    words: colours.Words | None = None
    width: int | None = None
    least: int = 115


Labels = Mapping[str, str | Label]
"""Label -> heading."""

ENVIRONMENT_COLUMN = {"environment_name": Label("Environment", least=140)}
ID_COLUMNS = {"account": Label("Account", least=90), "environment_id": Label("Environment ID", least=140)}


def _property(key: str, value: Any) -> Property:
    return model.DynamicConfigValue(id_val=key, value=value)


COLOURED_GROUND = [
    _property("custom.cellOptions", {"type": "color-background", "mode": "basic"}),
    _property("custom.align", "center"),
]


def _words(words: colours.Words) -> list[Property]:
    steps = {"mode": "absolute", "steps": colours.steps(base="transparent")}
    return [_property("mappings", [colours.mapping(words)]), _property("thresholds", steps), *COLOURED_GROUND]


def _of_column(column: Column) -> list[Property]:
    properties = [_property("unit", column.unit)]
    if column.decimals is not None:
        properties.append(_property("decimals", column.decimals))
    if column.words:
        properties += _words(column.words)
    if column.steps:
        properties.append(_property("thresholds", {"mode": "absolute", "steps": list(column.steps)}))
        properties.append(_property("custom.cellOptions", {"type": "color-text"}))
    if column.width:
        properties.append(_property("custom.width", column.width))
    return properties


def _of_label(label: Label, menu: Sequence[DataLink]) -> list[Property]:
    properties = [_property("custom.filterable", True), _property("custom.minWidth", label.least)]
    if label.texts:
        properties.append(_property("mappings", [colours.texts(label.texts)]))
    if label.words:
        properties += _words(label.words)
    if label.width:
        properties.append(_property("custom.width", label.width))
    if menu:
        properties.append(_property("links", [{"title": link.title, "url": link.url} for link in menu]))
    return properties


def _labels(labels: Labels | None) -> dict[str, Label]:
    return {name: one if isinstance(one, Label) else Label(one) for name, one in (labels or {}).items()}


def _table(about: About, exprs: Sequence[str], base: str, least: int) -> Any:
    queries = targets([Query(expr, "") for expr in exprs], instant=True, as_table=True)
    panel = usual(table.Panel(), about, "short", queries, colours.steps(base=base))
    return panel.min_width(least).max_data_points(STEPS)


def rows(
    about: About,
    before: Labels,
    columns: Sequence[Column],
    after: Labels | None = None,
    *,
    links: Sequence[DataLink] = (),
    sort: str,
    descending: bool = False,
    width: int = 24,
    height: int = 10,
) -> Placed:
    """A table with a row for each combination of labels.

    `before` and `after` are the labels left and right of the values; `links` open from the first column. The queries
    must not have other labels than those.
    """
    left, right = _labels(before), _labels(after)
    # Grafana calls the value "Value" when one query alone has an answer, "Value #A" and so on when several have.
    values = {"Value": columns[0]} | {f"Value #{ref}": c for ref, c in zip(REF_IDS, columns, strict=False)}
    hidden = {name: True for name, column in values.items() if not column.shown}
    titles = {name: one.title for name, one in (left | values | right).items() if isinstance(one, Label) or one.shown}
    panel = (
        _table(about, [column.expr for column in columns], "text", 115)
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True} | hidden,
                    "indexByName": {name: index for index, name in enumerate(titles)},
                    "renameByName": titles,
                },
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(descending)])
        .override_by_regexp("/.*/", [_property("noValue", EMPTY)])
    )
    for column in (column for column in columns if column.shown):
        panel = panel.override_by_name(column.title, _of_column(column))
    for index, label in enumerate((*left.values(), *right.values())):
        panel = panel.override_by_name(label.title, _of_label(label, () if index else links))
    return Placed(panel, width, height)


def matrix(
    about: About, expr: str, row: tuple[str, str], column: str, words: colours.Words, *, width: int, height: int
) -> Placed:
    """A row for each value of one label (`row`: label and heading), a column for each value of another.

    In each cell is a status in words.
    """
    label, heading = row
    panel = (
        _table(about, [expr], "transparent", 140)
        .mappings([colours.mapping(words)])
        .with_transformation(
            model.DataTransformerConfig(
                id_val="groupingToMatrix",
                options={"rowField": label, "columnField": column, "valueField": "Value", "emptyValue": "null"},
            )
        )
        .override_by_regexp("/.*/", [_property("noValue", EMPTY), *COLOURED_GROUND])
        # Grafana names the first column after both labels.
        .override_by_name(
            f"{label}\\{column}",
            [
                _property("displayName", heading),
                _property("custom.width", 300),
                _property("custom.align", "left"),
                _property("custom.cellOptions", {"type": "auto"}),
            ],
        )
    )
    return Placed(panel, width, height)
