"""The shipped rule files with time running faster: every duration of their expressions and every wait divided by a factor.

Annotations stay as they are: they are compared word by word, and a window in their queries only looks further back.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from grafana.alerts import build
from grafana.alerts.build.parts import filled_in
from tests.grafana.alert_rules import RULE_FILES

FACTOR = 120  # a second stands for two minutes; a larger factor would leave no room for scrapes of a second

SECONDS = ("environment_gone_after", "job_executing_seconds", "collector_grace")
"""Settings that are seconds of the rules' time."""

CLOCKS = {
    "account:flatfile_environments_seen:timestamp",
    "collector:flatfile_overdue:seconds",
    "environment:flatfile_events_seen:timestamp",
    "environment:flatfile_events_silent:timestamp",
    "environment:flatfile_job_executing_age:seconds",
    "environment:flatfile_production_seen:timestamp",
}
"""Rules that look at the clock; what they are compared with is in `SECONDS`, or another of them."""

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


def scaled_duration(duration: str, factor: int = FACTOR) -> str:
    """The duration divided; ValueError where that is no whole number of milliseconds."""
    whole, rest = divmod(milliseconds(duration), factor)
    if rest or not whole:
        raise ValueError(f"{duration} cannot be divided by {factor}")
    return f"{whole}ms"


def scaled_expr(expr: str, factor: int = FACTOR) -> str:
    """PromQL with every range, step and offset divided."""

    def replaced(match: re.Match[str]) -> str:
        if match["kept"]:
            return match["kept"]
        return re.sub(_DURATION, lambda found: scaled_duration(found[0], factor), match[0])

    return _TOKEN.sub(replaced, expr)


def _scaled(rule: dict[str, Any], factor: int) -> dict[str, Any]:
    waits = {key: scaled_duration(rule[key], factor) for key in ("for", "keep_firing_for") if key in rule}
    return rule | {"expr": scaled_expr(rule["expr"], factor)} | waits


def write_scaled(directory: Path, factor: int = FACTOR) -> list[Path]:
    """Write every rule file, scaled, to `directory`."""
    written = []
    settings = build.settings()
    settings |= {name: settings[name] / factor for name in SECONDS}
    template = yaml.safe_load(filled_in(build.TEMPLATE.read_text(encoding="utf-8"), settings))
    groups = {group["name"]: group for group in template["groups"]}
    for path in RULE_FILES:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["groups"] = [
            {"name": group["name"], "rules": [_scaled(rule, factor) for rule in groups[group["name"]]["rules"]]}
            for group in content["groups"]
        ]
        target = directory / path.name
        target.write_text(yaml.safe_dump(content, allow_unicode=True, sort_keys=False), encoding="utf-8")
        written.append(target)
    return written
