"""The collectors: one file each, whose name is also the configuration key and the `collector` label.

A module of this folder (without a leading underscore) is a collector. It has `FAMILIES`, the descriptions of all its metric
families, and `class Collector`, made with the account's `Context`. Only it writes its tables (`store/schema.sql`).
"""

import importlib
import pkgutil
from collections.abc import Iterable, Sequence
from typing import Protocol

from exporter.collectors._context import Context
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call
from exporter.store.database import Connection


class Collector(Protocol):
    """Asks for one kind of object, writes what came to the database, and selects its metrics from there."""

    @property
    def requires(self) -> tuple[str, ...]:
        """The collectors without whose first success this one has nothing to ask."""

    @property
    def triggers(self) -> tuple[str, ...]:
        """Topics of events (globs) after which this one is due whatever its interval."""

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Ask, and write what came in one transaction.

        Returns what could not be asked though the rest could (nothing: all is well). Raises FlatfileError where nothing could
        be; the database is as before then.
        """

    def families(self, db: Connection, fresh: Freshness) -> Iterable[Family]:
        """Select the families, without what is not `fresh` any more. Runs on the account's thread, in a transaction.

        They must follow from the tables of this collector and of those it requires, and from `fresh`, alone: they are not
        asked for again before a refresh of one of these ends.
        """


class Module(Protocol):
    """What a collector's file holds."""

    FAMILIES: Sequence[Desc]

    def Collector(self, context: Context) -> Collector: ...  # noqa: N802


def _modules() -> dict[str, Module]:
    names = sorted(info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


REGISTRY: dict[str, Module] = _modules()
