"""The rules in faster time: only durations differ, all of them do, and promtool takes the files."""

import datetime
import subprocess
from pathlib import Path
from typing import Any

import promql_parser as parser
import pytest

from tests.grafana.alert_rules import nodes, rules

from .scaled_rules import CLOCKS, FACTOR, milliseconds, scaled_duration, scaled_expr, write_scaled


def durations(expr: str) -> list[datetime.timedelta]:
    """Every range, step and offset, in the order in which they are found."""
    found: list[Any] = []
    for node in nodes(expr):
        match node:
            case parser.MatrixSelector():
                found.append(node.range)
            case parser.SubqueryExpr():
                found += [node.range, node.step, node.offset]
            case parser.VectorSelector():
                found.append(node.offset)
    return [each for each in found if each is not None]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_every_duration_of_an_expression_is_divided(rule: Any) -> None:
    assert durations(scaled_expr(rule.expr)) == [each / FACTOR for each in durations(rule.expr)]


@pytest.mark.parametrize(
    ("expr", "scaled"),
    [
        ("a:b_per_second:avg30m", "a:b_per_second:avg30m"),
        ("a:30m", "a:30m"),
        ('a{b="1h",c=~"2d.*"} > 60', 'a{b="1h",c=~"2d.*"} > 60'),
        ("a[1h30m]", "a[45000ms]"),
        ("f((a)[1d:10m] offset 1w)", "f((a)[720000ms:5000ms] offset 5040000ms)"),
        ("a offset -4h", "a offset -120000ms"),
    ],
)
def test_only_durations_are_divided(expr: str, scaled: str) -> None:
    assert scaled_expr(expr) == scaled


def test_a_duration_that_cannot_be_divided_is_refused() -> None:
    assert milliseconds("1m30s") == 90_000
    assert scaled_duration("1m30s") == "750ms"
    with pytest.raises(ValueError, match="cannot be divided"):
        scaled_duration("1ms")


def test_rules_that_look_at_the_clock_are_known() -> None:
    """Their numbers are seconds and must be divided too."""
    called = {
        rule.name
        for rule in rules()
        for node in nodes(rule.expr)
        if isinstance(node, parser.Call) and node.func.name in ("time", "timestamp")
    }
    assert called == CLOCKS


def test_promtool_takes_the_files(promtool: str, tmp_path: Path) -> None:
    written = write_scaled(tmp_path)
    done = subprocess.run([promtool, "check", "rules", *written], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(written)
