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
from .links import DataLink

DATASOURCE = choice.DataSourceRef(type_val="prometheus", uid="${datasource}")
REF_IDS = "ABCDEFGHIJKLMNOP"


class Buildable(Protocol):
    def build(self) -> model.Panel: ...


@dataclass(frozen=True, slots=True)
class Placed:
    """A panel and the room it takes: `width` of 24 columns, `height` in rows of about 30 pixels."""

    panel: Buildable
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class About:
    """What a panel is: its title, what it shows, and what it means when there is nothing to show.

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
    """Grafana's queries A, B, C and so on: at the end of the time range, or over all of it."""
    built: list[Any] = []
    for ref_id, one in zip(REF_IDS, queries, strict=False):
        target = prometheus.Dataquery().ref_id(ref_id).expr(one.expr).legend_format(one.legend).datasource(DATASOURCE)
        target = target.instant() if instant else target.range()
        built.append(target.format(query.PromQueryFormat.TABLE) if as_table else target)
    return built


def thresholds(steps: Sequence[model.Threshold]) -> dashboard.ThresholdsConfig:
    """Colours by absolute value."""
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(list(steps))


def _fixed(colour: str) -> dict[str, str]:
    return {"mode": "fixed", "fixedColor": colour}


def _colour(mode: model.FieldColorModeId, fixed: str | None = None) -> dashboard.FieldColor:
    colour = dashboard.FieldColor().mode(mode)
    return colour.fixed_color(fixed) if fixed else colour


COUNT = "locale"
"""Grafana's unit of whole numbers: 1,234 in the reader's way of writing it, where `short` would make it 1.23 K."""

WIDE = 12
"""A graph of at least this width has room for the table of its lines beside it; below it a few of them are cut off."""

SOFT_MAX = {COUNT: 1, "cps": 0.001, "ops": 0.001, "opm": 0.1, "reqps": 0.001, "Bps": 1}
"""Where the axis ends at the least, by unit: one on which all is 0 would go up to 100."""


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


def _shown_as(name: str) -> list[model.DynamicConfigValue]:
    return [model.DynamicConfigValue(id_val="displayName", value=name)]


def figure(
    about: About,
    expr: str,
    unit: str,
    *,
    legend: str = "",
    names: Mapping[str, str] | None = None,
    words: colours.Words | None = None,
    steps: Sequence[model.Threshold] = (),
    trend: bool = False,
    decimals: int | None = None,
    link: DataLink | None = None,
    width: int = 4,
    height: int = 4,
) -> Placed:
    """One number, or one for each series; `words` show a status in words, `trend` draws its course behind it.

    `names` says what to write for a series instead of its `legend`.
    """
    status = bool(words or steps)
    panel = (
        stat.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(about.empty)
        .targets(targets([Query(expr, legend)], instant=not trend))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .text_mode(choice.BigValueTextMode.VALUE_AND_NAME if legend else choice.BigValueTextMode.VALUE)
        .color_mode(choice.BigValueColorMode.BACKGROUND_SOLID if status else choice.BigValueColorMode.NONE)
        .wide_layout(False)
        .graph_mode(choice.BigValueGraphMode.AREA if trend else choice.BigValueGraphMode.NONE)
        .thresholds(thresholds(steps or colours.steps()))
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
    )
    if trend:
        panel = panel.min(0)  # else the smallest change fills the tile
    if words:
        panel = panel.mappings([colours.mapping(words)])
    if decimals is not None:
        panel = panel.decimals(decimals)
    for name, shown in (names or {}).items():
        panel = panel.override_by_name(name, _shown_as(shown))
    if link:
        panel = panel.data_links([link.builder()])
    return Placed(panel, width, height)


def graph(
    about: About,
    queries: Sequence[Query],
    unit: str,
    *,
    lines: Mapping[str, str] | None = None,
    dashed: Sequence[str] = (),
    many: bool = True,
    high: float | None = None,
    links: Sequence[DataLink] = (),
    width: int = WIDE,
) -> Placed:
    """Lines over time. A gap is a gap: nothing is drawn over a time when the value was not known.

    `lines` gives the colours of lines known by name, `dashed` the (regular expressions of) names of limits.
    """
    panel = (
        timeseries.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .unit(unit)
        .no_value(about.empty)
        .targets(targets(queries, instant=False))
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
        panel = panel.override_by_name(name, [model.DynamicConfigValue(id_val="color", value=_fixed(colour))])
    for pattern in dashed:
        style = {"fill": "dash", "dash": [8, 8]}
        panel = panel.override_by_regexp(
            f"/{pattern}/", [model.DynamicConfigValue(id_val="custom.lineStyle", value=style)]
        )
    if links:
        panel = panel.data_links([link.builder() for link in links])
    return Placed(panel, width, 9 if width >= WIDE else 11)


def bars(
    about: About,
    expr: str,
    legend: str,
    unit: str,
    *,
    decimals: int | None = None,
    link: DataLink | None = None,
    width: int = 8,
    height: int = 8,
) -> Placed:
    """A bar for each series, longest first as the query sorts them."""
    panel = (
        bargauge.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .unit(unit)
        .min(0)
        .no_value(about.empty)
        .targets(targets([Query(expr, legend)], instant=True))
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .orientation(choice.VizOrientation.HORIZONTAL)
        .display_mode(choice.BarGaugeDisplayMode.BASIC)
        .thresholds(thresholds(colours.steps(base=colours.OTHER)))
        .color_scheme(_colour(model.FieldColorModeId.THRESHOLDS))
    )
    if decimals is not None:
        panel = panel.decimals(decimals)
    if link:
        panel = panel.data_links([link.builder()])
    return Placed(panel, width, height)


def timeline(about: About, query_: Query, words: colours.Words, *, width: int = 24, height: int = 9) -> Placed:
    """States over time, one bar a series, each state written on it."""
    panel = (
        statetimeline.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(about.empty)
        .targets(targets([query_], instant=False))
        .mappings([colours.mapping(words)])
        .thresholds(thresholds(colours.steps()))
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
