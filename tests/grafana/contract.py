"""The families that dashboards and rules may query."""

from pathlib import Path
from typing import Any

import yaml

DATA = Path(__file__).parent / "data"

ENVIRONMENT = ("account", "environment_id", "environment_name")
COMMON = {
    "process": (),
    "account": ("account",),
    "environment": ENVIRONMENT,
    "agent": (*ENVIRONMENT, "agent_id", "agent"),
}
"""Labels of all families of a level."""

Levels = dict[str, dict[str, dict[str, Any]]]
"""Level -> family -> its `type` and further `labels`."""


def _read(name: str) -> Levels:
    levels: Levels = yaml.safe_load((DATA / name).read_text(encoding="utf-8")) or {}
    return levels


FAMILIES: Levels = _read("contract.yaml")


def _samples(family: str, kind: str) -> list[str]:
    return [f"{family}_{part}" for part in ("bucket", "sum", "count")] if kind == "histogram" else [family]


def series() -> dict[str, set[str]]:
    """Return every series name with its labels."""
    return {
        name: {*COMMON[level], *about.get("labels", ()), *(("le",) if name.endswith("_bucket") else ())}
        for level, families in FAMILIES.items()
        for family, about in families.items()
        for name in _samples(family, about["type"])
    }
