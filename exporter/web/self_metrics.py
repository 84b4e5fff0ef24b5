"""What the exporter tells of itself as a whole: build, process, scrapes, reloads."""

import os
import platform
from collections import Counter

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from exporter import __version__
from exporter.account.accounts import Accounts
from exporter.exposition.families import Desc, Family
from exporter.web.registry import from_registry

BUILD_INFO = Desc(
    "flatfile_exporter_build_info",
    "gauge",
    "The exporter's version, source revision and Python, always 1.",
    ("version", "revision", "pythonversion"),
)
RELOAD_SUCCESSFUL = Desc(
    "flatfile_exporter_config_last_reload_successful",
    "gauge",
    "1 when the configuration was taken over the last time it was loaded, else 0.",
    (),
)
RELOADED_AT = Desc(
    "flatfile_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When a configuration was last taken over, in unix seconds.",
    (),
)
SCRAPES = Desc(
    "flatfile_exporter_scrapes_total",
    "counter",
    "Scrapes answered; partial: the deadline came before every refresh that was due had ended.",
    ("path", "outcome"),
)
FAMILIES = (BUILD_INFO, RELOAD_SUCCESSFUL, RELOADED_AT, SCRAPES)


class OwnMetrics:
    """The exporter's own metrics; `scrapes` counts answered scrapes."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._registry = CollectorRegistry(auto_describe=False)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)
        self._scrapes: Counter[tuple[str, str]] = Counter()

    def expect(self, *paths: str) -> None:
        """Start the counts of these paths at 0."""
        for path in paths:
            for outcome in ("complete", "partial"):
                self._scrapes[path, outcome] += 0

    def scrape(self, path: str, complete: bool) -> None:
        """Count a scrape."""
        self._scrapes[path, "complete" if complete else "partial"] += 1

    def families(self) -> list[Family]:
        """Give all of them."""
        accounts = self._accounts
        build = (__version__, os.environ.get("FLATFILE_EXPORTER_REVISION", ""), platform.python_version())
        families = [
            Family(BUILD_INFO, [(build, 1)]),
            Family(RELOAD_SUCCESSFUL, [((), 1 if accounts.reload_successful else 0)]),
        ]
        if accounts.reloaded_at is not None:
            families.append(Family(RELOADED_AT, [((), accounts.reloaded_at)]))
        return [*families, *from_registry(self._registry), Family(SCRAPES, [*self._scrapes.items()])]
