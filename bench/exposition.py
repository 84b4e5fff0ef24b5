"""What a page costs: rendered anew, partly changed and unchanged, beside prometheus_client on the same series."""

import argparse
import gzip
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from bench.exporting import Exporter, configuration, exporting
from bench.simulated import CLIENT_ID, SECRET, Size, simulated
from bench.table import show
from exporter.exposition.cache import AccountCache, Part
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.text import Format, join
from exporter.web.pages import GZIP_LEVEL

SIZES = (1_000, 10_000, 100_000)
PARTS = 8  # as many as there are collectors
FAMILIES = 4  # of each part
LABELS = ("account", "environment_id", "environment", "topic")
OPENMETRICS = Format.OPENMETRICS_1_0
PROMETHEUS = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}


class Source:
    """A part with so many series. Each `change` gives all of them another value."""

    def __init__(self, number: int, series: int) -> None:
        self.name = f"part{number}"
        self.revision = 0
        self.families = [
            Family(Desc(f"flatfile_bench_{number}_{i}", "gauge", "One of many.", LABELS), self._samples(series, 0.0))
            for i in range(FAMILIES)
        ]

    def _samples(self, series: int, add: float) -> list[Sample]:
        return [
            (("bench", f"us_env_{i // 20:08}", f"environment {i // 20}", f"topic:{i % 20}"), i + add)
            for i in range(series // FAMILIES)
        ]

    def change(self) -> None:
        self.revision += 1
        for family in self.families:
            family.samples = [(labels, value + 1) for labels, value in family.samples if isinstance(value, float)]

    def part(self) -> Part:
        return Part(self.name, self.revision, lambda _: self.families)


class Recorded:
    """A collector of the client library that has its metrics ready: only the rendering is measured."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._metrics: list[Metric] = []
        for family in families:
            metric = GaugeMetricFamily(family.desc.name, family.desc.help, labels=family.desc.labels)
            for labels, value in family.samples:
                if isinstance(value, float | int):
                    metric.add_metric(labels, value)
            self._metrics.append(metric)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def main(arguments: Sequence[str] | None = None) -> None:
    """Time pages of several sizes, and what a large one does to others who ask meanwhile."""
    parser = argparse.ArgumentParser(prog="python -m bench.exposition", description=__doc__)
    parser.add_argument(
        "--environments",
        type=int,
        default=800,
        help="of the account for the last table (default: 800); 0 to leave it out",
    )
    flags = parser.parse_args(arguments)
    show(
        "A page, in milliseconds (median), and beside generate_latest",
        (
            "series",
            "all anew",
            "one part of 8 anew",
            "unchanged",
            "packed kB",
            "generate_latest",
            "the same, packed",
            "ratio",
        ),
        [_row(series) for series in SIZES],
        "all but generate_latest: rendered as OpenMetrics and packed as gzip, as Prometheus asks for it",
        "generate_latest: its text format not packed, from metrics that are ready; then packed with level 6",
        "ratio: generate_latest, not packed, to the exporter's unchanged page, packed",
    )
    if flags.environments:
        _show_others(flags.environments)


def _row(series: int) -> tuple[str, ...]:
    sources = [Source(number, series // PARTS) for number in range(PARTS)]
    cache = AccountCache()

    def page() -> bytes:
        rendered = cache.lines([source.part() for source in sources], OPENMETRICS, 0.0)
        return gzip.compress(join(rendered.values(), OPENMETRICS), GZIP_LEVEL)

    def changed(number: int) -> float:
        for source in sources[:number]:
            source.change()
        return _milliseconds(page)

    runs = 3 if series > 50_000 else 9
    anew = statistics.median(changed(PARTS) for _ in range(runs))
    one = statistics.median(changed(1) for _ in range(runs))
    warm = statistics.median(_milliseconds(page) for _ in range(50))
    registry = CollectorRegistry()
    registry.register(Recorded(family for source in sources for family in source.families))
    theirs = statistics.median(_milliseconds(lambda: generate_latest(registry)) for _ in range(runs))
    text = generate_latest(registry)
    packing = _milliseconds(lambda: gzip.compress(text, 6))
    return (
        str(series),
        *(f"{milliseconds:.2f}" for milliseconds in (anew, one, warm)),
        f"{len(page()) / 1000:.0f}",
        f"{theirs:.1f}",
        f"{theirs + packing:.1f}",
        f"{theirs / warm:.0f}x",
    )


def _milliseconds(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return (time.perf_counter() - began) * 1000


def _show_others(environments: int) -> None:
    """A real exporter with a very large page: its scrapes, and what somebody else waits for meanwhile."""
    more = "requests: {per_second: 10000, concurrency: 16}\n" + (
        "collectors: {events: {interval: 0s}, "
        + ", ".join(f"{name}: {{enabled: false}}" for name in ("spaces", "agents", "users", "guests"))
        + "}\n"
    )
    with simulated(Size(environments, 0, 0, 1, 0), 0.0) as api, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        with exporting("serve", f"--config.file={file}") as exporter:
            exporter.until_answered("/-/healthy")
            first = _milliseconds(exporter.get)
            page = exporter.get()
            series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
            exporter.get(headers=PROMETHEUS)
            rows = [("nothing", "", *_spread(_waits(exporter, 200)))]
            for what, path in (
                ("a scrape that asks for all events again and renders them anew", "/metrics"),
                ("a scrape of what has not changed", "/metrics?collect[]=environments"),
            ):
                took, waits = _meanwhile(exporter, path)
                rows.append((what, f"{took:.0f}", *_spread(waits)))
            memory, most = exporter.memory()
    show(
        f"What /-/healthy waits for beside a page of {series} series, {len(page) / 1e6:.1f} MB",
        ("meanwhile", "it takes ms", "median ms", "longest ms"),
        rows,
        f"first scrape, with {environments} environments asked for by themselves: {first / 1000:.1f} s",
        f"resident memory: {memory:.1f} MiB, at most {most:.1f} MiB",
    )


def _meanwhile(exporter: Exporter, path: str) -> tuple[float, list[float]]:
    """Milliseconds of a scrape, and of each short question that was asked while it went on."""
    scraper, took = exporter.another(), [0.0]

    def scrape() -> None:
        took[0] = _milliseconds(lambda: scraper.get(path, PROMETHEUS))

    scraping = threading.Thread(target=scrape)
    scraping.start()
    waits = []
    while scraping.is_alive():
        waits += _waits(exporter, 1)
    return took[0], waits


def _spread(waits: Sequence[float]) -> tuple[str, str]:
    return (f"{statistics.median(waits):.1f}", f"{max(waits):.1f}") if waits else ("", "")


def _waits(exporter: Exporter, number: int) -> list[float]:
    return [_milliseconds(lambda: exporter.get("/-/healthy")) for _ in range(number)]


if __name__ == "__main__":
    main()
