"""Weeks of events in a real Prometheus: when the alert about events that stopped has something to say, and when not.

The rules are asked over a range of time, which costs a tenth of evaluating them minute by minute.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest

from tests.grafana.alert_rules import Rule, rules

from . import programs
from .backfill import store
from .programs import Json, Prometheus
from .scaled_rules import milliseconds

MINUTE, DAY = 60.0, 86400.0
BEGIN = 20_000 * DAY
"""Some midnight (unix seconds)."""
STEP = 5 * MINUTE
"""Between samples, and between evaluations of what is recorded about events."""
RARE_DAYS, LEARNING_DAYS = 35, 14
STOP = BEGIN + 15 * DAY
"""When constant events stop, for two hours."""
AGAIN = STOP + 120 * MINUTE

EVENTS, SEEN, SILENT = (
    f"environment:flatfile_events_{name}" for name in ("per_second:sum", "seen:timestamp", "silent:timestamp")
)


def rule(name: str) -> Rule:
    (found,) = [rule for rule in rules() if rule.name == name]
    return found


def rare() -> Iterator[tuple[str, float, float]]:
    """0.3 events an hour, in 6 environments."""
    chance = Random(17)
    for key in range(6):
        for number in range(int(RARE_DAYS * DAY / STEP)):
            event = chance.random() < 0.3 / 12
            yield f'{EVENTS}{{account="rare",environment_id="{key}"}}', 1 / 300 if event else 0.0, number * STEP + BEGIN


def constant() -> Iterator[tuple[str, float, float]]:
    """5 events a second, in an environment for production and in another one, until they stop."""
    times = [BEGIN + number * STEP for number in range(int((AGAIN + 60 * MINUTE - BEGIN) / STEP))]
    for key, production in (("p", "true"), ("d", "false")):
        of = f'account="constant",environment_id="{key}"'
        for at in times:
            yield f"{EVENTS}{{{of}}}", 0.0 if STOP <= at < AGAIN else 5.0, at
        for at in times:
            yield f'flatfile_environment_info{{{of},environment_name="x",production="{production}"}}', 1.0, at


@dataclass(frozen=True, slots=True)
class Weeks:
    """Prometheus with all of that."""

    prometheus: Prometheus

    def over_time(self, expr: str, begin: float, end: float) -> list[Json]:
        return self.prometheus.over_time(expr, begin, end, STEP)


@pytest.fixture(scope="module")
def weeks(prometheus_program: str, promtool: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Weeks]:
    directory = tmp_path_factory.mktemp("weeks")
    samples = [*rare(), *constant()]
    store(promtool, directory, (f"{series} {value} {at:.0f}\n" for series, value, at in samples))
    flags = {"storage.tsdb.retention.time": "100y"}
    with programs.prometheus(prometheus_program, {}, directory, **flags) as prometheus:
        yield Weeks(prometheus)


def test_rare_events_start_no_false_alarm(weeks: Weeks) -> None:
    """In 3 weeks after 2 to learn from; 0.1 starts an environment and week at most. Without a silence there is no alert."""
    begin, end = BEGIN + LEARNING_DAYS * DAY, BEGIN + RARE_DAYS * DAY - STEP
    assert len(weeks.over_time(f'{EVENTS}{{account="rare"}}', begin, end)) == 6
    assert weeks.over_time(f'({rule(SILENT).expr}) and on (account) {EVENTS}{{account="rare"}}', begin, end) == []


def test_constant_events_that_stop_are_noticed_within_an_hour(weeks: Weeks) -> None:
    """In production alone; the alert is over when they come again."""
    alert = rule("FlatfileEventsSilent")
    expr = alert.expr
    for name, window in ((SILENT, "3d"), (SEEN, "30d")):
        recorded = f"{name}[{window}]"
        assert expr.count(recorded) == 1
        expr = expr.replace(recorded, f"({rule(name).expr})[{window}:{STEP:.0f}s]")
    (told,) = weeks.over_time(f"({expr}) and on (account) {EVENTS}", STOP - DAY, AGAIN + 55 * MINUTE)
    assert told["metric"] == {"account": "constant", "environment_id": "p"}
    times = [at for at, _ in told["values"]]
    assert times[0] + milliseconds(alert.wait) / 1000 <= STOP + 50 * MINUTE
    assert times == [times[0] + number * STEP for number in range(len(times))], "without a break"
    assert times[-1] == AGAIN - STEP
    assert alert.keep == ""
