"""Alerts: how many fire, which, since when, and over time."""

from . import colours
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, once, selector
from .frame import FIRING, OUR_ALERTS
from .links import runbook
from .panels import About, Placed, Query, figure, timeline
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Label, ago, rows

LOADED = "flatfile:rules:info"
"""The series by which our rule files say that they are loaded."""
NOT_LOADED = "the alert rules (`grafana/alerts/`) are not loaded in this Prometheus."
NOT_LOADED_EMPTY = "Rules not loaded"

_none = f"max({LOADED}) * 0"
_labels = ("alertname", "severity", *ENVIRONMENT_KEY, "agent", "collector", "instance")
_key = f"on ({', '.join(ENVIRONMENT_KEY)})"
# One name for each id, though an exporter may not have seen yet that an environment was renamed.
_names = f"topk by (account, environment_id) (1, {once(selector('flatfile_environment_info'), ENVIRONMENT)})"
_since = f"min by ({', '.join(_labels)}) (ALERTS_FOR_STATE{{{OUR_ALERTS}}} and ignoring (alertstate) {FIRING})"
_since_with_names = f"({_since}) * {_key} group_left (environment_name) {_names} or ({_since}) unless {_key} {_names}"


def firing(width: int) -> Placed:
    """How many alerts fire, by severity."""
    return figure(
        About(
            "Alerts firing",
            "Alerts of this project that are firing now for the chosen accounts, by severity. The table below names them.",
            NOT_LOADED,
            NOT_LOADED_EMPTY,
        ),
        [
            Query(f"count by (severity) ({FIRING})", "{{severity}}"),
            Query(f"{_none} unless on () count({FIRING})", "all severities"),
        ],
        words={"0": ("None firing", colours.QUIET)},
        paint={severity: colour for severity, (_, colour) in colours.SEVERITIES.items()},
        width=width,
    )


def table(width: int) -> Placed:
    """Which alerts fire, and since when."""
    return rows(
        About(
            "Firing alerts",
            "A row for each alert, the critical ones first. Since: when its condition became true. A click on the name opens the "
            "runbook.",
            "no alert is firing (the tile above says whether the rules are loaded).",
            "No alert is firing",
        ),
        {"alertname": Label("Alert", least=230), "severity": Label("Severity", words=colours.SEVERITIES, width=95)},
        [ago("Since", _since_with_names)],
        {
            **ENVIRONMENT_COLUMN,
            "agent": Label("Agent", least=90),
            "collector": Label("Collector", least=95),
            "instance": Label("Instance"),
            **ID_COLUMNS,
        },
        links=[runbook()],
        sort="Severity",
        width=width,
        height=6,
    )


def over_time(width: int) -> Placed:
    """When alerts fired, a bar for each kind of alert."""
    critical = FIRING.replace("}", ', severity="critical"}')
    return timeline(
        About(
            "Alerts over time",
            "A bar for each alert that fired in the time range, for whichever environment or exporter.",
            "no alert fired, or " + NOT_LOADED,
            "None fired, or rules not loaded",
        ),
        Query(f"2 * max by (alertname) ({critical}) or max by (alertname) ({FIRING})", "{{alertname}}"),
        {"1": ("firing", colours.WARNING), "2": ("critical", colours.CRITICAL)},
        width=width,
        height=7,
    )
