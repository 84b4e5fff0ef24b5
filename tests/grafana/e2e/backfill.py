"""Puts the history into a Prometheus' data folder: the scraped pages, then what the rules make of them."""

import math
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.grafana import promql
from tests.grafana.alert_rules import Rule, rules

from . import programs
from .history import SELDOM, STEP, History
from .programs import Json

TARGET_LABELS = {"environment": "cluster-7", "namespace": "monitoring"}
"""Labels of their own that the targets have: nothing may depend on their absence, and nothing mix them up with ours."""


_SAMPLE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")


def _stamped(page: str, instance: str, at: float) -> Iterator[str]:
    target = "".join(f',{name}="{value}"' for name, value in TARGET_LABELS.items())
    target = f'job="flatfile",instance="{instance}"{target}'
    yield f"up{{{target}}} {1 if page else 0} {at:.3f}\n"
    for line in page.split("\n"):
        if line and not line.startswith("#"):
            found = _SAMPLE.fullmatch(line)
            assert found, line
            name, labels, value = found.groups(default="")
            yield f"{name}{{{target}{',' if labels else ''}{labels}}} {value} {at:.3f}\n"


def levels() -> list[list[Rule]]:
    """The recording rules: each level reads nothing that is recorded but by the levels before it, or by itself."""
    recording = [rule for rule in rules() if not rule.alert]
    names = {rule.name for rule in recording}
    left = {rule.name: {s.metric for s in promql.selectors(rule.expr)} & names - {rule.name} for rule in recording}
    found: list[list[Rule]] = []
    while left:
        level = {name for name, needed in left.items() if not needed & left.keys()}
        assert level, f"these rules read each other: {sorted(left)}"
        found.append([rule for rule in recording if rule.name in level])
        left = {name: needed for name, needed in left.items() if name not in level}
    return found


def _import(promtool: str, file: Path, data: Path) -> None:
    """As few blocks as there can be: the file is read once for each. (The option is not in the help of promtool 2 and 3.)"""
    subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "--quiet", "--max-block-duration=500h", "openmetrics", file, data],
        check=True,
        capture_output=True,
    )


def store(promtool: str, directory: Path, lines: Iterable[str]) -> None:
    """Write these samples of OpenMetrics to `directory/data`."""
    made = directory / "made.om"
    with made.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(lines)
        file.write("# EOF\n")
    _import(promtool, made, directory / "data")
    made.unlink()


def _lines(name: str, series: list[Json], more: dict[str, str]) -> Iterator[str]:
    for one in series:
        labels = {key: value for key, value in one["metric"].items() if key != "__name__"} | more
        inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in labels.items())
        for at, value in one["values"]:
            if not math.isnan(float(value)):
                yield f"{name}{{{inside}}} {value} {at:.3f}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _alerts(alert: Rule, series: list[Json]) -> Iterator[str]:
    """The series ALERTS and ALERTS_FOR_STATE of an alert that does not wait: what it says is told at once."""
    more = {"alertname": alert.name} | alert.labels
    ones = [one | {"values": [[at, "1"] for at, _ in one["values"]]} for one in series]
    yield from _lines("ALERTS", ones, more | {"alertstate": "firing"})
    since = [one | {"values": [[at, str(one["values"][0][0])] for at, _ in one["values"]]} for one in series]
    yield from _lines("ALERTS_FOR_STATE", since, more)


def fill(prometheus_program: str, promtool: str, history: History, directory: Path) -> None:
    """Write all of it to `directory/data`."""
    scrapes = history.scrapes()
    store(promtool, directory, (line for instance, at, page in scrapes for line in _stamped(page, instance, at)))
    for level in [*levels(), [rule for rule in rules() if rule.alert]]:
        with programs.prometheus(prometheus_program, {}, directory) as prometheus:
            store(promtool, directory, _recorded(prometheus, level, history))


def _recorded(prometheus: programs.Prometheus, level: Sequence[Rule], history: History) -> Iterator[str]:
    for rule in level:
        before = [] if rule.alert else prometheus.over_time(rule.expr, history.begin, history.story - 1, SELDOM)
        story = prometheus.over_time(rule.expr, history.story, history.end, STEP)
        yield from _alerts(rule, story) if rule.alert else _lines(rule.name, [*before, *story], {})
