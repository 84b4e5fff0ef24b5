"""Colours that people with any colour vision tell apart (Okabe and Ito's set), and the words that go with them."""

from collections.abc import Mapping

from grafana_foundation_sdk.models import dashboard

GOOD = "#0072B2"  # blue
WARNING = "#E69F00"  # orange
BAD = "#D55E00"  # vermilion
OTHER = "#56B4E9"  # sky blue
SECOND = "#009E73"  # bluish green
THIRD = "#CC79A7"  # reddish purple
MUTED = "#8E8E8E"  # grey

WINDOWS = {"seen within 1d": OTHER, "seen within 7d": GOOD, "seen within 30d": SECOND}

Words = dict[str, tuple[str, str]]
"""Value -> (what to show instead of it, colour). Status is always told in words; colour only repeats it."""


def mapping(words: Words) -> dashboard.ValueMap:
    """Grafana's value mapping of the words."""
    return dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(words.items())
        }
    )


def texts(names: Mapping[str, str]) -> dashboard.ValueMap:
    """Grafana's value mapping of plain names, without colours."""
    return dashboard.ValueMap(
        options={
            value: dashboard.ValueMappingResult(text=text, index=index)
            for index, (value, text) in enumerate(names.items())
        }
    )


def steps(*from_: tuple[float, str], base: str = MUTED) -> list[dashboard.Threshold]:
    """Colours from each value upwards.

    The base is also what Grafana gives to "no value", so for a status it must not be a colour of good or bad.
    """
    return [
        dashboard.Threshold(value=None, color=base),
        *(dashboard.Threshold(value=value, color=colour) for value, colour in from_),
    ]
