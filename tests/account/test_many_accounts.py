"""Many accounts in one process: a slow, broken or very large one keeps no other waiting, and they ask one after the other."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from exporter.core.clock import Clock
from exporter.exposition.families import Family
from exporter.exposition.freshness import Freshness
from exporter.web.stagger import STEP
from tests.serving import PATIENT, Served, account_lines, configuration, served
from tests.simulator.faults import Hang, Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world
from tests.web.test_app import OPENMETRICS, names, samples, value


@pytest.fixture
async def one() -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer(
        sized_world(time.time, environments=1, spaces=2, guests=2, users=3, agents=1)
    ) as running:
        yield running


@pytest.fixture
async def two() -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer(
        sized_world(time.time, environments=1, spaces=2, guests=2, users=5, agents=1)
    ) as running:
        yield running


@pytest.fixture
async def there(one: SimulatedServer, two: SimulatedServer) -> AsyncIterator[Served]:
    text = configuration(account_lines("one", one.base_url), account_lines("two", two.base_url), more=PATIENT)
    async with served(text) as running:
        yield running


async def test_an_account_that_hangs_delays_no_other_s_probe(there: Served, one: SimulatedServer) -> None:
    hang = one.faults.add("*", Hang())
    slow = asyncio.create_task(there.get("/probe?target=one", X_Prometheus_Scrape_Timeout_Seconds="250"))
    everything = asyncio.create_task(there.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="250"))
    while not hang.hits:
        await asyncio.sleep(0.001)
    page = (await there.get("/probe?target=two")).text
    assert (value(page, "flatfile_up"), value(page, "flatfile_users")) == (1, 5)
    assert not slow.done()
    assert not everything.done()
    one.faults.clear()
    assert value((await slow).text, "flatfile_users") == 3
    assert {value((await everything).text, "flatfile_users", account=name) for name in ("one", "two")} == {3, 5}


async def test_a_broken_account_spoils_no_other(there: Served, one: SimulatedServer) -> None:
    one.faults.add("*", Status(500))
    page = (await there.get("/metrics")).text
    assert [value(page, "flatfile_up", account=name) for name in ("one", "two")] == [0, 1]
    assert value(page, "flatfile_users", account="two") == 5


class Large:
    """Families that take until they are let go to be given, as those of a very large account would."""

    requires: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go_on = threading.Event()

    def families(self, db: object, fresh: Freshness) -> Iterator[Family]:
        self.begun.set()
        assert self.go_on.wait(60)
        return iter(())


async def test_a_page_that_takes_long_to_render_keeps_nobody_waiting(there: Served) -> None:
    await there.get("/metrics")
    large = Large()
    account = there.accounts.get("one")
    assert account is not None
    account._refreshes["users"].collector = large  # type: ignore[assignment]
    account._refreshes["users"].revision += 1
    try:
        long = {"X_Prometheus_Scrape_Timeout_Seconds": "100"}
        scrapes = [asyncio.create_task(there.get(path, **long)) for path in ("/metrics", "/probe?target=one")]
        await asyncio.to_thread(large.begun.wait, 60)
        assert (await there.get("/-/healthy")).status_code == 200
        assert value((await there.get("/probe?target=two")).text, "flatfile_users") == 5
        assert "process_start_time_seconds" in names((await there.get("/metrics?only=exporter")).text)
        assert not any(scrape.done() for scrape in scrapes)
    finally:
        large.go_on.set()
    assert {(await scrape).status_code for scrape in scrapes} == {200}


async def test_accounts_ask_one_after_the_other(one: SimulatedServer) -> None:
    names_ = [f"account{number}" for number in range(4)]
    text = configuration(*(account_lines(name, one.base_url) for name in names_))
    one.faults.add("/auth", Hang())
    async with served(text) as there:
        loop = asyncio.get_running_loop()
        began = loop.time()
        scrape = asyncio.create_task(there.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="100"))
        while one.count("/auth") < 4:
            await asyncio.sleep(0.001)
        assert loop.time() - began >= 3 * STEP
        one.faults.clear()
        page = (await scrape).text
        assert all(value(page, "flatfile_up", account=name) == 1 for name in names_)


async def test_who_has_nothing_to_ask_does_not_wait_for_its_turn(one: SimulatedServer) -> None:
    now = [1000.0]
    text = configuration(
        *(account_lines(f"account{number}", one.base_url) for number in range(3)),
        more="collectors: {events: {interval: 60s}}\n",
    )
    async with served(text, clock=Clock(wall=time.time, monotonic=lambda: now[0])) as there:
        await there.get("/metrics")
        one.clear()
        accounts = [*there.accounts]
        assert all(account.due_in() > 20 for account in accounts)
        await there.get("/metrics")
        assert one.count() == 0
        now[0] += 61
        assert all(account.due_in() == 0 for account in accounts)
        assert accounts[0].due_in({"users"}) == 0  # the environments', which are always asked for
        await there.get("/metrics")
        assert one.count("/environments") == 3


async def test_pages_of_all_and_of_each_say_the_same_in_both_formats(there: Served) -> None:
    await there.get("/metrics")
    for accept in ("text/plain", OPENMETRICS):
        everything = (await there.get("/metrics?collect[]=users", Accept=accept)).text
        lines = {line for line in everything.splitlines() if "account=" in line}
        probes = [
            (await there.get(f"/probe?target={name}&collect[]=users", Accept=accept)).text for name in ("one", "two")
        ]
        assert lines == {line for page in probes for line in page.splitlines() if not line.startswith("#")}
        types = [line for line in everything.splitlines() if line.startswith("# TYPE")]
        assert len(types) == len(set(types))
    assert samples((await there.get("/metrics")).text)  # no series comes twice
