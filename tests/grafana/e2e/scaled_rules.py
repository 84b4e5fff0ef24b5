"""The shipped rule files with time running faster: every duration of their expressions and every `for` divided by `FACTOR`.

Annotations stay as they are: they are compared word by word, and a window in their queries only looks further back.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from tests.grafana.alert_rules import RULE_FILES

FACTOR = 120  # a second stands for two minutes; a longer factor would leave no room for scrapes of a second

SECONDS = {
    "FlatfileDataOld": ("> 900", f"> {900 / FACTOR}"),
    "FlatfileJobOpenTooLong": ("> 4 * 3600", f"> {4 * 3600 / FACTOR}"),
}
"""Numbers that are seconds, which nothing but their meaning tells: what stands in the rule, and what is to stand there."""

TIMES_COMPARED = {"FlatfileTokenNotRenewed"}
"""Alerts that compare two times of the exporter with each other: nothing to scale."""

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_PART = re.compile(r"(\d+)(ms|[smhdw])")
_DURATION = r"(?:\d+(?:ms|[smhdw]))+"
# What holds no duration of its own is taken whole, so that none is seen in `avg30m` or in "1h".
_TOKEN = re.compile(
    rf"""(?P<kept>"(?:[^"\\]|\\.)*"|[A-Za-z_:][\w:]*)|(?P<range>\[[^\]]*\])|(?P<duration>\b{_DURATION}\b)"""
)


def milliseconds(duration: str) -> int:
    """What `1h30m` is."""
    return sum(int(number) * _UNITS_MS[unit] for number, unit in _PART.findall(duration))


def scaled_duration(duration: str) -> str:
    """The duration divided by `FACTOR`; ValueError where that is no whole number of milliseconds."""
    whole, rest = divmod(milliseconds(duration), FACTOR)
    if rest or not whole:
        raise ValueError(f"{duration} cannot be divided by {FACTOR}")
    return f"{whole}ms"


def scaled_expr(expr: str) -> str:
    """PromQL with every range, step and offset divided."""

    def replaced(match: re.Match[str]) -> str:
        if match["kept"]:
            return match["kept"]
        return re.sub(_DURATION, lambda found: scaled_duration(found[0]), match[0])

    return _TOKEN.sub(replaced, expr)


def _scaled(rule: dict[str, Any]) -> dict[str, Any]:
    expr = scaled_expr(rule["expr"])
    if rule.get("alert") in SECONDS:
        number, instead = SECONDS[rule["alert"]]
        if expr.count(number) != 1:
            raise ValueError(f"{rule['alert']}: {number} is expected once in {expr}")
        expr = expr.replace(number, instead)
    scaled = rule | {"expr": expr}
    return scaled | {"for": scaled_duration(rule["for"])} if "for" in rule else scaled


def write_scaled(directory: Path) -> list[Path]:
    """Write every rule file, scaled, to `directory`."""
    written = []
    for path in RULE_FILES:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for group in content["groups"]:
            group["rules"] = [_scaled(rule) for rule in group["rules"]]
        target = directory / path.name
        target.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
        written.append(target)
    return written
