"""The collectors: one file each, whose name is also the configuration key and the `collector` label.

A module of this folder (without a leading underscore) is a collector. It has

- `FAMILIES`, the descriptions of all its metric families, and
- `class Collector`, made with the account's `Scope`, which has `requires`, the names of the collectors whose last success
  it builds on, `async refresh(call)`, and `families(fresh)`.

Adding a collector is adding a file.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Protocol

from exporter.collectors._context import Scope
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call


class Collector(Protocol):
    """Asks for one kind of object and gives its metrics."""

    requires: tuple[str, ...]

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Ask, and replace the snapshot in one assignment.

        Returns what could not be asked though the rest could (nothing: all is well). Raises FlatfileError where nothing
        could be; the snapshot is as before then.
        """

    def families(self, fresh: Freshness) -> Iterable[Family]:
        """Give the families of the snapshot, without what is not `fresh` any more.

        They must follow from the snapshots of this collector and of those it requires, and from `fresh`, alone: they are
        not asked for again before a refresh of one of these ends. They may be asked for in another thread, while a refresh
        goes on.
        """


class Module(Protocol):
    """What a collector's file holds."""

    FAMILIES: Sequence[Desc]

    def Collector(self, scope: Scope) -> Collector: ...  # noqa: N802


def _modules() -> dict[str, Module]:
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


REGISTRY: dict[str, Module] = _modules()
