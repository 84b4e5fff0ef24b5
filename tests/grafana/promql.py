"""PromQL taken apart: which metrics an expression selects by which matchers, and which label names it uses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser as parser

MACROS = {"$__rate_interval": "5m", "$__interval_ms": "60000", "$__interval": "1m", "$__range": "6h"}
"""Grafana's durations, which no parser but Grafana's knows. A name that begins with another comes before it."""


@dataclass(frozen=True, slots=True)
class Selector:
    """One selector: `around` are the functions and aggregations about it, the innermost last."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    around: tuple[str, ...]
    ranged: str | None


def without_macros(expr: str, macros: Mapping[str, str] = MACROS) -> str:
    """Return the expression with Grafana's durations replaced by fixed ones; variables inside quotes stay."""
    for macro, value in macros.items():
        expr = expr.replace("${" + macro[1:] + "}", value).replace(macro, value)
    return expr


def parse(expr: str) -> Any:
    """The syntax tree; ValueError where the expression is not PromQL."""
    return parser.parse(without_macros(expr))


def _walk(node: Any, around: tuple[str, ...]) -> Iterator[tuple[Any, tuple[str, ...]]]:
    yield node, around
    match node:
        case parser.Call():
            for argument in node.args:
                yield from _walk(argument, (*around, node.func.name))
        case parser.AggregateExpr():
            if node.param is not None:
                yield from _walk(node.param, around)
            yield from _walk(node.expr, (*around, str(node.op)))
        case parser.BinaryExpr():
            yield from _walk(node.lhs, around)
            yield from _walk(node.rhs, around)
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            yield from _walk(node.expr, around)
        case _:
            return


_OPERATORS = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}


def _selector(node: Any, around: tuple[str, ...], ranged: str | None) -> Selector:
    matchers = tuple((m.name, _OPERATORS[str(m.op)], m.value) for m in node.matchers.matchers)
    return Selector(node.name or "", matchers, around, ranged)


def selectors(expr: str) -> list[Selector]:
    """Every selector of the expression, in the order of writing."""
    found = []
    for node, around in _walk(parse(expr), ()):
        if isinstance(node, parser.VectorSelector):
            found.append(_selector(node, around, None))
        elif isinstance(node, parser.MatrixSelector):
            found.append(_selector(node.vector_selector, around, str(node.range)))
    return found


def functions(expr: str) -> set[str]:
    """The functions that the expression calls."""
    return {node.func.name for node, _ in _walk(parse(expr), ()) if isinstance(node, parser.Call)}


def made_labels(expr: str) -> set[str]:
    """Labels that the expression makes itself, by `label_replace` and `label_join`."""
    calls = [node for node, _ in _walk(parse(expr), ()) if isinstance(node, parser.Call)]
    return {call.args[1].val for call in calls if call.func.name in ("label_replace", "label_join")}


def used_labels(expr: str) -> set[str]:
    """Labels that the expression groups by, joins on, or reads from."""
    used: set[str] = set()
    for node, _ in _walk(parse(expr), ()):
        if isinstance(node, parser.AggregateExpr) and node.modifier is not None:
            used |= set(node.modifier.labels)
        elif isinstance(node, parser.BinaryExpr) and node.modifier is not None:
            used |= _match_labels(node.modifier)
        elif isinstance(node, parser.Call) and node.func.name == "label_replace":
            used.add(node.args[3].val)
        elif isinstance(node, parser.Call) and node.func.name == "label_join":
            used |= {argument.val for argument in node.args[3:]}
    return used


def join_labels(expr: str) -> list[set[str]]:
    """The labels of every `on (...)` of the expression, and an empty set for an operation that has none."""
    joins = []
    for node, _ in _walk(parse(expr), ()):
        if isinstance(node, parser.BinaryExpr) and not _has_number(node):
            matching = node.modifier.matching if node.modifier is not None else None
            joins.append(set(matching.labels) if matching is not None else set())
    return joins


def _has_number(node: Any) -> bool:
    return any(_is_number(side) for side in (node.lhs, node.rhs))


def _is_number(node: Any) -> bool:
    if isinstance(node, parser.ParenExpr):
        return _is_number(node.expr)
    if isinstance(node, parser.Call):
        return bool(node.func.name == "time")
    return isinstance(node, parser.NumberLiteral)


def _match_labels(modifier: Any) -> set[str]:
    labels = set(modifier.matching.labels) if modifier.matching is not None else set()
    return labels | set(modifier.group_labels or ())
