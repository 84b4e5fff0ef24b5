"""What a very large account takes: memory and CPU of the exporter from its start until everything is known, and after that."""

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.exporting import Exporter, configuration, exporting, sums
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show
from bench.trees import Tree, add_reference, trees

MIB = 2**20
WORKED_IN = 10  # spaces between two scrapes, when all is known
COUNTED = {
    "flatfile_spaces": "spaces",
    "flatfile_guests": "guests",
    "flatfile_agents": "agents",
    "flatfile_users": "users",
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Let an exporter read such an account to its end, scrape it for a while, and print memory and CPU of each part."""
    parser = argparse.ArgumentParser(prog="python -m bench.large", description=__doc__)
    parser.add_argument("--environments", type=int, default=20)
    parser.add_argument("--spaces", type=int, default=100_000)
    parser.add_argument("--guests", type=int, default=400_000, help="each fourth of them is in two spaces")
    parser.add_argument("--agents", type=int, default=1000, help="in all environments together")
    parser.add_argument("--source", type=int, default=MIB, help="bytes of each agent's program (default: 1 MiB)")
    parser.add_argument("--history", type=int, default=1_000_000, help="events of the 90 days before")
    parser.add_argument("--steady", type=float, default=120, help="seconds of scrapes when all is known (default: 120)")
    parser.add_argument("--per-second", type=float, default=2000, help="requests.per_second (default: 2000)")
    parser.add_argument("--concurrency", type=int, default=4, help="requests.concurrency (default: 4, as everywhere)")
    parser.add_argument(
        "--storage", choices=("both", "yes", "no"), default="both", help="--storage.path (default: both)"
    )
    add_reference(parser)
    flags = parser.parse_args(arguments)
    size = Size(
        environments=flags.environments,
        spaces=flags.spaces,
        guests=flags.guests,
        users=1000,
        events=2000,
        agents=flags.agents // flags.environments,
        source_bytes=flags.source,
        history=flags.history,
    )
    print(f"A simulated account: {size},\nof {flags.source / MIB:g} MiB each; {flags.history} events before that\n")
    with simulated(size, 0.0) as api, trees(flags.reference) as both:
        for tree in reversed(both):  # this tree first: the other may take long
            for stored in (False, True) if flags.storage == "both" else (flags.storage == "yes",):
                _measure(api, tree, flags, stored=stored)


def _measure(api: Simulated, tree: Tree, flags: argparse.Namespace, *, stored: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "config.yaml")
        more = f"requests: {{per_second: {flags.per_second}, concurrency: {flags.concurrency}}}\n"
        file.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        storage = (f"--storage.path={folder}/state",) if stored else ()
        with exporting("serve", f"--config.file={file}", *storage, tree=tree) as exporter:
            exporter.until_answered("/-/healthy")
            rows = [_row("started", exporter, 0, 0.0)]
            rows += _first(exporter, api, flags.spaces)
            rows += _steady(exporter, api, flags.steady)
            found = sums(exporter.get(), *COUNTED)
        on_disk = sum(each.stat().st_size for each in Path(folder).rglob("state/**/*") if each.is_file()) / MIB
    show(
        f"{tree.name}, {'with --storage.path' if stored else 'in memory'}: "
        "resident MiB at the end of each part and the most within it",
        ("", "seconds", "end", "most", "CPU s", "requests"),
        rows,
        f"requests.per_second: {flags.per_second:g} (the first reading takes {flags.spaces / 10 / 3600:.1f} hours at the "
        "default of 10); scrapes each second",
        "found in the end: " + ", ".join(f"{found.get(name, 0):.0f} {what}" for name, what in COUNTED.items()),
        *((f"on disk: {on_disk:.1f} MiB",) if stored else ()),
    )


class _Most:
    """The most memory there is, MiB, looked at often."""

    def __init__(self, exporter: Exporter) -> None:
        self.most = 0.0
        self._exporter = exporter

    @contextlib.contextmanager
    def watched(self) -> Iterator["_Most"]:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(0.01):
                self.most = max(self.most, self._exporter.memory()[0])

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield self
        finally:
            over.set()
            thread.join()


def _row(
    name: str, exporter: Exporter, sent: int, began: float, most: float = 0.0, cpu: float = 0.0
) -> tuple[str, ...]:
    now, peak = exporter.memory()
    seconds = "" if not began else f"{time.monotonic() - began:.0f}"
    return name, seconds, f"{now:.1f}", f"{most or peak:.1f}", f"{exporter.cpu() - cpu:.1f}", str(sent)


def _first(exporter: Exporter, api: Simulated, spaces: int) -> Iterator[tuple[str, ...]]:
    began, cpu, sent = time.monotonic(), exporter.cpu(), api.counts().total()
    with _Most(exporter).watched() as watch:
        while "flatfile_spaces" not in sums(exporter.get(), "flatfile_spaces"):
            time.sleep(1)
    yield _row("all spaces read", exporter, api.counts().total() - sent, began, watch.most, cpu)
    began, cpu, sent = time.monotonic(), exporter.cpu(), api.counts().total()
    with _Most(exporter).watched() as watch:
        while "flatfile_guests" not in sums(exporter.get(), "flatfile_guests"):
            time.sleep(1)
            _progress(api.counts().total() - sent, spaces)
    yield _row("all guests read, space by space", exporter, api.counts().total() - sent, began, watch.most, cpu)


def _steady(exporter: Exporter, api: Simulated, seconds: float) -> Iterator[tuple[str, ...]]:
    for name, worked_in in (
        ("steady, nothing happens", 0),
        (f"steady, work in {WORKED_IN} spaces a second", WORKED_IN),
    ):
        began, cpu, sent = time.monotonic(), exporter.cpu(), api.counts().total()
        with _Most(exporter).watched() as watch:
            while time.monotonic() < began + seconds / 2:
                api.work(worked_in)
                exporter.get()
                time.sleep(1)
        yield _row(name, exporter, api.counts().total() - sent, began, watch.most, cpu)


def _progress(done: int, spaces: int) -> None:
    if sys.stdout.isatty():
        print(f"\r{done} of {spaces} spaces asked for their guests ", end="\r" if done < spaces else "\n", flush=True)


if __name__ == "__main__":
    main()
