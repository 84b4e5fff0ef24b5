"""How many requests an hour costs with the default intervals, by account, and the hour after a restart.

The exporter is a process of its own. Its clocks, and the simulated account's, are set on between scrapes.
"""

import argparse
import contextlib
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.clocked import FILE, Ahead
from bench.exporting import Exporter, configuration, exporting
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show
from bench.trees import Tree, add_reference, trees

HOUR = 3600.0
SIZES = (Size(1, 10, 20, 5, 60), Size(3, 50, 100, 20, 600), Size(), Size(20, 5000, 10000, 200, 6000))


@dataclass(frozen=True, slots=True)
class Hours:
    """Requests until all is known, of an hour after that, and of the hour after a restart, by path."""

    name: str
    first: int
    hour: Counter[str]
    restarted: Counter[str]
    restarted_with_storage: Counter[str]
    series: int


def main(arguments: Sequence[str] | None = None) -> None:
    """Count for accounts of several sizes."""
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=__doc__)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between scrapes (default: 30)")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, smallest first")
    parser.add_argument("--spaces", type=int, nargs="+", help="accounts of 6 environments with so many spaces instead")
    parser.add_argument("--more", default="", help="lines of YAML that are added to the configuration")
    add_reference(parser)
    flags = parser.parse_args(arguments)
    sizes: Sequence[Size] = SIZES[: flags.sizes]
    if flags.spaces:
        sizes = [Size(6, spaces, spaces * 9 // 4) for spaces in flags.spaces]
    with trees(flags.reference) as both:
        hours = [_hours(tree, size, flags.interval, flags.more) for size in sizes for tree in both]
    show(
        f"Requests in the steady state, default intervals, a scrape every {flags.interval:g} s",
        ("environments/spaces/guests", "first pass", "an hour", "after a restart", "with storage", "series"),
        [
            (
                each.name,
                str(each.first),
                *(str(spent.total()) for spent in (each.hour, each.restarted, each.restarted_with_storage)),
                str(each.series),
            )
            for each in hours
        ],
        "first pass: until every number is known, guests of all spaces too. The API gives guests space by space here.",
        "after a restart: in the hour after it; with storage: the same with --storage.path. Nothing happens in the accounts.",
    )
    paths = sorted({path for each in hours for path in each.hour | each.restarted_with_storage})
    for title, column in (("An hour", "hour"), ("The hour after a restart with storage", "restarted_with_storage")):
        rows = [(each.name, *(str(getattr(each, column)[path]) for path in paths)) for each in hours]
        show(f"{title}, by path", ("environments/spaces/guests", *paths), rows)


def _hours(tree: Tree, size: Size, interval: float, more: str) -> Hours:
    with tempfile.TemporaryDirectory() as folder:
        ahead_file = Path(folder, "ahead")
        ahead = Ahead(ahead_file)
        with simulated(size, 0.0, ahead_file) as api:
            config = Path(folder, "config.yaml")
            config.write_text(
                configuration(api.base_url, CLIENT_ID, SECRET, f"requests: {{per_second: 1000}}\n{more}\n")
            )

            @contextlib.contextmanager
            def started(*flags: str) -> Iterator[Exporter]:
                serve = ("serve", f"--config.file={config}", *flags)
                with exporting(*serve, tree=tree, program="clocked", env={FILE: str(ahead_file)}) as exporter:
                    exporter.until_answered("/-/healthy")
                    yield exporter

            storage = f"--storage.path={folder}/state"
            with started(storage) as exporter:
                _first(exporter, api)
            with started(storage) as exporter:
                restarted_with_storage = _hour(exporter, api, ahead, interval)
            before = api.counts().total()
            with started() as exporter:
                _first(exporter, api)
                first = api.counts().total() - before
                hour = _hour(exporter, api, ahead, interval)
            with started() as exporter:
                restarted = _hour(exporter, api, ahead, interval)
                page = exporter.get()
    series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
    name = f"{tree.name}: {size.environments}/{size.spaces}/{size.guests}"
    return Hours(name, first, hour, restarted, restarted_with_storage, series)


def _hour(exporter: Exporter, api: Simulated, ahead: Ahead, interval: float) -> Counter[str]:
    before = api.counts()
    for _ in range(round(HOUR / interval)):
        ahead.add(interval)
        _scrape(exporter, api)
    return api.counts() - before


def _first(exporter: Exporter, api: Simulated) -> None:
    """Scrape until all is known."""
    while b"\nflatfile_guests{" not in exporter.get():
        api.wait_until_quiet()


def _scrape(exporter: Exporter, api: Simulated) -> None:
    """Scrape, and wait for what goes on in the background."""
    exporter.reconnect()
    exporter.get()
    api.wait_until_quiet()


if __name__ == "__main__":
    main()
