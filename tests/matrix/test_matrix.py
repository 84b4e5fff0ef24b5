"""Every fault at every endpoint, before the first success and in the steady state, to the real process; and its end."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from exporter.demo.accounts import SECRET
from tests.e2e.process import ANY_PORT, Exporter, exporter
from tests.serving import configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW

from . import record, resolver
from .cells import SETTLE, STARTS, Cell, Result, Scrape, Truth
from .hosts import HostCell, authority
from .page import Page
from .trials import ELSEWHERE, HOST, HOST_TRIALS, MAX_RESPONSE_MIB, NOT_APPLICABLE, TRIALS, asked, collector_of, paths
from .world import sums

MEBIBYTE = 1 << 20
SIDE_BY_SIDE = 8  # scrapes at a time
IN_TIME = 120.0  # seconds that the scraper waits, as it says itself
ONE_ANSWER = MAX_RESPONSE_MIB * MEBIBYTE
WARNINGS = {"PYTHONWARNINGS": "error,ignore::ResourceWarning"}
"""Where a name has two addresses and one of them is slow, anyio leaves a socket to be closed by the garbage collector."""
USUAL = 60 * MEBIBYTE  # what many accounts with small answers may take


@contextlib.asynccontextmanager
async def scraping(running: Exporter) -> AsyncIterator[Scrape]:
    """Gives what scrapes one account; no answer in time, or another one than 200, is an error."""
    header = {"X-Prometheus-Scrape-Timeout-Seconds": f"{IN_TIME:g}"}
    turn = asyncio.Semaphore(SIDE_BY_SIDE)
    async with httpx.AsyncClient(base_url=running.url, timeout=IN_TIME, headers=header, trust_env=False) as client:

        async def scrape(account: str) -> Page:
            async with turn:
                answer = await client.get("/probe", params={"target": account})
            assert answer.status_code == 200, answer.text
            return Page(answer.text, account)

        yield scrape


@pytest.fixture
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this run keeps what it has seen: one directory for all of its processes."""
    base = tmp_path_factory.getbasetemp()
    directory = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "matrix"
    directory.mkdir(exist_ok=True)
    return directory


def document(seen: Path, case: str, results: list[Result]) -> None:
    """Keep what was seen; the last case of a whole run writes docs/reliability.md."""
    record.keep(seen, case, results)
    everything = record.all_kept(seen, cases=len(paths()) + 1)
    if everything is not None:
        record.write(everything, strict=bool(os.environ.get("CI")))


@pytest.mark.parametrize("path", paths())
async def test_every_fault(path: str, tmp_path: Path, seen: Path) -> None:
    collector_of(path)
    zero = time.monotonic()
    cells = [
        Cell(path, trial, start, lambda: FIXED_NOW + time.monotonic() - zero)
        for trial in TRIALS
        for start in STARTS
        if asked(path, start) and trial.expected(path) != NOT_APPLICABLE
    ]
    document(seen, path, await hold(cells, tmp_path))


async def test_a_host_that_cannot_be_reached(tmp_path: Path, seen: Path) -> None:
    zero = time.monotonic()
    no_names, ca_file = tmp_path / "no-names", tmp_path / "ca.pem"
    no_names.write_text("")
    authority("ours").cert_pem.write_to_path(str(ca_file))
    cells: list[Cell] = [
        HostCell(HOST, trial, start, lambda: FIXED_NOW + time.monotonic() - zero, no_names=no_names, ca_file=ca_file)
        for trial in HOST_TRIALS
        for start in STARTS
    ]
    program = ("-P", str(Path(resolver.__file__)), str(no_names))
    document(seen, HOST, await hold(cells, tmp_path, program))


async def hold(cells: list[Cell], directory: Path, program: tuple[str, ...] = ("-m", "exporter")) -> list[Result]:
    """Run the cells; AssertionError with all that did not hold."""
    results = await run(cells, directory, program)
    problems = [f"{cell.name}: {problem}" for cell in cells for problem in cell.problems]
    assert not problems, f"{len(problems)} problems\n" + "\n".join(problems[:50])
    return results


async def run(cells: list[Cell], directory: Path, program: tuple[str, ...]) -> list[Result]:
    """Run the cells on one exporter: the light ones side by side, then those that weigh, one by one."""
    untouched = Cell("", None, "steady", cells[0].clock)
    async with contextlib.AsyncExitStack() as stack:
        elsewhere = await stack.enter_async_context(SimulatedServer(untouched.world, host=ELSEWHERE))
        for cell in (untouched, *cells):
            await stack.enter_async_context(cell.api)
        file = directory / "config.yaml"
        file.write_text(configuration(*(cell.lines() for cell in (untouched, *cells)), more=""), encoding="utf-8")
        process = exporter(f"--config.file={file}", ANY_PORT, program=program, env=WARNINGS)
        running = stack.enter_context(process).listens()
        at = cells[0].clock() + SETTLE
        scrape = await stack.enter_async_context(scraping(running))
        bases = await asyncio.gather(*(cell.first(scrape) for cell in cells))
        old = await scrape(untouched.name)
        held = sums(untouched.world, at)
        assert {name: old.sums()[name] for name in held} == held, "the page is not what the account holds"
        await asyncio.sleep(at + SETTLE - cells[0].clock())  # until everybody agrees that `at` has passed
        untouched.change(at)
        await scrape(untouched.name)
        truth = Truth(old, await scrape(untouched.name))  # of the second scrape, for what comes late
        held = sums(untouched.world, at)
        assert {name: truth.new.sums()[name] for name in held} == held, "the page is not what the account holds"
        begun = running.resident_bytes

        async def rest(cell: Cell, base: Page | None) -> Result:
            return await cell.rest(scrape, base, truth, elsewhere.base_url, at)

        pairs = list(zip(cells, bases, strict=True))
        results = await asyncio.gather(*(rest(*pair) for pair in pairs if not pair[0].trial.heavy))
        assert running.peak_bytes < begun + USUAL
        for cell, base in pairs:
            if cell.trial.heavy:
                before = running.resident_bytes
                forget_peak(running)
                cell.api.clear()
                results.append(await rest(cell, base))
                grown = running.peak_bytes - before
                if grown > cell.api.most_in_flight * ONE_ANSWER * 1.25 + USUAL:
                    cell.problems.append(f"it grew by {grown / MEBIBYTE:.0f} MiB")
        assert not elsewhere.connections_opened, "a redirect was followed"
        assert running.get("/-/healthy").status_code == 200
        assert "Traceback" not in running.text
        assert SECRET not in running.text
    return results


def forget_peak(running: Exporter) -> None:
    """The most memory that it ever held counts from now on (proc(5), clear_refs)."""
    Path(f"/proc/{running.process.pid}/clear_refs").write_text("5", encoding="ascii")
