"""Tables of instant queries: rows joined on their labels, columns named, ordered and linked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common, table
from grafana_foundation_sdk.models import common as choice
from grafana_foundation_sdk.models import dashboard as model

from . import colours
from .links import DataLink
from .panels import DATASOURCE, REF_IDS, About, Placed, Query, targets, thresholds

ENVIRONMENT_COLUMNS = {"environment": "Environment"}
ID_COLUMNS = {"account": "Account", "environment_id": "Environment ID"}


@dataclass(frozen=True, slots=True)
class Column:
    """The value of one query. `words` replace values by text, `steps` colour the text above thresholds.

    Not `shown`: the query is there for its labels alone.
    """

    title: str
    expr: str
    unit: str = "short"
    decimals: int | None = None
    words: colours.Words | None = None
    steps: Sequence[model.Threshold] = ()
    shown: bool = True


def _property(key: str, value: Any) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val=key, value=value)


def _properties(column: Column) -> list[model.DynamicConfigValue]:
    properties = [_property("unit", column.unit)]
    if column.decimals is not None:
        properties.append(_property("decimals", column.decimals))
    if column.words:
        properties.append(_property("mappings", [colours.mapping(column.words)]))
    if column.steps:
        properties.append(_property("thresholds", {"mode": "absolute", "steps": list(column.steps)}))
    if column.words or column.steps:
        properties.append(_property("custom.cellOptions", {"type": "color-text"}))
    return properties


def rows(
    about: About,
    before: dict[str, str],
    columns: Sequence[Column],
    after: dict[str, str] | None = None,
    *,
    links: Sequence[DataLink] = (),
    sort: str,
    descending: bool = False,
    width: int = 24,
    height: int = 10,
) -> Placed:
    """A table with a row for each combination of labels.

    `before` and `after` are the labels (label -> heading) left and right of the values; `links` open from the first
    column. The queries must not have other labels than those.
    """
    after = after or {}
    # Grafana calls the value "Value" when one query alone has an answer, "Value #A" and so on when several have.
    values = {"Value": columns[0]} | {f"Value #{ref}": c for ref, c in zip(REF_IDS, columns, strict=False)}
    renames = {name: column.title for name, column in values.items() if column.shown}
    hidden = {name: True for name, column in values.items() if not column.shown}
    order = [*before, *renames, *after]
    panel = (
        table.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .no_value(about.empty)
        .unit("short")
        .filterable(True)
        .min_width(115)
        .targets(targets([Query(c.expr, "") for c in columns], instant=True, as_table=True))
        .thresholds(thresholds(colours.steps(base="text")))
        .with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(
            model.DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": {"Time": True} | hidden,
                    "indexByName": {name: index for index, name in enumerate(order)},
                    "renameByName": before | renames | after,
                },
            )
        )
        .sort_by([common.TableSortByFieldState().display_name(sort).desc(descending)])
    )
    for column in (column for column in columns if column.shown):
        panel = panel.override_by_name(column.title, _properties(column))
    if links:
        first = next(iter(before.values()))
        menu = [{"title": link.title, "url": link.url} for link in links]
        panel = panel.override_by_name(first, [_property("links", menu), _property("custom.minWidth", 140)])
    return Placed(panel, width, height)


def matrix(about: About, expr: str, row: str, column: str, words: colours.Words, *, width: int, height: int) -> Placed:
    """A row for each value of one label, a column for each value of another, a status in words in each cell."""
    panel = (
        table.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .no_value(about.empty)
        .unit("short")
        .targets(targets([Query(expr, "")], instant=True, as_table=True))
        .thresholds(thresholds(colours.steps(base="text")))
        .mappings([colours.mapping(words)])
        .cell_options(choice.TableColorTextCellOptions())
        .with_transformation(
            model.DataTransformerConfig(
                id_val="groupingToMatrix",
                options={"rowField": row, "columnField": column, "valueField": "Value", "emptyValue": "null"},
            )
        )
        # Grafana names the first column after both labels.
        .override_by_name(f"{row}\\{column}", [_property("custom.width", 300)])
    )
    return Placed(panel, width, height)
