"""Whether an exporter with --storage.path that is killed (SIGKILL) again and again while it writes counts each event once."""

import argparse
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from bench.exporting import configuration, sums
from bench.simulated import CLIENT_ID, SECRET, Simulated, Size, simulated
from bench.table import show
from bench.trees import HERE, Tree, add_reference, trees
from tests.ports import free_port

SIZE = Size(environments=4, spaces=0, guests=0, users=1, events=0, agents=0)
COLLECTORS = ("spaces", "agents", "users", "guests", "executions", "jobs")  # disabled: a scrape is events alone
TOTAL = "flatfile_events_total"
MAX_START = 60.0  # seconds
HEADERS = {"X-Prometheus-Scrape-Timeout-Seconds": "30"}


class Forked:
    """One exporter after the other, each a fork of a process that has imported everything."""

    def __init__(self, tree: Tree, config: Path, storage: Path) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FLATFILE_")}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(HERE / "bench" / "forking.py")],
            env=environment | {"PYTHONPATH": str(tree.path)},
            cwd=tree.path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._arguments = ["serve", f"--config.file={config}", f"--storage.path={storage}"]
        self._port = self._pid = 0
        self._read()

    def _read(self) -> str:
        if self._process.stdout is None or not (line := self._process.stdout.readline()):
            raise RuntimeError("the process that forks has ended")
        return line.strip()

    def start(self) -> None:
        """Start one, and wait until it answers."""
        self._port = free_port()
        if self._process.stdin is None:
            raise RuntimeError("no pipe")
        self._process.stdin.write(json.dumps([*self._arguments, f"--web.listen-address=127.0.0.1:{self._port}"]) + "\n")
        self._process.stdin.flush()
        self._pid = int(self._read())
        until = time.monotonic() + MAX_START
        while True:
            with contextlib.suppress(OSError):
                self.get("/-/healthy")
                return
            if time.monotonic() > until:
                raise RuntimeError("the exporter does not start")
            time.sleep(0.005)

    def get(self, path: str = "/metrics") -> bytes:
        """Ask for a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            connection.request("GET", path, headers=HEADERS)
            return connection.getresponse().read()
        finally:
            connection.close()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """End it, and wait until it has ended."""
        os.kill(self._pid, number)
        self._read()

    def close(self) -> None:
        """End the process that forks."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Kill exporters and print how many events there were and how many are counted."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many (default: 200)")
    parser.add_argument("--minutes", type=float, default=5, help="for each revision, at most (default: 5)")
    parser.add_argument("--seed", type=int, default=1)
    add_reference(parser)
    flags = parser.parse_args(arguments)
    with trees(flags.reference) as both:
        rows = [_row(tree, flags.kills, flags.minutes * 60, random.Random(flags.seed)) for tree in both]
    show(
        "Events counted by exporters that are killed",
        ("", "kills", "of them in a scrape", "events", "counted", "wrong"),
        rows,
        "each is scraped without a pause while events happen, and killed at a random moment within three scrapes",
    )


def _row(tree: Tree, kills: int, seconds: float, rng: random.Random) -> tuple[str, ...]:
    with simulated(SIZE, 0.0) as api, tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "config.yaml")
        disabled = ", ".join(f"{name}: {{enabled: false}}" for name in COLLECTORS)
        more = f"collectors: {{events: {{interval: 0s}}, {disabled}}}\nrequests: {{per_second: 10000}}\n"
        config.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        exporter = Forked(tree, config, Path(folder, "state"))
        try:
            exporter.start()
            exporter.get()
            began = time.monotonic()
            exporter.get()
            took = time.monotonic() - began
            done = within = 0
            while done < kills and time.monotonic() < began + seconds:
                within += _kill(exporter, api, rng.uniform(0, 3 * took), rng)
                done += 1
                exporter.start()
            exporter.get()
            counted = sums(exporter.get(), TOTAL).get(TOTAL, 0.0)
            exporter.kill(signal.SIGTERM)
        finally:
            exporter.close()
        events = api.emitted()
    return tree.name, str(done), str(within), str(events), f"{counted:.0f}", f"{counted - events:+.0f}"


def _kill(exporter: Forked, api: Simulated, wait: float, rng: random.Random) -> bool:
    """Let events happen while it is scraped, and kill it; return whether a scrape was under way."""
    under_way, over = threading.Event(), threading.Event()

    def scrape() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while not over.is_set():
                under_way.set()
                exporter.get()
                under_way.clear()

    scraping = threading.Thread(target=scrape)
    api.emit(rng.randint(1, 20))
    scraping.start()
    until = time.monotonic() + wait
    while (left := until - time.monotonic()) > 0:
        api.emit(1)
        time.sleep(min(left, 0.01))
    caught = under_way.is_set()
    over.set()
    exporter.kill()
    scraping.join()
    return caught


if __name__ == "__main__":
    main()
