"""Written histories of exporters, minute by minute, and what fires when: run through the rules by `promtool test rules`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import nan
from pathlib import Path
from typing import Any

import yaml

from tests import yaml_of_c

from .alert_rules import RULE_FILES

Values = list[float | None]
STALE = nan
"""A staleness marker: the series ended, as Prometheus notes when a target is down or leaves a series out."""


def steps(*parts: tuple[int, float | None]) -> Values:
    """A gauge: (minutes, value) one after another; None is "not there"."""
    return [value for minutes, value in parts for _ in range(minutes)]


def counter(*parts: tuple[int, float]) -> Values:
    """A counter: (minutes, how many an hour) one after another."""
    found: Values = []
    total = 0.0
    for minutes, hourly in parts:
        for _ in range(minutes):
            found.append(int(total + 1e-9))
            total += hourly / 60
    return found


@dataclass
class History:
    """`minutes` of samples. `fires` has the minutes [begin, end) for each "Alert severity"; nothing else fires."""

    name: str
    minutes: int
    fires: dict[str, list[tuple[int, int]]]
    series: dict[str, Values] = field(default_factory=dict)
    interval: int = 1
    """Minutes between samples."""

    def put(self, metric: str, labels: str, values: Values | float, instance: str = "a:1") -> "History":
        name = f'{metric}{{job="flatfile", instance="{instance}"{labels and ", "}{labels}}}'
        filled = values if isinstance(values, list) else [values] * self.minutes
        self.series[name] = [*filled, *[filled[-1]] * (self.minutes - len(filled))]
        return self

    def exporter(self, *accounts: str, instance: str = "a:1") -> "History":
        """A target with accounts, each with a production environment `p` and another one `d`, and nothing in them."""
        self.put("up", "", 1, instance)
        for account in accounts:
            of = f'account="{account}"'
            self.put("flatfile_up", of, 1, instance)
            for production, key, name in (("true", "p", "Shop"), ("false", "d", "Test")):
                about = f'{of}, environment_id="{key}", environment_name="{name}"'
                self.put("flatfile_environments", f'{of}, production="{production}"', 1, instance)
                self.put("flatfile_environment_info", f'{about}, production="{production}"', 1, instance)
                self.put("flatfile_agents", f'{about}, system="false"', 3, instance)
                self.put("flatfile_jobs", f'{about}, status="executing"', 1, instance)
                self.put("flatfile_agent_queue_lag_seconds_count", about, 0, instance)
            for collector in ("environments", "spaces", "agents"):
                labels = f'{of}, collector="{collector}"'
                self.put("flatfile_exporter_collector_success", labels, 1, instance)
                self.put("flatfile_exporter_collector_interval_seconds", labels, 60, instance)
                last = [60.0 * minute for minute in range(self.minutes)]
                self.put("flatfile_exporter_collector_last_success_timestamp_seconds", labels, [*last], instance)
        return self

    def end(self, what: str, begin: int, end: int | None = None) -> "History":
        """Series whose name contains `what` are not there from `begin` on, or until `end`."""
        for name, values in self.series.items():
            if what in name:
                until = self.minutes if end is None else end
                values[begin:until] = [STALE, *[None] * (until - begin - 1)]
        return self

    def down(self, begin: int, end: int, instance: str = "a:1") -> "History":
        """The target does not answer."""
        self.end(f'instance="{instance}"', begin, end)
        self.series[f'up{{job="flatfile", instance="{instance}"}}'][begin:end] = [0.0] * (end - begin)
        return self

    def gap(self, begin: int, end: int) -> "History":
        """Prometheus itself is not there: no sample of anything, and no marker."""
        for values in self.series.values():
            values[begin:end] = [None] * (end - begin)
        return self

    def doubled(self) -> "History":
        """The same told by a pair of exporters, from targets that have labels of their own."""
        own = 'environment="cluster-7", namespace="monitoring"'
        series = {name.replace("{", f"{{{own}, ", 1): values for name, values in self.series.items()}
        second = {name.replace('instance="a:1"', 'instance="b:1"'): values for name, values in series.items()}
        return replace(self, series=series | second)

    def every(self, interval: int) -> "History":
        """The same, scraped and evaluated every so many minutes: at least every two is what the documentation asks for."""
        series = {name: values[::interval] for name, values in self.series.items()}
        return replace(self, series=series, interval=interval)

    def _checks(self) -> dict[int, dict[str, int]]:
        """What fires in the minutes about each change; a minute on either side is left to the versions of Prometheus."""
        spans = [(name, begin, end) for name, found in self.fires.items() for begin, end in found]
        edges = {edge for _, *both in spans for edge in both}
        last = self.minutes - 1
        asked = {minute for edge in edges for minute in (edge - 2 * self.interval, edge + self.interval)} | {
            last,
            last // 2,
        }
        unclear = {minute for edge in edges for minute in range(edge - self.interval, edge + self.interval)}
        asked = {minute for minute in asked - unclear if 0 <= minute <= last}
        checks: dict[int, dict[str, int]] = {}
        for minute in sorted(asked):
            now = [name for name, begin, end in spans if begin <= minute < end]
            checks[minute] = {name: now.count(name) for name in now}
        return checks

    def test(self) -> dict[str, Any]:
        """A test of promtool's."""
        return _test(self.name, self.interval, self.series, self._expected(""))

    def _expected(self, selector: str) -> list[dict[str, Any]]:
        return [_firing(minute, selector, firing) for minute, firing in self._checks().items()]

    def _alone(self, number: int) -> "History":
        """The same with accounts and targets that no other history has."""
        names = {
            name: name.replace('account="', f'account="{number}-').replace('instance="', f'instance="{number}-')
            for name in self.series
        }
        return replace(self, series={names[name]: values for name, values in self.series.items()})


@dataclass(frozen=True)
class SideBySide:
    """Histories of accounts of their own, told at once: each fires as it does alone, and no alert is about no account.

    It is many times quicker than one after the other. They have one interval, and what is to fire in them has an account.
    """

    histories: Sequence[History]

    @property
    def interval(self) -> int:
        (interval,) = {history.interval for history in self.histories}
        return interval

    def test(self) -> dict[str, Any]:
        """A test of promtool's."""
        alone = [history._alone(number) for number, history in enumerate(self.histories)]
        expected = [
            check for number, history in enumerate(alone) for check in history._expected(f', account=~"{number}-.+"')
        ]
        minutes = sorted({minute for history in alone for minute in history._checks()})
        expected += [_firing(minute, ', account=""', {}) for minute in minutes]
        series = {name: values for history in alone for name, values in history.series.items()}
        return _test("; ".join(history.name for history in alone), self.interval, series, expected)


def _test(name: str, interval: int, series: dict[str, Values], expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": f"{interval}m",
        "input_series": [
            {"series": name, "values": " ".join(map(_notation, values))} for name, values in series.items()
        ],
        "promql_expr_test": expected,
    }


def _firing(minute: int, selector: str, firing: dict[str, int]) -> dict[str, Any]:
    """What must fire at that minute, of the alerts that the selector takes."""
    return {
        "eval_time": f"{minute}m",
        "expr": f'count by (alertname, severity) (ALERTS{{alertstate="firing"{selector}}})',
        "exp_samples": [
            {"labels": '{{alertname="{}", severity="{}"}}'.format(*name.split()), "value": count}
            for name, count in firing.items()
        ],
    }


def _notation(value: float | None) -> str:
    if value is None:
        return "_"
    return "stale" if value != value else f"{value:g}" if abs(value) < 1e5 else repr(value)


def write(
    histories: Sequence[History | SideBySide], path: Path, *, without: Sequence[str] = (), every: int = 1
) -> None:
    """Write a file for `promtool test rules`, with the shipped rules but these groups, `every` so many minutes."""
    read = [yaml.load(file.read_text(encoding="utf-8"), yaml_of_c.Loader)["groups"] for file in RULE_FILES]
    groups = [group for file in read for group in file if group["name"] not in without]
    groups.sort(key=lambda group: "alert" in group["rules"][0])  # what is recorded first
    rules = path.with_name(f"rules-{path.name}")
    rules.write_text(yaml.dump({"groups": groups}, Dumper=yaml_of_c.Dumper, sort_keys=False), encoding="utf-8")
    content = {
        "rule_files": [str(rules)],
        "evaluation_interval": f"{every}m",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [history.test() for history in histories],
    }
    path.write_text(yaml.dump(content, Dumper=yaml_of_c.Dumper, sort_keys=False, width=10_000), encoding="utf-8")
