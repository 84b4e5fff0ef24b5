"""The exporter's metrics about itself as a whole: build, process, scrapes, reloads."""

import os
import platform
from collections import Counter

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.metrics_core import Metric

from exporter import __version__
from exporter.account.accounts import Accounts
from exporter.exposition.families import Desc, Family, MetricType

BUILD_INFO = Desc(
    "flatfile_exporter_build_info",
    "gauge",
    "Version, source revision and Python version of the exporter, always 1.",
    ("version", "revision", "pythonversion"),
)
RELOAD_SUCCESSFUL = Desc(
    "flatfile_exporter_config_last_reload_successful",
    "gauge",
    "1 when the last load of the configuration succeeded, else 0.",
    (),
)
RELOADED_AT = Desc(
    "flatfile_exporter_config_last_reload_success_timestamp_seconds",
    "gauge",
    "When a configuration was last loaded successfully, in unix seconds.",
    (),
)
SCRAPES = Desc(
    "flatfile_exporter_scrapes_total",
    "counter",
    "Scrapes answered; partial when the deadline came before every due refresh had finished.",
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
        """Initialise the counts of these paths at 0."""
        for path in paths:
            for outcome in ("complete", "partial"):
                self._scrapes[path, outcome] += 0

    def scrape(self, path: str, complete: bool) -> None:
        self._scrapes[path, "complete" if complete else "partial"] += 1

    def families(self) -> list[Family]:
        accounts = self._accounts
        build = (__version__, os.environ.get("FLATFILE_EXPORTER_REVISION", ""), platform.python_version())
        families = [
            Family(BUILD_INFO, [(build, 1)]),
            Family(RELOAD_SUCCESSFUL, [((), 1 if accounts.reload_successful else 0)]),
        ]
        if accounts.reloaded_at is not None:
            families.append(Family(RELOADED_AT, [((), accounts.reloaded_at)]))
        return [*families, *from_registry(self._registry), Family(SCRAPES, [*self._scrapes.items()])]


# The client library's type -> ours, and the suffix of the sample's name.
_TYPES: dict[str, tuple[MetricType, str]] = {"counter": ("counter", "_total"), "gauge": ("gauge", "")}


def from_registry(registry: CollectorRegistry) -> list[Family]:
    """Return what `registry` collects now as families, without the `_created` samples.

    Raises ValueError for a metric of another type, which these collectors do not have.
    """
    return [_from_metric(metric) for metric in registry.collect()]


def _from_metric(metric: Metric) -> Family:
    if metric.type not in _TYPES:
        raise ValueError(f"{metric.name}: a metric of type {metric.type} cannot be rendered")
    kind, suffix = _TYPES[metric.type]
    name = metric.name + suffix
    # A label that a sample lacks is the same to Prometheus as one with an empty value.
    labels = tuple(dict.fromkeys(label for sample in metric.samples for label in sample.labels))
    samples = [
        (tuple(sample.labels.get(label, "") for label in labels), sample.value)
        for sample in metric.samples
        if sample.name == name
    ]
    return Family(Desc(name, kind, metric.documentation, labels), samples)
