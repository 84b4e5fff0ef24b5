"""Label names that several collectors share, in the order in which their values are given; families of rows that have them."""

from collections.abc import Iterable, Mapping
from typing import Any

from exporter.exposition.families import Desc, Family

ACCOUNT = ("account",)
ENVIRONMENT = ("account", "environment_id", "environment_name")
SPACE = (*ENVIRONMENT, "space_id")
DAY = 86400.0
WINDOWS = (("1d", DAY), ("7d", 7 * DAY), ("30d", 30 * DAY))

Labels = Mapping[str, tuple[str, str, str]]
"""The values of ENVIRONMENT by environment id."""


def family(desc: Desc, labels: Labels, rows: Iterable[Iterable[Any]]) -> Family:
    """Return a family of rows (environment id, further label values, value), those that have labels and a value."""
    return Family(
        desc, [((*labels[env], *by), value) for env, *by, value in rows if env in labels and value is not None]
    )
