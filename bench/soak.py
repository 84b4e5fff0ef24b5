"""A long life in a short time: whether memory, open files, threads, asyncio tasks and objects stay what they are.

Two exporters, one of them with --storage.path, are scraped several times a second with all intervals at 0s, while the account
that they read changes all the time: events, spaces, guests, agents, users and environments come and go, tokens end after
seconds, answers go wrong in every way, the configuration is changed and reloaded, and clients hang up before they are answered.
"""

import argparse
import contextlib
import json
import signal
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from bench import watched
from bench.busy import busy
from bench.exporting import SCRAPE_TIMEOUT, Exporter, exporting
from bench.table import show
from exporter.demo.accounts import CLIENT_ID, SECRET

COLLECTORS = ("environments", "spaces", "agents", "users", "guests", "events", "executions", "jobs")
SETTLED = 10 * 60.0  # seconds after which everything is to be flat
RELOAD_EVERY = 5.0  # seconds
CONFIGURATIONS = 4  # one after the other; what is measured is always the last moment of the first one
TIMEOUT = 2  # seconds that a scrape is given: less than what hangs takes
SCRAPES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/metrics", {}),
    ("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}),
    ("/probe?target=bench", {}),
    ("/metrics?collect[]=events&collect[]=spaces", {"Accept-Encoding": "gzip"}),
    ("/", {}),
    ("/sd", {}),
    ("/metrics?only=exporter", {}),
)
FIGURES = ("resident MiB", "objects", "tasks", "threads", "open files", "series")


@dataclass(slots=True)
class Soaked:
    """One exporter, its configuration, and what was seen of it: seconds since the start and `FIGURES`."""

    name: str
    exporter: Exporter
    config: Path
    told: Path
    points: list[tuple[float, ...]] = field(default_factory=list)
    censuses: list[Counter[str]] = field(default_factory=list)

    def tell(self, number: signal.Signals) -> dict[str, Any]:
        """Let it tell of itself (`bench.watched`)."""
        self.told.unlink(missing_ok=True)
        self.exporter.process.send_signal(number)
        until = time.monotonic() + 30
        while not self.told.exists():
            if time.monotonic() > until:
                raise RuntimeError("the exporter does not tell of itself")
            time.sleep(0.01)
        answer: dict[str, Any] = json.loads(self.told.read_text())
        return answer

    def measure(self, at: float) -> None:
        """Note how it is now."""
        told = self.tell(signal.SIGUSR1)
        folder = Path(f"/proc/{self.exporter.process.pid}")
        page = self.exporter.get("/metrics", {"X-Prometheus-Scrape-Timeout-Seconds": str(TIMEOUT)})
        series = sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))
        resident, _ = self.exporter.memory()
        threads, files = (float(len([*(folder / what).iterdir()])) for what in ("task", "fd"))
        figures = (float(told["objects"]), float(told["tasks"]), threads, files, float(series))
        self.points.append((at, resident, *figures))
        text = " ".join(f"{value:12.0f}" for value in figures)
        print(f"{self.name:20} {at:8.0f} {resident:12.2f} {text}", flush=True)

    def take_census(self) -> None:
        """Count its objects by type, when what is garbage has gone."""
        self.censuses.append(Counter(self.tell(signal.SIGUSR2)["types"]))


def main(arguments: Sequence[str] | None = None) -> None:
    """Soak two exporters and print what they took, as it goes and in the end."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=4, help="how long (default: 4)")
    parser.add_argument("--per-second", type=float, default=3, help="scrapes a second of each (default: 3)")
    parser.add_argument("--no-faults", action="store_true", help="all goes well")
    parser.add_argument("--no-reloads", action="store_true", help="the configuration stays what it is")
    flags = parser.parse_args(arguments)
    with contextlib.ExitStack() as stack:
        base_url, told = stack.enter_context(busy(1, faults=not flags.no_faults))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ways = {"memory alone": (), "with --storage.path": (f"--storage.path={folder / 'state'}",)}
        soaked: list[Soaked] = []
        for name, more in ways.items():
            config, answer = folder / f"{len(soaked)}.yaml", folder / f"{len(soaked)}.json"
            config.write_text(_configuration(base_url, 0))
            command = ("serve", f"--config.file={config}", *more)
            env = {watched.FILE: str(answer)}
            exporter = stack.enter_context(exporting(*command, program="watched", quiet=True, env=env))
            exporter.until_answered("/-/healthy")
            soaked.append(Soaked(name, exporter, config, answer))
        cpu = [each.exporter.cpu() for each in soaked]
        seconds, scrapes, reloads = _run(soaked, base_url, flags)
        taken = [each.exporter.cpu() - before for each, before in zip(soaked, cpu, strict=True)]
        happened = told()
    print()
    start = SETTLED if seconds >= 1.5 * SETTLED else seconds / 2
    for each, spent in zip(soaked, taken, strict=True):
        _show(each, start, f"{spent / scrapes * 1000:.0f} ms of CPU for each scrape")
    print(
        f"  {seconds / 60:.0f} minutes: {scrapes} scrapes of each exporter (as many as in {scrapes / 120:.0f} hours at one in "
        f"30 s), {reloads} reloads,\n  "
        + ", ".join(f"{number} {what}" for what, number in happened.items())
        + " in the account at the end\n"
    )


def _run(soaked: Sequence[Soaked], base_url: str, flags: argparse.Namespace) -> tuple[float, int, int]:
    began = time.monotonic()
    end = began + flags.minutes * 60
    next_reload = began + RELOAD_EVERY
    half = began + (SETTLED if flags.minutes * 60 >= 1.5 * SETTLED else flags.minutes * 30)
    scrapes = turns = 0
    print(f"{'exporter':20} {'seconds':>8} {' '.join(f'{name:>12}' for name in FIGURES)}")
    ways = cycle(SCRAPES)
    while (now := time.monotonic()) < end:
        path, headers = next(ways)
        for each in soaked:
            each.exporter.get(path, {"X-Prometheus-Scrape-Timeout-Seconds": str(TIMEOUT), **headers})
        scrapes += 1
        if scrapes % 10 == 0:
            for each in soaked:
                _hang_up(each.exporter.port)
        if now >= next_reload:
            next_reload = now + RELOAD_EVERY
            if turns % CONFIGURATIONS == 0:
                _each(soaked, lambda each: each.measure(time.monotonic() - began))
                if now >= half and not soaked[0].censuses:
                    _each(soaked, Soaked.take_census)
            turns += 1
            if not flags.no_reloads:
                _reload(soaked, base_url, turns)
        time.sleep(max(0.0, 1 / flags.per_second - (time.monotonic() - now)))
    if not soaked[0].censuses:
        _each(soaked, Soaked.take_census)
    if turns % CONFIGURATIONS:
        _reload(soaked, base_url, 0)
        time.sleep(1)
        for each in [*soaked] * 10:
            each.exporter.get()
    _each(soaked, lambda each: each.measure(time.monotonic() - began))
    _each(soaked, Soaked.take_census)
    return time.monotonic() - began, scrapes, 0 if flags.no_reloads else turns


def _reload(soaked: Sequence[Soaked], base_url: str, number: int) -> None:
    for each in soaked:
        each.config.write_text(_configuration(base_url, number))
        each.exporter.process.send_signal(signal.SIGHUP)


def _each(soaked: Sequence[Soaked], do: Callable[[Soaked], None]) -> None:
    for each in soaked:
        do(each)


def _configuration(base_url: str, number: int) -> str:
    """A configuration that differs from the one before: in the accounts, in a setting, or in that it is wrong."""
    one = "{{name: {}, base_url: '{}', auth: {{client_id: {}, client_secret: {}}}{}}}"
    accounts = [one.format("bench", base_url, CLIENT_ID, SECRET, "")]
    if number % CONFIGURATIONS == 1:
        accounts.append(one.format("other", base_url, CLIENT_ID, SECRET, ", collectors: {guests: {enabled: false}}"))
    if number % CONFIGURATIONS == 2:
        accounts[0] = one.format("bench", base_url, CLIENT_ID, SECRET, f", events: {{window: {4 + number % 3}m}}")
    if number % CONFIGURATIONS == 3:
        return "accounts: [{nme: wrong}]\n"
    intervals = ", ".join(f"{name}: {{interval: 0s}}" for name in COLLECTORS)
    return (
        f"accounts: [{', '.join(accounts)}]\ncollectors: {{{intervals}}}\nspaces: {{per_space: true}}\n"
        f"requests: {{per_second: 1000, timeout: 3s}}\n"
    )


def _hang_up(port: int) -> None:
    """Ask, and go before the answer comes."""
    with socket.create_connection(("127.0.0.1", port), timeout=SCRAPE_TIMEOUT) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")


def _show(each: Soaked, start: float, note: str) -> None:
    late = [point for point in each.points if point[0] >= start] or each.points[-1:]  # a busy machine measures late
    rows = [
        (
            name,
            *(f"{late[place][column]:.1f}" for place in (0, -1)),
            *(f"{pick(point[column] for point in late):.1f}" for pick in (min, max)),
            f"{_slope([(point[0], point[column]) for point in late]) * 3600:+.1f}",
        )
        for column, name in enumerate(FIGURES, start=1)
    ]
    show(
        f"{each.name}: from minute {start / 60:.0f} on",
        ("", "first", "last", "least", "most", "slope in an hour"),
        rows,
        note,
        f"objects that are no garbage: {_grown(*each.censuses)}",
    )


def _grown(first: Counter[str], last: Counter[str]) -> str:
    most = (last - first).most_common(4)
    return f"{first.total()} then, {last.total()} in the end; " + ", ".join(
        f"{name} {number:+}" for name, number in most
    )


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line that fits best, a second."""
    if len(points) < 2:
        return 0.0
    mean_x, mean_y = (sum(point[place] for point in points) / len(points) for place in (0, 1))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread


if __name__ == "__main__":
    main()
