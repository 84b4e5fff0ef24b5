"""Builders of the panel kinds that the dashboards use, each with its description, unit and meaning of "no data"."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    dashboard,
    prometheus,
    stat,
    statetimeline,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common as choice
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import prometheus as query
from grafana_foundation_sdk.models import text as text_model

from . import colours
from .expressions import ENVIRONMENT_KEY, MAX_LINES, largest
from .links import DataLink, of_series
from .wording import ENVIRONMENT_LINE, LARGEST

DATASOURCE = choice.DataSourceRef(type_val="prometheus", uid="${datasource}")
REF_IDS = "ABCDEFGHIJKLMNOP"


class Buildable(Protocol):
    def build(self) -> model.Panel: ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel and its size: `width` of 24 columns, `height` in rows of about 30 pixels."""

    panel: Buildable
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class About:
    """What a panel is: its title, what it shows, and what an empty panel means.

    `empty` is the short text in place of a value (`noValue`), `no_data` the sentence that explains it.
    """

    title: str
    shows: str
    no_data: str
    empty: str = "not known"

    @property
    def description(self) -> str:
        return f"{self.shows}\n\n**No data:** {self.no_data}"


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the name of its lines, with `{{label}}` for the series' labels."""

    expr: str
    legend: str


def targets(queries: Sequence[Query], *, instant: bool, as_table: bool = False) -> list[Any]:
    """Return Grafana's queries A, B, C and so on: at the end of the time range, or over all of it."""
    built: list[Any] = []
    for ref_id, one in zip(REF_IDS, queries, strict=False):
        target = prometheus.Dataquery().ref_id(ref_id).expr(one.expr).legend_format(one.legend).datasource(DATASOURCE)
        target = target.instant() if instant else target.range()
        built.append(target.format(query.PromQueryFormat.TABLE) if as_table else target)
    return built


COUNT = "locale"
"""Grafana's unit of whole numbers: 1,234 in the reader's way of writing it, where `short` would make it 1.23 K."""

RATE = "short"
"""Unit of what the title counts by time ("Events per second"): Grafana's own, such as "c/s", need explaining."""

WIDE = 12
"""A graph of at least this width has room for the table of its lines beside it."""

SOFT_MAX = {COUNT: 1, RATE: 0.001, "reqps": 0.001}
"""Where the axis ends at the least, by unit: one on which all is 0 would go up to 100."""

STEPS = 500
"""Points of a time range, as `$__interval` divides it: for what is added up over the range, whatever the panel's width."""


def usual(panel: Any, about: About, unit: str, queries: list[Any], steps: Sequence[model.Threshold]) -> Any:
    """Return the panel with what all kinds of panels have."""
    return (
        panel.title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(about.empty)
        .targets(queries)
        .thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(list(steps)))
    )


def _colour(mode: model.FieldColorModeId) -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(mode)


def _fixed(colour: str) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})]


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _legend(many: bool, width: int) -> common.VizLegendOptions:
    """A list of names where there are few lines; where there may be many, a table with figures, the largest first."""
    legend = common.VizLegendOptions().show_legend(True).placement(choice.LegendPlacement.BOTTOM)
    if not many:
        return legend.display_mode(choice.LegendDisplayMode.LIST).calcs([])
    calcs = ["lastNotNull", "max"]
    if width >= WIDE:
        legend = legend.placement(choice.LegendPlacement.RIGHT)
        calcs = ["lastNotNull"]
    legend = legend.display_mode(choice.LegendDisplayMode.TABLE).calcs(calcs)
    return legend.sort_by("Last *").sort_desc(True)


def figure(
    about: About,
    asked: str | Sequence[Query],
    unit: str = COUNT,
    *,
    names: Mapping[str, str] | None = None,
    words: colours.Words | None = None,
    steps: Sequence[model.Threshold] = (),
    paint: Mapping[str, str] | None = None,
    trend: bool = False,
    decimals: int | None = None,
    link: DataLink | None = None,
    width: int = 4,
    height: int = 4,
) -> Placed:
    """One number, or one for each series of queries with a legend.

    `words` tell a status, `names` and `paint` say how a series is called and coloured instead of its legend's text and the
    thresholds' colour, `trend` draws its course behind it.
    """
    queries = [Query(asked, "")] if isinstance(asked, str) else asked
    mode = choice.BigValueTextMode.VALUE if isinstance(asked, str) else choice.BigValueTextMode.VALUE_AND_NAME
    ground = choice.BigValueColorMode.BACKGROUND_SOLID if words or steps else choice.BigValueColorMode.NONE
    panel = (
        usual(stat.Panel(), about, unit, targets(queries, instant=not trend), steps or colours.steps())
        .reduce_options(_last())
        .text_mode(mode)
        .color_mode(ground)
        .wide_layout(False)
        .graph_mode(choice.BigValueGraphMode.AREA if trend else choice.BigValueGraphMode.NONE)
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
        .max_data_points(STEPS)
    )
    if trend:
        panel = panel.min(0)  # else the smallest change fills the tile
    if words:
        panel = panel.mappings([colours.mapping(words)])
    if decimals is not None:
        panel = panel.decimals(decimals)
    for name, shown in (names or {}).items():
        panel = panel.override_by_name(name, [model.DynamicConfigValue(id_val="displayName", value=shown)])
    for name, colour in (paint or {}).items():
        panel = panel.override_by_name(name, _fixed(colour))
    if link:
        panel = panel.data_links([link.builder()])
    return Placed(panel, width, height)


def graph(
    about: About,
    queries: Sequence[Query],
    unit: str = COUNT,
    *,
    lines: Mapping[str, str] | None = None,
    dashed: Sequence[str] = (),
    many: bool = True,
    high: float | None = None,
    link: DataLink | None = None,
    width: int = WIDE,
) -> Placed:
    """Lines over time. A gap is a gap: nothing is drawn while the value was not known.

    `lines` gives the colours of lines known by name, `dashed` the (regular expressions of) names of limits.
    """
    panel = (
        usual(timeseries.Panel(), about, unit, targets(queries, instant=False), ())
        .legend(_legend(many, width))
        .tooltip(common.VizTooltipOptions().mode(choice.TooltipDisplayMode.MULTI).sort(choice.SortOrder.DESCENDING))
        .color_scheme(_colour(model.FieldColorModeId.PALETTE_CLASSIC))
        .line_width(2)
        .fill_opacity(0)
        .show_points(choice.VisibilityMode.AUTO)
        .span_nulls(False)
        .min(0)
    )
    if unit == COUNT:
        panel = panel.decimals(0)
    if high is not None:
        panel = panel.max(high)
    elif unit in SOFT_MAX:
        panel = panel.axis_soft_max(SOFT_MAX[unit])
    for name, colour in (lines or {}).items():
        panel = panel.override_by_name(name, _fixed(colour))
    for pattern in dashed:
        style = {"fill": "dash", "dash": [8, 8]}
        panel = panel.override_by_regexp(
            f"/{pattern}/", [model.DynamicConfigValue(id_val="custom.lineStyle", value=style)]
        )
    if link:
        panel = panel.data_links([link.builder()])
    return Placed(panel, width, 9 if width >= WIDE else 11)


def by_environment(
    about: About,
    expr: str | Mapping[str, str],
    unit: str = COUNT,
    *,
    to: str,
    by: Sequence[str] = ENVIRONMENT_KEY,
    legend: str = ENVIRONMENT_LINE,
    dashed: Sequence[str] = (),
    high: float | None = None,
    width: int = WIDE,
) -> Placed:
    """A line for each environment (or for what else the labels `by` and `legend` name), of the largest alone.

    Several expressions are given by what stands before the legend. A click leads to the environment on the dashboard `to`.
    """
    exprs = {"": expr} if isinstance(expr, str) else expr
    number = MAX_LINES // len(exprs)
    queries = [Query(largest(one, number, by), before + legend) for before, one in exprs.items()]
    at_most = About(about.title, about.shows + LARGEST, about.no_data, about.empty)
    link = of_series("This environment", to)
    return graph(at_most, queries, unit, dashed=dashed, high=high, link=link, width=width)


def bars(
    about: About,
    expr: str,
    legend: str,
    *,
    link: DataLink | None = None,
    width: int = 12,
    height: int = 12,
) -> Placed:
    """A bar with a whole number for each series, longest first as the query sorts them."""
    panel = (
        usual(
            bargauge.Panel(),
            about,
            COUNT,
            targets([Query(expr, legend)], instant=True),
            colours.steps(base=colours.SKY),
        )
        .min(0)
        .decimals(0)
        .reduce_options(_last())
        .orientation(choice.VizOrientation.HORIZONTAL)
        .display_mode(choice.BarGaugeDisplayMode.BASIC)
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
        .max_data_points(STEPS)
    )
    if link:
        panel = panel.data_links([link.builder()])
    return Placed(panel, width, height)


def timeline(about: About, query_: Query, words: colours.Words, *, width: int = 24, height: int = 9) -> Placed:
    """States over time, one bar a series, each state written on it."""
    panel = (
        usual(statetimeline.Panel(), about, "short", targets([query_], instant=False), colours.steps())
        .mappings([colours.mapping(words)])
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
        .merge_values(True)
        .show_value(choice.VisibilityMode.AUTO)
        .legend(
            common.VizLegendOptions()
            .show_legend(False)
            .display_mode(choice.LegendDisplayMode.LIST)
            .placement(choice.LegendPlacement.BOTTOM)
            .calcs([])
        )
    )
    return Placed(panel, width, height)


def prose(title: str, markdown: str, *, width: int = 24, height: int = 6) -> Placed:
    """Text for the reader."""
    panel = text.Panel().title(title).mode(text_model.TextMode.MARKDOWN).content(markdown)
    return Placed(panel, width, height)
