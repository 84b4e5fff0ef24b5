"""An account at run time: refresh on request, what it costs, what is shown, and how it ends."""

import asyncio
import logging
import subprocess
import sys
from pathlib import Path

import pytest

from exporter.collectors import REGISTRY
from exporter.core.logs import LogfmtFormatter
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.markers import MARKERS
from exporter.demo.world import World
from exporter.flatfile.errors import REASONS
from tests.collectors.exported import Exported, Time, settled
from tests.simulator.faults import Hang, NotJson, Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world, sized_world

ENVIRONMENT_WISE = set(REGISTRY)


def off(*names: str) -> str:
    return "collectors: {" + ", ".join(f"{name}: {{enabled: false}}" for name in names) + "}"


@pytest.fixture
def time() -> Time:
    return Time()


async def test_any_number_of_scrapes_at_once_cost_one_refresh_and_one_token(time: Time) -> None:
    world = sized_world(time, environments=2, spaces=4, guests=0)
    async with Exported(world, time) as alone:
        await alone.scrape()
        expected = dict(alone.api._counts)
    async with Exported(world, time) as exported:
        loop = asyncio.get_running_loop()
        complete = await asyncio.gather(*(exported.account.refresh(loop.time() + 60) for _ in range(20)))
        assert complete == [True] * 20
        assert dict(exported.api._counts) == expected
        assert exported.api._counts["/environments"] == exported.api._counts["/users"] == 1


async def test_the_token_is_exchanged_once_for_all(time: Time) -> None:
    world = sized_world(time, environments=3, spaces=4, guests=0)
    async with Exported(world, time, auth=f"{{client_id: {CLIENT_ID}, client_secret: {SECRET}}}") as exported:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(exported.account.refresh(loop.time() + 60) for _ in range(20)))
        assert exported.api.count("/auth") == 1
        assert (await exported.shown())["exporter_token_expiry_timestamp_seconds"] == {(): time() + 86400}


async def test_a_static_token_has_no_end(time: Time) -> None:
    async with Exported(World(time), time) as exported:
        assert not (await exported.scrape())["exporter_token_expiry_timestamp_seconds"]


async def test_nothing_is_asked_unless_a_scrape_comes_and_something_is_due(time: Time) -> None:
    async with Exported(fixed_world(time), time, "collectors: {events: {interval: 15s}}") as exported:
        (await exported.shown())
        exported.account.status()
        assert exported.api.count() == 0
        await exported.scrape()
        exported.api.clear()
        await exported.later(10)
        assert exported.api.count() == 0
        await exported.later(5)
        assert set(exported.api._counts) == {"/events"}
        await exported.later(15)
        assert set(exported.api._counts) == {"/events", "/agents/executions"}
        await exported.later(30)
        half = {"/events", "/agents/executions"}
        assert set(exported.api._counts) == half | {"/environments", "/spaces", "/jobs"}


async def test_at_the_deadline_the_answer_is_what_is_known_and_the_rest_goes_on(time: Time) -> None:
    world = fixed_world(time)
    async with Exported(world, time) as exported:
        loop = asyncio.get_running_loop()
        rule = exported.api.faults.add("/agents", Hang())
        await exported.scrape({"environments"})
        assert await exported.account.refresh(loop.time() + 0.2, REGISTRY.keys() - {"users"}) is False
        page = await exported.shown()
        assert page["environments"]
        assert not page["agents"]
        assert page.ok("agents") is None
        assert page["exporter_collector_duration_seconds"].keys().isdisjoint({("agents",)})
        assert await exported.account.refresh(loop.time() - 1) is False  # no time at all: what is known, at once
        exported.api.faults.remove(rule)
        await settled(exported.account)
        page = await exported.shown()
        assert page["agents"]
        assert page.ok("agents") == 1
        assert len([q for q in exported.asked("/agents") if q["environmentId"] == "us_env_9f2kQw1d"]) == 1


async def test_the_account_is_down_until_environments_were_listed_and_when_they_cannot_be(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        assert (await exported.shown())["up"] == {(): 0}
        rule = exported.api.faults.add("/environments", Status(500))
        page = await exported.scrape()
        assert (page["up"], page.ok("environments")) == ({(): 0}, 0)
        exported.api.faults.remove(rule)
        assert (await exported.scrape())["up"] == {(): 1}
        exported.api.faults.add("/environments", NotJson())
        assert (await exported.later(61))["up"] == {(): 0}


async def test_what_a_refresh_tells_of_itself(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.shown()
        assert not page["exporter_collector_success"]
        assert not page["exporter_collector_duration_seconds"]
        assert not page["exporter_collector_last_success_timestamp_seconds"]
        errors = page["exporter_collector_errors_total"]
        assert errors == {(name, reason): 0 for name in REGISTRY for reason in REASONS}
        assert [status.outcome for status in exported.account.status()] == [None] * len(REGISTRY)
        assert not exported.account.tried
        first = time()
        page = await exported.scrape()
        assert exported.account.tried
        assert page["exporter_collector_success"] == {(name,): 1 for name in REGISTRY}
        assert page["exporter_collector_last_success_timestamp_seconds"] == {(name,): first for name in REGISTRY}
        exported.api.faults.add("/users", Status(502, body="html"))
        page = await exported.later(301)
        assert page.ok("users") == 0
        assert page["exporter_collector_last_success_timestamp_seconds"]["users",] == first
        assert page["exporter_collector_duration_seconds"]["users",] == 0  # by the clock, which stands still
        assert page.errors() == {("users", "server_error"): 1}
        assert page["exporter_api_requests_total"]["/users", "502"] == 1
        assert page["exporter_api_retries_total"]["/users",] == 0
        (users,) = [status for status in exported.account.status() if status.collector == "users"]
        assert users.outcome is not None
        assert (users.outcome.reason, users.last_success, users.due_in) == ("server_error", first, 0)


async def test_what_fails_below_fails_above_and_is_logged_once(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    async with Exported(fixed_world(time), time) as exported:
        exported.api.faults.add("/environments", Status(500))
        with caplog.at_level(logging.DEBUG, logger="exporter.account.refresh"):
            page = await exported.scrape()
        assert {name for name in REGISTRY if page.ok(name) == 0} == ENVIRONMENT_WISE - {"users"}
        assert page.errors() == {(name, "server_error"): 1 for name in ENVIRONMENT_WISE - {"users"}}
        warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
        assert [record.__dict__["fields"]["collector"] for record in warnings] == ["environments"]
        assert set(exported.api._counts) == {"/environments", "/accounts/current", "/users"}


async def test_a_collector_that_never_came_keeps_those_that_build_on_it_waiting_not_asking(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        exported.api.faults.add("/environments", Status(500))
        for _ in range(4):
            page = await exported.later(1)
        assert set(exported.api._counts) <= {"/environments", "/accounts/current", "/users"}
        assert page.ok("spaces") == 0


async def test_only_what_is_named_is_refreshed_and_shown_and_whether_it_is_up(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape({"users"})
        assert set(exported.api._counts) == {"/environments", "/accounts/current", "/users"}
        assert set(page.data()) == {"flatfile_up", "flatfile_users", "flatfile_users_active"}
        assert page["up"] == {(): 1}
        assert page["exporter_collector_success"] == {("users",): 1}
        page = await exported.scrape({"agents", "nothing like that"})
        assert page["exporter_collector_success"] == {("agents",): 1}
        assert exported.api.count("/environments") == 1


async def test_a_disabled_collector_that_others_build_on_is_run_and_not_shown(time: Time) -> None:
    async with Exported(fixed_world(time), time, off("environments", "spaces")) as exported:
        page = await exported.scrape()
        assert {"flatfile_guests", "flatfile_agents", "flatfile_events_total"} <= set(page.data())
        assert not page["environments"]
        assert not page["spaces"]
        assert page["up"] == {(): 1}
        others = sorted(REGISTRY.keys() - {"environments", "spaces"})
        assert page["exporter_collector_success"].keys() == {(name,) for name in others}
        assert [status.collector for status in exported.account.status()] == others


async def test_a_disabled_collector_is_not_asked_for(time: Time) -> None:
    async with Exported(fixed_world(time), time, off(*REGISTRY.keys() - {"environments", "events"})) as exported:
        page = await exported.scrape()
        assert set(exported.api._counts) == {"/environments", "/accounts/current", "/events"}
        errors = {collector for collector, _ in page["exporter_collector_errors_total"]}
        assert errors == {"environments", "events"}


async def test_whether_an_account_is_up_is_asked_even_if_nothing_else_is(time: Time) -> None:
    async with Exported(fixed_world(time), time, off(*REGISTRY)) as exported:
        page = await exported.scrape()
        assert set(page.data()) == {"flatfile_up"}
        assert page["up"] == {(): 1}
        assert exported.account.tried


async def test_data_is_withheld_when_it_is_too_old_by_each_collector_s_own_measure(time: Time) -> None:
    settings = "collectors: {users: {interval: 10s, max_age: 30s}, agents: {max_age: 2h}}"
    async with Exported(fixed_world(time), time, settings) as exported:
        await exported.scrape()
        exported.api.faults.add("*", Status(500))
        assert (await exported.later(30))["users"]
        page = await exported.later(1)
        assert not page["users"]
        assert page["spaces"]
        page = await exported.later(900)
        assert not any(page[name] for name in ("spaces", "guests", "events_total", "environment_info"))
        assert page["agents"]
        assert not (await exported.later(7200))["agents"]


async def test_a_429_holds_the_whole_account_and_a_scrape_that_cannot_wait_is_told_at_once(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        rule = exported.api.faults.add("/environments", Status(429, retry_after=800))
        page = await exported.scrape()
        exported.api.faults.remove(rule)
        exported.api.clear()
        assert page.errors()["environments", "rate_limited"] == 1
        page = await exported.later(61)
        assert exported.api.count() == 0  # by the server's word, whatever our clock says
        (status,) = [status for status in exported.account.status() if status.collector == "environments"]
        assert status.due_in > 700


async def test_a_server_that_limits_requests_is_up_while_the_token_works(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        exported.api.switches.rate, exported.api.switches.rate_retry_after = 0, 0.01
        assert (await exported.scrape())["up"] == {(): 0}
        exported.api.switches.rate = None
        assert (await exported.later(601))["up"] == {(): 1}
        exported.api.switches.rate = 0
        page = await exported.later(301)
        assert page["up"] == {(): 1}
        assert page.ok("environments") == 0
        assert page.errors()["environments", "rate_limited"] == 2


async def test_every_reason_is_told(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        await exported.scrape()
        for status, reason in ((401, "unauthorized"), (403, "forbidden"), (404, "not_found"), (408, "timeout"),
                               (500, "server_error"), (418, "bad_response")):  # fmt: skip
            rule = exported.api.faults.add("/users", Status(status))
            page = await exported.later(301)
            assert page.errors().pop(("users", reason)) == 1
            exported.api.faults.remove(rule)
        await exported.api.stop_listening()
        page = await exported.later(301)
        assert page.errors()["users", "connection"] == 1
        assert page["up"] == {(): 0}


@pytest.mark.parametrize("fault", [Status(500), Status(403), NotJson(), Status(404, body="html")])
async def test_no_log_line_holds_a_secret_or_personal_data(
    time: Time, caplog: pytest.LogCaptureFixture, fault: Status | NotJson
) -> None:
    switches = Switches(fields={"/guests": {"spaces": "PERSONAL-wrong"}, "/users": {"id": None}})
    world = fixed_world(time)
    with caplog.at_level(logging.DEBUG, logger="exporter"):
        async with Exported(world, time, switches=switches) as exported:
            await exported.scrape()
            exported.api.switches.fields.clear()
            exported.api.faults.add("*", fault)
            await exported.later(3700)
            page = await exported.later(301)
    lines = [LogfmtFormatter().format(record) for record in caplog.records]
    assert any("bad_response" in line for line in lines)
    for text in (*lines, str(page.families)):
        assert not any(marker in text for marker in (*MARKERS, "pat_test"))


async def test_closing_ends_what_is_under_way_and_nothing_is_asked_afterwards(
    time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    before = asyncio.all_tasks()
    exported = Exported(fixed_world(time), time)
    async with exported:
        exported.api.faults.add("*", Hang())
        loop = asyncio.get_running_loop()
        scrape = asyncio.ensure_future(exported.account.refresh(loop.time() + 3600))
        while not exported.api.count():
            await asyncio.sleep(0.001)
        await exported.account.aclose()
        await scrape
        exported.api.clear()
        assert await exported.account.refresh(loop.time() + 3600) is True
        assert not any(status.running for status in exported.account.status())
        assert exported.api.count() == 0
    assert asyncio.all_tasks() == before
    assert caplog.records == []


DROPPED_IN = {
    "tea.py": '''
from exporter.exposition.families import Desc, Family

FAMILIES = (Desc("flatfile_tea_cups", "gauge", "Cups of tea.", ("account",)),)

class Collector:
    requires = ("environments",)
    triggers = ()

    def __init__(self, context):
        self._context = context
        self._cups = None

    async def refresh(self, call):
        self._cups = 2 * len(await self._context.environments())
        return []

    def families(self, db, fresh):
        if self._cups is not None:
            yield Family(FAMILIES[0], [((self._context.account,), self._cups)])
''',
    "broken.py": '''
FAMILIES = ()

class Collector:
    requires = ()
    triggers = ()

    def __init__(self, context):
        pass

    async def refresh(self, call):
        raise RuntimeError("@".join(["jane", "customer" + ".test"]))

    def families(self, db, fresh):
        return ()
''',
    "_not_a_collector.py": "raise RuntimeError",
    "main.py": '''
import asyncio, importlib.util, sys

spec = importlib.util.find_spec("exporter.collectors")
spec.submodule_search_locations.append(sys.argv[1])
module = sys.modules["exporter.collectors"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)

from tests.simulator.worlds import fixed_world
from tests.collectors.exported import Exported, Time

async def main():
    time = Time()
    async with Exported(fixed_world(time), time) as exported:
        for _ in range(3):
            page = await exported.later(61)
        print(sorted(module.REGISTRY))
        print(dict(page["tea_cups"]), page.ok("tea"), page.ok("broken"), page.errors(), len(page["spaces"]))

asyncio.run(main())
''',
}  # fmt: skip


def test_adding_a_collector_is_adding_a_file_and_a_broken_one_harms_no_other(tmp_path: Path) -> None:
    (tmp_path / "added").mkdir()
    for name, text in DROPPED_IN.items():
        path = tmp_path / ("main.py" if name == "main.py" else f"added/{name}")
        path.write_text(text)
    root = Path(__file__).parents[2]
    ran = subprocess.run(
        [sys.executable, "-W", "error", tmp_path / "main.py", tmp_path / "added"],
        capture_output=True, text=True, check=False, timeout=60,
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    registry, page = ran.stdout.splitlines()
    assert registry == str(sorted([*REGISTRY, "tea", "broken"]))
    assert page == "{(): 6} 1 0 {('broken', 'internal'): 3} 9"
    assert "RuntimeError in the exporter" in ran.stderr
    assert "customer.test" not in ran.stderr
