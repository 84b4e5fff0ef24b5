"""What a scrape of a large account costs when every collector asks every time, beside a plain sequential client."""

import argparse
import gzip
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.exporting import Exporter, configuration, exporting, sums
from bench.sequential import SequentialClient, Work
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show

COLLECTORS = ("environments", "spaces", "agents", "users", "guests", "events")
CONCURRENCY = 4  # requests.concurrency: the default
PER_SECOND = 10  # requests.per_second: the default
UNLIMITED = 10_000
CPU = "process_cpu_seconds_total"


@dataclass(frozen=True, slots=True)
class Warm:
    """A row of scrapes: the seconds of each, CPU seconds and requests of all, and the last page."""

    seconds: list[float]
    cpu: float
    requests: Counter[str]
    page: bytes


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve an account from a process of its own, let both clients read it, and print what that took."""
    parser = argparse.ArgumentParser(prog="python -m bench.scrape", description=__doc__)
    for name in ("environments", "spaces", "guests"):
        parser.add_argument(f"--{name}", type=int, default=getattr(Size(), name))
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer (default: 0.05)")
    parser.add_argument("--scrapes", type=int, default=9, help="warm scrapes to measure (default: 9)")
    flags = parser.parse_args(arguments)
    size = Size(flags.environments, flags.spaces, flags.guests)
    print(f"Scrape of a simulated account: {size}.\nEach answer comes {flags.latency * 1000:g} ms after its request.\n")
    with simulated(size, flags.latency) as api:
        plain = SequentialClient(api.base_url, CLIENT_ID, SECRET)
        try:
            began = time.perf_counter()
            work = plain.run()
            plain_seconds = time.perf_counter() - began
        finally:
            plain.close()
        for per_second in (PER_SECOND, UNLIMITED):
            warm = _compare(api, per_second, flags.scrapes, work, plain_seconds)
    _show_requests(warm, flags.scrapes, work)
    series = sum(1 for line in warm.page.splitlines() if line and not line.startswith(b"#"))
    packed = len(gzip.compress(warm.page, 6))
    print(f"The page: {series} series, {len(warm.page) / 1000:.0f} kB, packed {packed / 1000:.0f} kB\n")


def _compare(api: Simulated, per_second: int, scrapes: int, work: Work, plain_seconds: float) -> Warm:
    intervals = ", ".join(f"{name}: {{interval: 0s}}" for name in COLLECTORS)
    more = f"collectors: {{{intervals}}}\nrequests: {{concurrency: {CONCURRENCY}, per_second: {per_second}}}\n"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        with exporting("serve", f"--config.file={file}") as exporter:
            exporter.until_answered("/-/healthy")
            before = api.counts()
            first, whole = _cold(exporter, api, int(work.found["flatfile_spaces"]))
            cold = api.counts() - before
            warm = _warm(exporter, api, scrapes, 2.5 if per_second == PER_SECOND else 0.1)
            memory, most = exporter.memory()
    found = sums(warm.page, *work.found)
    if found != work.found:
        raise SystemExit(f"the two do not agree: {found} and {work.found}")
    median = statistics.median(warm.seconds)
    limit = "as good as no limit" if per_second == UNLIMITED else f"in bursts of {2 * per_second}: the default"
    show(
        f"All intervals 0s; requests.concurrency: {CONCURRENCY}; requests.per_second: {per_second} ({limit})",
        ("", "seconds", "requests"),
        [
            ("exporter, first scrape answered (guests still being read)", f"{first:.2f}", ""),
            ("exporter, everything known, guests of all spaces too", f"{whole:.2f}", str(cold.total())),
            (f"exporter, warm scrape (median of {scrapes})", f"{median:.3f}", f"{warm.requests.total() / scrapes:.1f}"),
            ("plain sequential client, for the same numbers", f"{plain_seconds:.2f}", str(work.requests.total())),
            ("plain client / warm scrape", f"{plain_seconds / median:.0f}x", ""),
        ],
        f"warm scrapes: {min(warm.seconds):.3f} to {max(warm.seconds):.3f} s, {warm.cpu / scrapes * 1000:.0f} ms of CPU each",
        f"resident memory after them: {memory:.1f} MiB, at most {most:.1f} MiB",
        "Both found the same environments, spaces, files, agents, users, guests and memberships. The exporter knows the",
        "guests from before and asks again for spaces that change or whose turn it is; here, nothing changes.",
    )
    return warm


def _cold(exporter: Exporter, api: Simulated, spaces: int) -> tuple[float, float]:
    """Seconds of the first scrape, and until the guests of every space have been read."""
    before = api.counts()["/guests"]
    began = time.perf_counter()
    exporter.get()
    first = time.perf_counter() - began
    while api.counts()["/guests"] - before < spaces + 1:  # one that asks for the whole account comes first
        time.sleep(0.01)
    while "flatfile_guests" not in sums(exporter.get("/metrics?collect[]=guests"), "flatfile_guests"):
        time.sleep(0.01)
    return first, time.perf_counter() - began


def _warm(exporter: Exporter, api: Simulated, scrapes: int, pause: float) -> Warm:
    """Scrape again and again. In each `pause` the limiter's burst fills up, as it does between a Prometheus' scrapes."""
    cpu = sums(exporter.get(), CPU)[CPU]
    before, seconds = api.counts(), []
    for _ in range(scrapes):
        time.sleep(pause)
        began = time.perf_counter()
        page = exporter.get()
        seconds.append(time.perf_counter() - began)
    return Warm(seconds, sums(page, CPU)[CPU] - cpu, api.counts() - before, page)


def _show_requests(warm: Warm, scrapes: int, work: Work) -> None:
    rows = [
        (path, f"{warm.requests[path] / scrapes:.1f}", str(work.requests[path]), f"{work.seconds.get(path, 0):.2f}")
        for path in sorted(warm.requests | work.requests)
    ]
    show(
        "Requests by path",
        ("", "warm scrape", "plain client", "its seconds"),
        rows,
        "plain client: one connection that stays open, one request at a time, no page size (so pages of 10 or 20 rows),",
        "guests space by space; it lists the spaces once, the exporter with and without archived ones; no limit",
    )


if __name__ == "__main__":
    main()
