"""Colours that people with any colour vision can tell apart (after Okabe and Ito), and value mappings.

Healthy is quiet, so that what needs attention is the loudest thing on the page: warning is a light orange, critical a dark
red, told apart by lightness alone.
"""

from collections.abc import Mapping

from grafana_foundation_sdk.models import dashboard

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
PINK = "#CC79A7"
GREY = "#8E8E8E"

QUIET = "transparent"
"""Ground of a healthy tile or cell."""
FAINT = "rgba(0, 114, 178, 0.25)"
"""Ground of a healthy state that has an extent: a bar of a timeline, a cell of a matrix."""
UNKNOWN = "rgba(142, 142, 142, 0.15)"
"""Ground of a tile without a value."""
WARNING = "#E69F00"
CRITICAL = "#C4162A"

WINDOWS = {"active within 1d": SKY, "active within 7d": BLUE, "active within 30d": GREEN}
SEVERITIES = {"critical": ("critical", CRITICAL), "warning": ("warning", WARNING), "info": ("info", QUIET)}

Words = Mapping[str, tuple[str, str]]
"""Value -> (text to show instead, colour). A status is always told in words; the colour only repeats it."""


def mapping(words: Words) -> dashboard.ValueMap:
    """Return Grafana's value mapping of the words."""
    return dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(words.items())
        }
    )


def texts(names: Mapping[str, str]) -> dashboard.ValueMap:
    """Return Grafana's value mapping of plain names, without colours."""
    return dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=text, index=index)
            for index, (value, text) in enumerate(names.items())
        }
    )


def steps(*from_: tuple[float, str], base: str = UNKNOWN) -> list[dashboard.Threshold]:
    """Return thresholds: a colour from each value upwards.

    Grafana gives the base to "no value" too, so it must not be a colour of a status.
    """
    return [
        dashboard.Threshold(value=None, color=base),
        *(dashboard.Threshold(value=value, color=colour) for value, colour in from_),
    ]


def limits(warning: float | None = None, critical: float | None = None) -> list[dashboard.Threshold]:
    """Return thresholds of a tile: quiet from 0 up to the first of the limits."""
    given = ((warning, WARNING), (critical, CRITICAL))
    return steps((0, QUIET), *((value, colour) for value, colour in given if value is not None))
