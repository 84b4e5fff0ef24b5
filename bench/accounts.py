"""What many accounts in one process take: start, scrapes, memory, and how their requests are spread."""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from bench.exporting import Exporter, exporting, sums
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show
from bench.trees import Tree, add_reference, trees

SIZE = Size(environments=2, spaces=10, guests=20, users=5, events=60)
HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0",
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",  # what Prometheus allows where nothing else is configured
}
CPU = "process_cpu_seconds_total"


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one simulated account, let an exporter read it under many names, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.accounts", description=__doc__)
    parser.add_argument("--accounts", type=int, default=200, help="accounts in one process (default: 200)")
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer (default: 0.05)")
    add_reference(parser)
    flags = parser.parse_args(arguments)
    with trees(flags.reference) as both:
        for tree in both:
            with simulated(SIZE, flags.latency) as api:
                rows = [_measured(api, tree, number) for number in (1, flags.accounts)]
            _show(tree, rows, flags)


def _show(tree: Tree, rows: Sequence[tuple[str, ...]], flags: argparse.Namespace) -> None:
    columns = list(zip(*rows, strict=True))
    names = (
        "start to the first 200 of /-/healthy, s",
        "first /metrics, s",
        "requests in its busiest second",
        "/metrics with nothing due, ms (median)",
        "/metrics when events are due, s",
        "requests in its busiest second",
        "/probe with nothing due, ms (median)",
        "the page: series",
        "resident MiB at the start",
        "resident MiB after 30 scrapes",
        "CPU ms of a scrape when events are due",
        "threads",
    )
    show(
        f"{tree.name}: accounts in one process; each: {SIZE}",
        ("", "1 account", f"{flags.accounts} accounts"),
        [(name, *column) for name, column in zip(names, columns, strict=True)],
        f"memory for each account: {_each(columns[8], flags.accounts):.0f} KiB at the start, "
        f"{_each(columns[9], flags.accounts):.0f} KiB after the scrapes",
        f"answers come {flags.latency * 1000:g} ms after their requests; the scrapes' timeout is 10 s",
    )


def _each(mebibytes: Sequence[str], accounts: int) -> float:
    one, many = map(float, mebibytes)
    return (many - one) * 1024 / (accounts - 1)


def _measured(api: Simulated, tree: Tree, accounts: int) -> tuple[str, ...]:
    lines = "".join(
        f"  - {{name: account{number:03}, base_url: '{api.base_url}', "
        f"auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}}}\n"
        for number in range(accounts)
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(f"accounts:\n{lines}collectors: {{events: {{interval: 5s}}}}\n")
        with exporting("serve", f"--config.file={file}", tree=tree) as exporter:
            start = exporter.until_answered("/-/healthy")
            memory_at_start, _ = exporter.memory()
            with _Busiest(api) as first_busiest:
                first = _seconds(exporter)
            _until_quiet(api)
            time.sleep(6)  # until events are due, and for many accounts other collectors too
            before = sums(exporter.get("/metrics?only=exporter"), CPU)[CPU]
            with _Busiest(api) as due_busiest:
                due = _seconds(exporter)
            cpu = sums(exporter.get("/metrics?only=exporter"), CPU)[CPU] - before
            warm = statistics.median(_seconds(exporter) for _ in range(15))
            probe = statistics.median(_seconds(exporter, f"/probe?target=account{accounts - 1:03}") for _ in range(15))
            memory, _ = exporter.memory()
            page = exporter.get()
            threads = exporter.threads()
    return (
        f"{start:.2f}",
        f"{first:.2f}",
        str(first_busiest.requests),
        f"{warm * 1000:.1f}",
        f"{due:.2f}",
        str(due_busiest.requests),
        f"{probe * 1000:.1f}",
        str(sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))),
        f"{memory_at_start:.1f}",
        f"{memory:.1f}",
        f"{cpu * 1000:.0f}",
        str(threads),
    )


def _until_quiet(api: Simulated) -> None:
    """What the first scrape did not wait for goes on by itself."""
    before = -1
    while (now := api.counts().total()) != before:
        before = now
        time.sleep(2)


class _Busiest:
    """Watches how many requests come, and tells how many came in the busiest second."""

    def __init__(self, api: Simulated) -> None:
        self._api = api
        self._seen: list[tuple[float, int]] = []
        self._over = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._watching.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            self._seen.append((time.perf_counter(), self._api.counts().total()))
        self._seen.append((time.perf_counter(), self._api.counts().total()))

    @property
    def requests(self) -> int:
        return max(
            (number - before for at, number in self._seen for earlier, before in self._seen if at - 1 <= earlier <= at),
            default=0,
        )


def _seconds(exporter: Exporter, path: str = "/metrics") -> float:
    began = time.perf_counter()
    exporter.get(path, HEADERS)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
