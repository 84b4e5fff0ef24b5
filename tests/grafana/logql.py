"""As much of LogQL as the dashboard on the audit log speaks: read strictly, so that a slip is an error."""

import re
from dataclasses import dataclass

AGGREGATIONS = ("sum", "count", "topk", "sort_desc")

_STRING = r'(?:"(?:[^"\\]|\\.)*"|`[^`]*`)'
_STAGES = (
    re.compile(r"json"),
    re.compile(rf"(?P<tested>\w+)\s*(?:=~|!~|!=|=)\s*(?P<value>{_STRING})"),
    re.compile(rf"label_format\s+(?P<made>\w+)=(?P<template>{_STRING})"),
    re.compile(rf"line_format\s+(?P<line>{_STRING})"),
)


@dataclass(frozen=True)
class Asked:
    """What a query asks: the stream's labels, keys that it tests, makes, groups by or writes, and its range."""

    stream: dict[str, str]
    tested: dict[str, list[str]]
    made: frozenset[str]
    by: tuple[str, ...]
    written: frozenset[str]
    ranged: str | None


def parse(expr: str) -> Asked:
    """Read a query. Raises ValueError for what is no LogQL, or more than is understood here."""
    by: tuple[str, ...] = ()
    ranged = None
    inner = expr.strip()
    while not inner.startswith("{"):
        match = re.fullmatch(
            rf"({'|'.join(AGGREGATIONS)})\s*(?:by\s*\(([\w, ]+)\)\s*)?\((?:\d+,\s*)?(.+)\)", inner, re.DOTALL
        )
        if match:
            by = by or tuple(re.findall(r"\w+", match[2] or ""))
            inner = match[3]
            continue
        match = re.fullmatch(r"count_over_time\((.+)\s+\[([^\]]+)\]\)", inner, re.DOTALL)
        if match is None or ranged is not None:
            raise ValueError(f"no LogQL, or more than is understood here: {inner}")
        inner, ranged = match[1], match[2]
    selector = re.match(rf"{{(\w+)=({_STRING})}}\s*", inner)
    if selector is None:
        raise ValueError(f"no stream is selected: {inner}")
    tested: dict[str, list[str]] = {}
    made: set[str] = set()
    written: set[str] = set()
    for stage in _split(inner[selector.end() :]):
        found = next((match for pattern in _STAGES if (match := pattern.fullmatch(stage))), None)
        if found is None:
            raise ValueError(f"a stage that is not understood: {stage}")
        parts = found.groupdict()
        if parts.get("tested"):
            tested.setdefault(parts["tested"], []).append(parts["value"][1:-1])
        made |= {parts["made"]} if parts.get("made") else set()
        written |= set(re.findall(r"\.(\w+)", parts.get("template") or parts.get("line") or ""))
    return Asked({selector[1]: selector[2][1:-1]}, tested, frozenset(made), by, frozenset(written), ranged)


def _split(pipeline: str) -> list[str]:
    """The stages between the bars, of which those in strings do not count."""
    stages = [""]
    for piece in re.findall(rf"{_STRING}|\||[^|\"`]+|.", pipeline, re.DOTALL):
        if piece == "|":
            stages.append("")
        else:
            stages[-1] += piece
    if stages[0].strip():
        raise ValueError(f"no bar before {stages[0]!r}")
    return [stage.strip() for stage in stages[1:]]
