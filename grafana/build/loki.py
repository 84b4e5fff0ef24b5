"""LogQL over the audit log, and the usual panels asked of Loki instead of Prometheus.

`$__auto` stands for the step of a graph, and for the whole time range of a single figure (Grafana 10.2 and newer).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.builders import logs, loki
from grafana_foundation_sdk.models import common as choice
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import loki as query
from grafana_foundation_sdk.models import prometheus

from . import links
from .links import DataLink
from .panels import About, Buildable, Placed

DATASOURCE = choice.DataSourceRef(type_val="loki", uid="${loki_datasource}")

STREAM = '{job="flatfile-audit"}'
"""What our configurations of Alloy and Vector call the log. There are no other labels: all the rest is in the lines."""

FILTERS = {
    "only_account": ("Account", "account"),
    "only_environment": ("Environment", "environment"),
    "only_topic": ("Topic", "topic"),
    "only_actor": ("Actor", "who"),
    "only_space": ("Space", "space"),
}
"""Variable -> its heading, and the key that it filters by. The names differ from those of the other dashboards, whose values
Grafana would hand on and which mean something else here."""

WHO = 'label_format who="{{ or .actor_name .actor_id .actor_type }}"'
"""The name, else the id, else the kind of who caused the event."""


def events(*filters: str) -> str:
    """Return a query of the chosen events."""
    chosen = [f"{key}=~`${{{name}:raw}}`" for name, (_, key) in FILTERS.items()]
    return " | ".join((STREAM, "json", '__error__=""', WHO, *chosen, *filters))


def counted(*by: str, among: Sequence[str] = ()) -> str:
    """Return the number of events, by some of their keys."""
    number = f"count_over_time({events(*among)} [$__auto])"
    return f"sum by ({', '.join(by)}) ({number})" if by else f"sum({number})"


def different(key: str, among: Sequence[str] = ()) -> str:
    """Return the number of different values of a key."""
    return f"count({counted(key, among=among)})"


def variables() -> list[Any]:
    """Return the variables: the data source, and a regular expression for each key to filter by."""
    filters = [build.TextBoxVariable(name).label(label).default_value(".*") for name, (label, _) in FILTERS.items()]
    return [build.DatasourceVariable("loki_datasource").label("Loki data source").type("loki"), *filters]


def only_this_topic() -> DataLink:
    """Link from a bar to the events of its topic. (Names are not regular expressions: they cannot be handed on like that.)"""
    kept = "".join(f"&${{{name}:queryparam}}" for name in FILTERS if name != "only_topic")
    return DataLink(
        "Only this topic",
        f"/d/{links.AUDIT}?${{__url_time_range}}&${{loki_datasource:queryparam}}{kept}"
        "&var-only_topic=${__field.labels.topic:percentencode}",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A panel whose queries all go to Loki."""

    panel: Buildable

    def build(self) -> model.Panel:
        built = self.panel.build()
        built.datasource = DATASOURCE
        built.targets = [
            loki.Dataquery()
            .ref_id(target.ref_id or "A")
            .expr(target.expr)
            .legend_format(target.legend_format or "")
            .query_type("instant" if target.instant else "range")
            .datasource(DATASOURCE)
            .build()
            for target in built.targets or ()
            if isinstance(target, prometheus.Dataquery)
        ]
        return built


def asked(placed: Placed) -> Placed:
    """Return the panel with its queries sent to Loki."""
    return replace(placed, panel=_Asked(placed.panel))


def lines(about: About, text: str, *, height: int = 14) -> Placed:
    """The events themselves, newest first, each written as the template says; a click shows all its keys."""
    target = (
        loki.Dataquery()
        .ref_id("A")
        .expr(f"{events()} | line_format `{text}`")
        .query_type("range")
        .direction(query.LokiQueryDirection.BACKWARD)
        .max_lines(1000)
        .datasource(DATASOURCE)
    )
    panel = (
        logs.Panel()
        .title(about.title)
        .description(about.description)
        .datasource(DATASOURCE)
        .unit("short")
        .no_value(about.empty)
        .with_target(target)
        .show_time(True)
        .enable_log_details(True)
        .sort_order(choice.LogsSortOrder.DESCENDING)
    )
    return Placed(panel, 24, height)
