"""How many requests an hour costs with the default intervals, by account: counted over an hour of a clock that is set on."""

import argparse
import asyncio
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.exporting import configuration
from bench.simulated import CLIENT_ID, SECRET, Size, world_of
from bench.table import show
from exporter.account.account import Account
from exporter.config import load
from exporter.core.clock import Clock
from exporter.demo.accounts import demo_world
from exporter.demo.life import Life
from exporter.exposition.text import Format, render
from exporter.flatfile.connect import connect
from tests.simulator.server import SimulatedServer

HOUR = 3600.0
START = 1_700_000_000.0  # unix seconds
SIZES = (Size(1, 10, 20, 5, 60), Size(3, 50, 100, 20, 600), Size(), Size(20, 5000, 10000, 200, 6000))


class SetTime:
    """A time that goes on only when it is told to, in seconds."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.clock = Clock(wall=lambda: START + self.passed, monotonic=lambda: self.passed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Count for accounts of several sizes, and for the demo account, whose events never stop."""
    parser = argparse.ArgumentParser(prog="python -m bench.requests", description=__doc__)
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between scrapes (default: 30)")
    parser.add_argument("--sizes", type=int, default=len(SIZES), help="how many of the sizes, smallest first")
    parser.add_argument("--spaces", type=int, nargs="+", help="accounts of 6 environments with so many spaces instead")
    parser.add_argument("--more", default="", help="lines of YAML that are added to the configuration")
    flags = parser.parse_args(arguments)
    sizes: Sequence[Size | None] = (None, *SIZES[: flags.sizes])
    if flags.spaces:
        sizes = [Size(6, spaces, spaces * 9 // 4) for spaces in flags.spaces]
    hours = [asyncio.run(_hour(size, flags.interval, flags.more)) for size in sizes]
    show(
        f"Requests of an hour in the steady state, default intervals, a scrape every {flags.interval:g} s",
        ("environments/spaces/guests", "first pass", "an hour", "a second", "series"),
        [
            (hour.name, str(hour.first), str(hour.spent.total()), f"{hour.spent.total() / HOUR:.2f}", str(hour.series))
            for hour in hours
        ],
        "first pass: until every number is known, guests of all spaces too. The API gives guests space by space here.",
        "In the demo account guests come and go; in the others nothing happens.",
    )
    paths = sorted({path for hour in hours for path in hour.spent})
    show(
        "The same by path",
        ("environments/spaces/guests", *paths),
        [(hour.name, *(str(hour.spent[path]) for path in paths)) for hour in hours],
    )


@dataclass(frozen=True, slots=True)
class Hour:
    """The requests of an account until all is known, and of an hour after that by path."""

    name: str
    first: int
    spent: Counter[str]
    series: int


async def _hour(size: Size | None, interval: float, more: str) -> Hour:
    time = SetTime()
    clock = time.clock
    if size is None:
        world = demo_world(clock.wall, 1)
        life = Life(world, 1)
    else:
        world = world_of(size, clock.wall)
        life = None
    async with SimulatedServer(world, life=life) as api:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "config.yaml")
            file.write_text(configuration(api.base_url, CLIENT_ID, SECRET, f"requests: {{per_second: 1000}}\n{more}\n"))
            account = Account(load(file).accounts[0], connect, clock)
        try:
            first = await _whole(account, api)
            before = Counter(request.endpoint for request in api.requests)
            for _ in range(round(HOUR / interval)):
                time.passed += interval
                await _scraped(account)
            spent = Counter(request.endpoint for request in api.requests) - before
            page = render(await account.families(), Format.TEXT_0_0_4).body
            series = sum(not line.startswith(b"#") for line in page.splitlines())
        finally:
            await account.aclose()
    name = f"{len(world.environments)}/{len(world.spaces)}/{len(world.guests)}"
    return Hour(name, first, spent, series)


async def _whole(account: Account, api: SimulatedServer) -> int:
    """Scrape until all is known, and count the requests."""
    await _scraped(account)
    return api.count()


async def _scraped(account: Account) -> None:
    """Scrape, and wait for what goes on in the background."""
    await account.refresh(asyncio.get_running_loop().time() + 600)
    while any(status.running for status in account.status()):
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    main()
