"""What many accounts in one process take: start, scrapes, memory, and how their requests are spread.

With `--prometheus`, also with a real Prometheus that scrapes each account by `/sd`: what both take, and what is stored.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from bench.exporting import Exporter, exporting, sums
from bench.prometheus import prometheus
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
INTERVAL = 60.0  # seconds between Prometheus' scrapes of an account, as docs/scaling.md says
AT_ONCE = 4  # accounts that are read for the first time before Prometheus scrapes them
COLLECTORS = ("environments", "spaces", "agents", "executions", "events", "jobs", "users", "guests")
IN_A_BLOCK = 120  # scrapes of two hours, which Prometheus makes a block
KEPT = 15 * 24 * 3600 / INTERVAL  # samples of a series in Prometheus' 15 days


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve one simulated account, let an exporter read it under many names, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.accounts", description=__doc__)
    parser.add_argument("--accounts", type=int, nargs="+", default=[200], help="accounts in a process (default: 200)")
    parser.add_argument("--prometheus", metavar="PROGRAM", help="let this Prometheus scrape them instead")
    parser.add_argument(
        "--minutes", type=float, default=5.0, help="with --prometheus: measured for so long (default: 5)"
    )
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer (default: 0.05)")
    add_reference(parser)
    flags = parser.parse_args(arguments)
    numbers = sorted({*flags.accounts} if flags.prometheus else {1, *flags.accounts})
    with trees(flags.reference) as both:
        for tree in both:
            with simulated(SIZE, flags.latency) as api:
                if flags.prometheus:
                    _show_scraped(tree, api, numbers, flags.prometheus, flags.minutes)
                else:
                    _show(tree, numbers, [_measured(api, tree, number) for number in numbers], flags.latency)


def _show(tree: Tree, numbers: Sequence[int], measured: Sequence[tuple[str, ...]], latency: float) -> None:
    columns = list(zip(*measured, strict=True))
    names = (
        "start to the first 200 of /-/healthy, s",
        "first /metrics, s",
        "requests in its busiest second",
        "/metrics with nothing due, ms (median)",
        "/metrics when events are due, s",
        "requests in its busiest second",
        "/probe with nothing due, ms (median)",
        "/sd, ms (median)",
        "the page: series",
        "resident MiB at the start",
        "resident MiB after 30 scrapes",
        "CPU ms of a scrape when events are due",
        "threads",
    )
    show(
        f"{tree.name}: accounts in one process; each: {SIZE}",
        ("accounts", *map(str, numbers)),
        [(name, *column) for name, column in zip(names, columns, strict=True)],
        f"memory for each account: {_each(numbers, columns[9]):.0f} KiB at the start, "
        f"{_each(numbers, columns[10]):.0f} KiB after the scrapes",
        f"answers come {latency * 1000:g} ms after their requests; the scrapes' timeout is 10 s",
    )


def _show_scraped(tree: Tree, api: Simulated, numbers: Sequence[int], program: str, minutes: float) -> None:
    rows = [_scraped(api, tree, number, program, minutes * 60) for number in numbers]
    size, samples = _stored(api, tree, program)
    stored = [(*row, f"{int(row[1]) * KEPT * size / samples / 1e9:.2f}") for row in rows]
    show(
        f"{tree.name}: accounts scraped by a Prometheus, by /sd, every {INTERVAL:g} s; each: {SIZE}",
        (
            *("accounts", "series", "requests/s", "CPU cores", "MiB", "/sd ms", "/probe ms", "99 %"),
            *("failed", "Prometheus MiB", "GB in 15 days"),
        ),
        stored,
        f"requests, CPU: of {minutes:g} minutes after all was known. /probe: as Prometheus saw its last scrapes",
        f"GB: {size / samples:.2f} bytes for a sample, in a block of {IN_A_BLOCK} scrapes, in each of which events were new",
    )


def _each(numbers: Sequence[int], mebibytes: Sequence[str]) -> float:
    """Return KiB for each account between the least and the most of them."""
    return (float(mebibytes[-1]) - float(mebibytes[0])) * 1024 / max(1, numbers[-1] - numbers[0])


def _accounts(api: Simulated, accounts: int) -> str:
    return "accounts:\n" + "".join(
        f"  - {{name: account{number:04}, base_url: '{api.base_url}', "
        f"auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}}}\n"
        for number in range(accounts)
    )


def _scraped(api: Simulated, tree: Tree, accounts: int, program: str, measured: float) -> tuple[str, ...]:
    """Read each account once, and let Prometheus scrape them by `/sd`: for two intervals, and then for `measured` seconds."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(_accounts(api, accounts))
        with exporting("serve", f"--config.file={file}", tree=tree) as exporter:
            exporter.until_answered("/-/healthy")
            _read_each(exporter, accounts)
            discovery = f"http://127.0.0.1:{exporter.port}/sd"
            with prometheus(program, discovery, INTERVAL) as server:
                time.sleep(2 * INTERVAL)
                began, requests, cpu = time.perf_counter(), api.counts().total(), exporter.cpu()
                time.sleep(measured)
                seconds = time.perf_counter() - began
                requests, cpu = api.counts().total() - requests, exporter.cpu() - cpu
                another = exporter.another()
                sd = statistics.median(_seconds(another, "/sd") for _ in range(15))
                series, probes = 'count({job="flatfile"})', 'scrape_duration_seconds{instance=~".+/.+"}'
                return (
                    str(accounts),
                    f"{server.number(series):.0f}",
                    f"{requests / seconds:.2f}",
                    f"{cpu / seconds:.3f}",
                    f"{exporter.memory()[0]:.0f}",
                    f"{sd * 1000:.1f}",
                    f"{server.number(f'quantile(0.5, {probes})') * 1000:.0f}",
                    f"{server.number(f'quantile(0.99, {probes})') * 1000:.0f}",
                    f"{server.number('sum(count_over_time(up[1h]) - sum_over_time(up[1h]))'):.0f}",
                    f"{server.memory():.0f}",
                )


def _read_each(exporter: Exporter, accounts: int) -> None:
    """Scrape all accounts, a few at a time."""

    def some(first: int) -> None:
        another = exporter.another()
        for number in range(first, accounts, AT_ONCE):
            another.get(f"/probe?target=account{number:04}")

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(some, range(AT_ONCE)))


def _stored(api: Simulated, tree: Tree, program: str) -> tuple[int, int]:
    """Return the bytes and samples of a block. A second stands for a minute here, and all is due at each scrape."""
    due = ", ".join(f"{name}: {{interval: 0s}}" for name in COLLECTORS)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(f"{_accounts(api, 3)}collectors: {{{due}}}\nrequests: {{per_second: 1000}}\n")
        with exporting("serve", f"--config.file={file}", tree=tree) as exporter:
            exporter.until_answered("/-/healthy")
            with prometheus(program, f"http://127.0.0.1:{exporter.port}/sd", 1.0) as server:
                while server.number(f"count(count_over_time(flatfile_up[1h]) >= {IN_A_BLOCK})") < 3:
                    api.emit(4)
                    time.sleep(1)
                return server.block()


def _measured(api: Simulated, tree: Tree, accounts: int) -> tuple[str, ...]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(f"{_accounts(api, accounts)}collectors: {{events: {{interval: 5s}}}}\n")
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
            probe = statistics.median(_seconds(exporter, f"/probe?target=account{accounts - 1:04}") for _ in range(15))
            sd = statistics.median(_seconds(exporter, "/sd") for _ in range(15))
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
        f"{sd * 1000:.1f}",
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
