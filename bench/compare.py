"""What a scrape costs as an account grows, beside a sequential client and Flatfile's own SDK, on the same account."""

import argparse
import functools
import multiprocessing
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from bench.exporting import Exporter, configuration, exporting, sums
from bench.sequential import Plain, Reader, SequentialClient, WithSdk
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show
from bench.trees import Tree, add_reference, trees

SIZES = (400, 4_000, 40_000)
COLLECTORS = ("environments", "spaces", "agents", "users", "guests", "events")
PAUSE = 1.0  # seconds between warm scrapes
WORKED_IN = 10  # spaces between two scrapes of the livelier row
MIB = 2**20
BYTES = "flatfile_exporter_api_response_bytes_total"


@dataclass(frozen=True, slots=True)
class Measured:
    """One way to read the account, once. `seconds`, `requests`, `wire_bytes` and `cpu` are of the whole account."""

    seconds: float
    requests: float
    wire_bytes: float
    cpu: float
    memory: float  # MiB, at most
    made: float  # requests that were really made, of `requests`

    def row(self, name: str) -> tuple[str, ...]:
        return (
            name,
            f"{self.seconds:.2f}",
            f"{self.requests:.1f}",
            f"{self.wire_bytes / 1000:.0f}",
            f"{self.cpu:.2f}",
            f"{self.memory:.1f}",
            f"{self.made:.0f}",
        )


CLIENTS: dict[str, tuple[str, Callable[..., Reader]]] = {
    "plain": ("plain client, pages as the server makes them", Plain),
    "sdk": ("Flatfile's SDK, pages as the server makes them", WithSdk),
    "sdk-1000": ("Flatfile's SDK, pages of 1000", functools.partial(WithSdk, page_size=1000)),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Read accounts of several sizes in each way, and print what that took and how it grows."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__)
    parser.add_argument(
        "--spaces", type=int, nargs="+", default=SIZES, help="of each account (default: 400 4000 40000)"
    )
    parser.add_argument("--environments", type=int, default=6)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds before each answer (default: 0.05)")
    parser.add_argument("--scrapes", type=int, default=9, help="warm scrapes of each kind (default: 9)")
    parser.add_argument(
        "--most", type=int, default=200, help="requests of each path that a client makes (default: 200)"
    )
    parser.add_argument("--concurrency", type=int, default=4, help="requests.concurrency (default: 4, as everywhere)")
    parser.add_argument(
        "--clients", nargs="*", choices=CLIENTS, default=[*CLIENTS], help="to compare with (default: all; may be none)"
    )
    add_reference(parser)
    flags = parser.parse_args(arguments)
    warm = []
    with trees(flags.reference) as both:
        for spaces in flags.spaces:
            warm += [(tree, spaces, *_compare(tree, spaces, flags)) for tree in both]
    for tree in both:
        _show_growth(tree, [row[1:] for row in warm if row[0] is tree])


def _compare(tree: Tree, spaces: int, flags: argparse.Namespace) -> tuple[Measured, Measured]:
    size = Size(flags.environments, spaces, guests=spaces * 9 // 4)
    with simulated(size, flags.latency) as api:
        chosen = [CLIENTS[key] for key in flags.clients]
        clients = [(name, _apart(api.base_url, reader, spaces, flags.most)) for name, reader in chosen]
        scrapes = _exporter(api, tree, flags)
    still = scrapes[0][1]
    show(
        f"{tree.name}: {size}; each answer after {flags.latency * 1000:g} ms",
        ("", "seconds", "requests", "kB", "CPU s", "MiB", "made"),
        [measured.row(name) for name, measured in [*scrapes, *clients]],
        *(f"{name}: {measured.seconds / still.seconds:.0f} warm scrapes long" for name, measured in clients),
        f"made: requests really sent, at most {flags.most} of each path; the others are reckoned like those of their path",
    )
    return scrapes[0][1], scrapes[1][1]


def _show_growth(tree: Tree, warm: Sequence[tuple[int, Measured, Measured]]) -> None:
    _, least, _ = warm[0]
    show(
        f"{tree.name}: the exporter's warm scrape as the account grows",
        ("spaces", "seconds", "requests", "of the least", "CPU ms", "MiB"),
        [
            (
                str(spaces),
                f"{still.seconds:.3f}",
                f"{still.requests:.1f}",
                f"{still.requests / least.requests:.2f}x",
                f"{still.cpu * 1000:.0f}",
                f"{still.memory:.1f}",
            )
            for spaces, still, _ in warm
        ],
    )


def _exporter(api: Simulated, tree: Tree, flags: argparse.Namespace) -> list[tuple[str, Measured]]:
    intervals = ", ".join(f"{name}: {{interval: 0s}}" for name in COLLECTORS)
    more = (
        f"collectors: {{{intervals}, jobs: {{enabled: false}}, executions: {{enabled: false}}}}\n"
        f"requests: {{per_second: 10000, concurrency: {flags.concurrency}}}\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        with exporting("serve", f"--config.file={file}", tree=tree) as exporter:
            exporter.until_answered("/-/healthy")
            api.set_latency(0.0)  # the first reading of the guests is long enough
            while "flatfile_guests" not in sums(exporter.get(), "flatfile_guests"):
                time.sleep(1)
            api.set_latency(flags.latency)
            exporter.get()
            return [
                ("exporter, warm scrape", _warm(exporter, api, flags.scrapes, 0)),
                (f"exporter, {WORKED_IN} spaces worked in before", _warm(exporter, api, flags.scrapes, WORKED_IN)),
            ]


def _warm(exporter: Exporter, api: Simulated, scrapes: int, worked_in: int) -> Measured:
    before, sent, cpu = api.counts().total(), sums(exporter.get(), BYTES)[BYTES], exporter.cpu()
    seconds = []
    for _ in range(scrapes):
        api.work(worked_in)
        time.sleep(PAUSE)
        began = time.perf_counter()
        page = exporter.get()
        seconds.append(time.perf_counter() - began)
    spent = exporter.cpu() - cpu
    requests = (api.counts().total() - before) / (scrapes + 1)  # the page for `sent` is one more
    wire = (sums(page, BYTES)[BYTES] - sent) / scrapes
    return Measured(statistics.median(seconds), requests, wire, spent / scrapes, exporter.memory()[1], requests)


def _apart(base_url: str, reader: Callable[..., Reader], spaces: int, most: int) -> Measured:
    """Run a client in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_client, args=(theirs, base_url, reader, spaces, most))
    process.start()
    try:
        measured: Measured = ours.recv()
        return measured
    finally:
        process.join()


def _client(connection: Connection, base_url: str, reader: Callable[..., Reader], spaces: int, most: int) -> None:
    client = SequentialClient(base_url, CLIENT_ID, SECRET, reader, most)
    cpu = time.process_time()
    began = time.perf_counter()
    work = client.run()
    took, spent = time.perf_counter() - began, time.process_time() - cpu
    client.close()
    client.leave("/guests", spaces - work.requests["/guests"])
    seconds = work.whole(work.seconds)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MIB
    connection.send(
        Measured(
            seconds,
            work.requests.total() + work.left.total(),
            work.whole(work.wire_bytes),
            spent * seconds / took,
            memory,
            work.requests.total(),
        )
    )


if __name__ == "__main__":
    main()
