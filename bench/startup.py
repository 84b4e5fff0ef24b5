"""How long it takes from the start of the process to the first 200."""

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.exporting import configuration, exporting
from bench.simulated import CLIENT_ID, SECRET, Size, simulated
from bench.table import show

SMALL = Size(environments=2, spaces=10, guests=20, users=5, events=60)


def main(arguments: Sequence[str] | None = None) -> None:
    """Start real processes, one after the other, and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m bench.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=7, help="processes to start for each line (default: 7)")
    runs = parser.parse_args(arguments).runs
    with simulated(SMALL, 0.0) as api, tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET))
        serve = ("serve", f"--config.file={file}")
        rows = [
            _row("serve: first 200 of /-/healthy", runs, "/-/healthy", *serve),
            _row("serve: first 200 of /metrics, with all of a small account", runs, "/metrics", *serve),
            _row("demo: first 200 of /metrics, with all of the demo account", runs, "/metrics", "demo"),
        ]
    show(
        "Start-up", ("", "median s", "least s", "most s"), rows, f"{runs} processes for each line, one after the other"
    )


def _row(what: str, runs: int, path: str, *arguments: str) -> tuple[str, ...]:
    seconds = []
    for _ in range(runs):
        with exporting(*arguments) as exporter:
            seconds.append(exporter.until_answered(path))
    return (what, *(f"{value:.2f}" for value in (statistics.median(seconds), min(seconds), max(seconds))))


if __name__ == "__main__":
    main()
