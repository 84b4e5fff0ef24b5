"""A Prometheus over made-up series: every family of the contract, from two exporters, over seven hours."""

import contextlib
import json
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from tests.ports import free_port

from .contract import FAMILIES

BEGIN = 1_790_000_000
END = BEGIN + 7 * 3600
STEP = 120
INSTANCES = ("exporter-a:10056", "exporter-b:10056")
RULES = "flatfile:rules:info"
GONE = "retired"
"""An agent that is not there in the last hour."""

Labels = dict[str, str]

ENVIRONMENTS = (("us_env_1", "Production"), ("us_env_2", "Development"))
VALUES = {
    "production": ("true", "false"),
    "system": ("true", "false"),
    "state": ("active", "archived", "expired"),
    "idle": ("30d", "90d"),
    "window": ("1d", "7d", "30d"),
    "topic": ("job:failed", "space:created", "other", "file:expired", "agent:deleted"),
    "actor_type": ("user", "agent", "unknown"),
    "status": ("complete", "failed", "executing"),
    "result": ("success", "failure"),
    "collector": ("spaces", "agents"),
    "reason": ("timeout", "rate_limited"),
    "code": ("200", "429", "error"),
    "endpoint": ("/spaces", "/agents"),
    "outcome": ("complete", "partial"),
    "method": ("shared_link", "magic_link"),
    "type": ("file", "workbook"),
    "agent": ("importer", "validator"),
}
ALERT_PLACE = {
    "environment_id": "us_env_1",
    "agent": "importer",
    "collector": "agents",
    "instance": INSTANCES[0],
}
BUCKETS = (("0.5", 0.5), ("5", 0.8), ("+Inf", 1.0))


def _combinations(names: list[str]) -> Iterator[Labels]:
    for values in product(*(VALUES.get(name, (f"a-{name}",)) for name in names)):
        yield dict(zip(names, values, strict=True))


def _places(level: str) -> Iterator[Labels]:
    match level:
        case "process":
            yield {}
        case "account":
            yield {"account": "acme"}
        case "environment":
            for env_id, name in ENVIRONMENTS:
                yield {"account": "acme", "environment_id": env_id, "environment_name": name}
        case "agent":
            for place, agent in product(_places("environment"), VALUES["agent"]):
                yield place | {"agent": agent, "agent_id": f"us_ag_{agent}"}


def _one_environment_only(family: str, labels: Labels) -> bool:
    """What an environment or space has one of is not exported once for each value that it might have."""
    production = {"us_env_1": "true", "us_env_2": "false"}
    if family == "flatfile_environment_info":
        return labels["production"] == production[labels["environment_id"]]
    if family == "flatfile_agent_info":
        return labels["system"] == "false"
    return not (family == "flatfile_space_info" and labels["state"] != "active")


def _series() -> Iterator[tuple[str, str, Labels]]:
    """(family, type, labels) of one exporter."""
    for level, families in FAMILIES.items():
        for family, about in families.items():
            for place, more in product(_places(level), _combinations(about.get("labels", []))):
                if _one_environment_only(family, place | more):
                    yield family, about["type"], place | more
    ghost = {"account": "acme", "environment_id": "", "environment_name": "Ghost", "agent": "importer"}
    yield "flatfile_agent_missing", "gauge", ghost
    place = {"account": "acme", "environment_id": "us_env_1", "environment_name": "Production"}
    yield "flatfile_agent_info", "gauge", place | {"agent_id": "us_ag_0", "agent": GONE, "system": "false"}


def _counted(topic: str | None, second: int) -> float:
    """A counter at a time: one more each 10 s; "file:expired" not in the last hour, "agent:deleted" never."""
    match topic:
        case "file:expired":
            return min(second, END - BEGIN - 3600) / 10
        case "agent:deleted":
            return 5
        case _:
            return second / 10


def _value(family: str, kind: str, topic: str | None, second: int) -> float:
    if kind != "gauge":
        return _counted(topic, second)
    if family.endswith("_timestamp_seconds"):
        return BEGIN + second - 30
    if family == "flatfile_agent_missing":
        return 1
    return 1 if family.endswith("_info") else 7


@dataclass(frozen=True, slots=True)
class Scrape:
    """How the series reach Prometheus.

    `target_labels`: the target has labels `environment` and `namespace` of its own.
    `renamed`: the second exporter has not yet seen that the environments were given other names.
    """

    target_labels: bool = False
    renamed: bool = False

    def labels(self, labels: Labels, instance: str) -> Labels:
        labels = {"job": "flatfile", "instance": instance} | labels
        if self.renamed and instance == INSTANCES[1] and "environment_name" in labels:
            labels["environment_name"] = "Old " + labels["environment_name"]
        if self.target_labels:
            labels |= {"environment": "cluster-7", "namespace": "monitoring"}
        return {name: value for name, value in labels.items() if value}


def line(name: str, labels: Labels, value: float, second: int) -> str:
    """A sample of OpenMetrics text, so many seconds after BEGIN."""
    inside = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{inside}}} {value!r} {BEGIN + second}"


def family_lines(scrape: Scrape) -> Iterator[str]:
    """Every family of two exporters that were scraped in the given way, and the alerts, in OpenMetrics text."""
    by_family: dict[str, list[str]] = {}
    seconds = range(0, END - BEGIN + 1, STEP)
    for instance in INSTANCES:
        for family, kind, raw in _series():
            labels = scrape.labels(raw, instance)
            lines = by_family.setdefault(family, [f"# TYPE {family.removesuffix('_total')} {kind}"])
            for second in seconds if raw.get("agent") != GONE else seconds[: -3600 // STEP]:
                value = _value(family, kind, raw.get("topic"), second)
                if kind == "histogram":
                    for bound, share in BUCKETS:
                        lines.append(line(f"{family}_bucket", labels | {"le": bound}, value * share, second))
                    lines.append(line(f"{family}_count", labels, value, second))
                    lines.append(line(f"{family}_sum", labels, value * 2, second))
                else:
                    lines.append(line(family, labels, value, second))
        up = by_family.setdefault("up", ["# TYPE up gauge"])
        up += [line("up", scrape.labels({}, instance), 1, second) for second in seconds]
    alerts = [
        {"account": "acme", "alertname": "FlatfileAgentMissing", "severity": "critical"} | ALERT_PLACE,
        {"account": "acme", "alertname": "FlatfileAccountUnreachable", "severity": "warning"},
        {"account": "other", "alertname": "FlatfileAccountUnreachable", "severity": "warning"},
        {"instance": INSTANCES[0], "alertname": "FlatfileExporterDown", "severity": "critical"},
    ]
    since = {"ALERTS": ({"alertstate": "firing"}, 1), "ALERTS_FOR_STATE": ({}, END - 600), RULES: ({}, 1)}
    for name, (more, value) in since.items():
        ones = [{}] if name == RULES else [alert | more for alert in alerts]
        by_family[name] = [f"# TYPE {name} gauge"]
        by_family[name] += [line(name, one, value, second) for one in ones for second in seconds]
    for lines in by_family.values():
        yield from lines


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def ask(self, path: str, **parameters: str) -> Any:
        """The answer's `data`; AssertionError with Prometheus' words where there is none."""
        body = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}", data=body, timeout=30) as reply:
                answer = json.load(reply)
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None
        return answer["data"]

    def now(self, expr: str, at: int = END) -> list[Any]:
        """The series of an instant query, by default at the end of the data."""
        return list(self.ask("query", query=expr, time=str(at))["result"])

    def over_time(self, expr: str) -> list[Any]:
        """The series of a range query over the last hour of the data."""
        asked = {"query": expr, "start": str(END - 3600), "end": str(END), "step": "60"}
        return list(self.ask("query_range", **asked)["result"])


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/-/ready", timeout=5):
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.1)
    raise AssertionError(log.read_text())


@contextlib.contextmanager
def serving(lines: Iterable[str], directory: Path) -> Iterator[Prometheus]:
    """A Prometheus that has stored the lines of OpenMetrics text; its files go to `directory`."""
    page = directory / "page.om"
    page.write_text("\n".join([*lines, "# EOF\n"]), encoding="utf-8")
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", page, directory / "data"],
        check=True,
        capture_output=True,
    )
    (directory / "prometheus.yml").write_text("{}\n")
    port = free_port()
    log = directory / "log"
    arguments = {
        "config.file": directory / "prometheus.yml",
        "storage.tsdb.path": directory / "data",
        "storage.tsdb.retention.time": "9999d",
        "web.listen-address": f"127.0.0.1:{port}",
    }
    command = ["prometheus", *(f"--{name}={value}" for name, value in arguments.items())]
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield Prometheus(f"http://127.0.0.1:{port}")
        finally:
            process.terminate()
