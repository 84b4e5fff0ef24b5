"""The rule files as data: rules, the queries inside annotations, and the labels that an expression's series have."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import promql_parser as parser
import yaml

from tests import yaml_of_c

ALERTS = Path(__file__).parents[2] / "grafana" / "alerts"
RULE_FILES = sorted(ALERTS.glob("*.yaml"))
OPTIONAL_FILES = sorted(ALERTS.glob("optional/*.yaml"))

FILLED_IN = "x"
"""What stands for a label's value in the queries of annotations."""

_QUERY = re.compile(r"printf\s+`([^`]*)`[^}]*\|\s*query")


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as its file has it.

    `name` is the alert's, or that of the series recorded. `wait` is `for`, `keep` is `keep_firing_for`.
    """

    file: str
    group: str
    name: str
    expr: str
    alert: bool
    wait: str
    keep: str
    labels: dict[str, str]
    annotations: dict[str, str]

    def template_queries(self) -> Iterator[str]:
        """The PromQL that its annotations ask, with `%q` filled in."""
        for text in self.annotations.values():
            for query in _QUERY.findall(text):
                yield re.sub(r"%(\[\d\])?q", f'"{FILLED_IN}"', query)


def groups() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every group with the name of its file, the optional ones too."""
    for path in (*RULE_FILES, *OPTIONAL_FILES):
        for group in yaml.load(path.read_text(encoding="utf-8"), yaml_of_c.Loader)["groups"]:
            yield path.name, group


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of every file."""
    return tuple(
        Rule(
            file,
            group["name"],
            rule.get("alert") or rule["record"],
            rule["expr"],
            "alert" in rule,
            rule.get("for", ""),
            rule.get("keep_firing_for", ""),
            rule.get("labels", {}),
            rule.get("annotations", {}),
        )
        for file, group in groups()
        for rule in group["rules"]
    )


def nodes(expr: str) -> list[Any]:
    """Every node of the expression's tree."""
    found: list[Any] = []
    parser.walk(parser.parse(expr), lambda node: found.append(node))
    return found


def matching(node: Any) -> set[str] | None:
    """The labels of `on (...)`; None where the operation has none."""
    modifier = node.modifier.matching if node.modifier is not None else None
    return None if modifier is None else set(modifier.labels)


def scalar(node: Any) -> bool:
    """Whether the expression is a number, not a vector."""
    match node:
        case parser.NumberLiteral():
            return True
        case parser.ParenExpr() | parser.UnaryExpr():
            return scalar(node.expr)
        case parser.Call():
            return node.func.name in ("time", "scalar")
        case parser.BinaryExpr():
            return scalar(node.lhs) and scalar(node.rhs)
    return False


def labels_of(node: Any, recorded: dict[str, str]) -> frozenset[str] | None:
    """Labels that each series of the answer can have and no other; None where the scrape target's labels are among them.

    `recorded` are the expressions of recorded series.
    """
    match node:
        case parser.AggregateExpr():
            return frozenset(node.modifier.labels) if node.modifier is not None else frozenset()
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return labels_of(node.expr, recorded)
        case parser.MatrixSelector():
            return labels_of(node.vector_selector, recorded)
        case parser.VectorSelector():
            return _labels_recorded(node.name, recorded)
        case parser.Call():
            return _labels_called(node, recorded)
        case parser.BinaryExpr():
            return labels_of(node.rhs if scalar(node.lhs) else node.lhs, recorded)
    return frozenset()


def _labels_recorded(name: str, recorded: dict[str, str]) -> frozenset[str] | None:
    if name not in recorded:
        return None
    rest = {other: expr for other, expr in recorded.items() if other != name}  # a rule may read its own last answer
    return labels_of(parser.parse(recorded[name]), rest)


def _labels_called(node: Any, recorded: dict[str, str]) -> frozenset[str] | None:
    if node.func.name in ("absent", "vector"):
        return frozenset()
    vector = next(argument for argument in node.args if not isinstance(argument, parser.NumberLiteral))
    inner = labels_of(vector, recorded)
    if inner is None:
        return None
    if node.func.name == "label_replace":
        return inner | {node.args[1].val}
    return inner - {"le"} if node.func.name == "histogram_quantile" else inner
