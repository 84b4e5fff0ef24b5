"""What a scrape of an exporter with a page of about 10,000 series costs: unchanged, one collector's part new, all new."""

import argparse
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench.exporting import configuration, exporting
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show
from bench.trees import Tree, add_reference, trees

COLLECTORS = ("environments", "spaces", "users", "guests", "events")
DISABLED = "agents: {enabled: false}, executions: {enabled: false}, jobs: {enabled: false}"
HEADERS = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
WAYS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("unchanged", ()),
    ("one part new: events, 10 since the last", ("events",)),
    ("all new", COLLECTORS),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Scrape an exporter again and again in each way, and print the time and CPU of a scrape."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--environments", type=int, default=93, help="decides how many series (default: 93)")
    parser.add_argument("--scrapes", type=int, default=40, help="of each kind (default: 40)")
    add_reference(parser)
    flags = parser.parse_args(arguments)
    size = Size(flags.environments, 400, 900)
    with simulated(size, 0.0) as api, trees(flags.reference) as both:
        rows = [_row(api, tree, *way, flags.scrapes) for way in WAYS for tree in both]
    show(
        f"A scrape of {size}",
        ("", "series", "median ms", "CPU ms", "requests"),
        rows,
        f"medians and means of {flags.scrapes} scrapes, OpenMetrics packed as gzip; CPU: of the whole process, requests too",
    )


def _row(api: Simulated, tree: Tree, name: str, always: Sequence[str], scrapes: int) -> tuple[str, ...]:
    intervals = ", ".join(
        f"{each}: {{interval: {'0s' if each in always else '1h'}, max_age: 4h}}" for each in COLLECTORS
    )
    more = f"collectors: {{{intervals}, {DISABLED}}}\nrequests: {{per_second: 10000}}\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        with exporting("serve", f"--config.file={file}", tree=tree) as exporter:
            exporter.until_answered("/-/healthy")
            while b"\nflatfile_guests{" not in (page := exporter.get()):
                time.sleep(0.5)
            exporter.get(headers=HEADERS)
            before, cpu, seconds = api.counts().total(), exporter.cpu(), []
            for _ in range(scrapes):
                api.emit(10)
                began = time.perf_counter()
                exporter.get(headers=HEADERS)
                seconds.append(time.perf_counter() - began)
            spent, sent = exporter.cpu() - cpu, api.counts().total() - before
    series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
    return (
        f"{tree.name}: {name}",
        str(series),
        f"{statistics.median(seconds) * 1000:.1f}",
        f"{spent / scrapes * 1000:.1f}",
        f"{sent / scrapes:.1f}",
    )


if __name__ == "__main__":
    main()
