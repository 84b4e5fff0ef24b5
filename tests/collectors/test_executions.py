"""Runs of agents: each once, whose they are, how long they took, and what is asked for that."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors import _run
from exporter.demo.records import Event
from exporter.demo.world import World
from exporter.exposition.families import HistogramValue
from exporter.flatfile import models
from exporter.flatfile.times import iso
from tests.collectors.exported import AGENTS_OFTEN, ONE_BY_ONE, Asking, Exported, Scraped, Time
from tests.examples import examples
from tests.simulator.faults import DuplicateRows, Status
from tests.simulator.switches import ABSENT, Switches

PATH = "/agents/executions"
MINUTE = 60.0


class Site:
    """One environment with the agents importer and validator, which run when they are told to."""

    def __init__(self, time: Time) -> None:
        self.time = time
        self.world = World(time)
        self.environment = self.world.add_environment("one", announce=False).id
        self.importer, self.validator = (self.deploy(slug) for slug in ("importer", "validator"))

    def deploy(self, slug: str) -> str:
        return self.world.deploy_agent(self.environment, slug, announce=False).id

    def event(self, at: float | None = None) -> Event:
        return self.world.emit("file:created", self.environment, at=at, runs=False)

    def run(self, agent: str, *, success: bool = True, ago: float = 1.0, took: float = 1.0, lag: float = 0.2) -> Event:
        """A run that ended `ago` seconds ago."""
        event = self.event(self.time() - ago - took - lag)
        self.world.run_agent(agent, event, success=success, lag=lag, duration=took)
        return event

    def runs(self, page: Scraped) -> Mapping[tuple[str, ...], float]:
        """The counted runs by agent and result, where there are any."""
        found = page.of("agent_executions_total", self.environment).items()
        return {(agent, result): number for (_, agent, result), number in found if number}


@pytest.fixture
def site(time: Time) -> Site:
    return Site(time)


def histogram(page: Scraped, name: str, *labels: str) -> HistogramValue:
    (value,) = [value for found, value in page.families[f"flatfile_{name}"].samples if found[3:] == labels]
    assert isinstance(value, HistogramValue)
    return value


async def test_runs_that_end_after_the_start_are_counted_once_by_agent_and_result(site: Site, time: Time) -> None:
    site.run(site.importer, ago=30)
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        assert page.of("agent_executions_total", site.environment) == {
            (id_, slug, result): 0
            for id_, slug in ((site.importer, "importer"), (site.validator, "validator"))
            for result in ("success", "failure")
        }
        assert not page["agent_execution_duration_seconds"]
        time.pass_(30)
        for _ in range(3):
            site.run(site.importer)
        site.run(site.validator, success=False)
        for _ in range(3):
            page = await exported.later(30)
            assert site.runs(page) == {("importer", "success"): 3, ("validator", "failure"): 1}
        assert page.errors() == {}


async def test_a_run_that_began_before_the_start_and_ends_after_it_counts(site: Site, time: Time) -> None:
    site.run(site.importer, ago=-10, took=100)
    async with Exported(site.world, time) as exported:
        assert site.runs(await exported.scrape()) == {}
        assert site.runs(await exported.later(30)) == {("importer", "success"): 1}


async def test_one_event_may_run_several_agents_and_one_agent_several_times(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        event = site.run(site.importer, ago=20)
        site.world.run_agent(site.validator, event, success=True, lag=0.2, duration=2)
        site.world.run_agent(site.importer, event, success=False, lag=8, duration=1)
        page = await exported.scrape()
        runs = {("importer", "success"): 1, ("importer", "failure"): 1, ("validator", "success"): 1}
        assert site.runs(page) == runs


async def test_runs_of_two_agents_that_are_alike_in_all_that_is_said_of_them_fail_nothing(
    site: Site, time: Time
) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        event = site.event(time() - 3)
        for agent in (site.importer, site.validator):
            site.world.run_agent(agent, event, success=True, lag=0.5, duration=1.0)
        page = await exported.later(30)
        assert page.ok("executions") == 1
        assert 1 <= sum(site.runs(page).values()) <= 2


async def test_a_long_list_in_order_on_one_page_is_read_whenever_something_happens(site: Site, time: Time) -> None:
    for number in range(_run.LONG + 50):
        site.run(site.importer, ago=3000 - number)
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        for number in range(1, 4):
            time.pass_(30)
            site.run(site.importer)
            page = await exported.scrape()
            assert site.runs(page) == {("importer", "success"): number}


async def test_durations_and_lags_are_histograms(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(MINUTE)
        site.run(site.importer, took=0.1, lag=0.0)
        site.run(site.importer, took=7.5, lag=0.25)
        site.run(site.importer, took=40, lag=2)
        page = await exported.scrape()
        page = await exported.later(30)  # the events may have been read after the runs
        took = histogram(page, "agent_execution_duration_seconds", site.importer, "importer")
        assert [bound for bound, _ in took.buckets] == [0.1, 0.5, 1, 5, 15, 60, 300, float("inf")]
        assert [count for _, count in took.buckets] == [1, 1, 1, 1, 2, 3, 3, 3]
        assert took.sum == pytest.approx(47.6)
        waited = histogram(page, "agent_queue_lag_seconds")
        assert [count for _, count in waited.buckets] == [1, 2, 2, 3, 3, 3, 3, 3]
        assert waited.sum == pytest.approx(2.25)


async def test_an_environment_without_runs_has_lags_at_0(site: Site, time: Time) -> None:
    other = site.world.add_environment("two").id
    async with Exported(site.world, time) as exported:
        page = await exported.scrape()
        assert page.one("agent_queue_lag_seconds", site.environment) == 0
        assert page.one("agent_queue_lag_seconds", other) == 0


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [(500, 0.5), (0, 0), (500.5, 0.5005), ("250", 0.25), *((odd, 2) for odd in (None, ABSENT, -1, "soon", 10**400))],
)
async def test_a_duration_that_is_none_is_worked_out_from_the_times(
    site: Site, time: Time, stated: object, seconds: float
) -> None:
    async with Exported(site.world, time, switches=Switches(fields={PATH: {"duration": stated}})) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer, took=2)
        page = await exported.scrape()
        took = histogram(page, "agent_execution_duration_seconds", site.importer, "importer")
        assert took.sum == pytest.approx(seconds)


async def test_a_run_that_ends_before_it_begins_has_no_duration_and_no_lag_below_0(site: Site, time: Time) -> None:
    async with Exported(site.world, time, switches=Switches(fields={PATH: {"duration": None}})) as exported:
        await exported.scrape()
        time.pass_(MINUTE)
        event = site.event()
        site.world.run_agent(site.importer, event, success=True, lag=-5, duration=-1)
        await exported.scrape()
        page = await exported.later(30)
        assert site.runs(page) == {("importer", "success"): 1}
        assert histogram(page, "agent_execution_duration_seconds", site.importer, "importer").buckets[-1][1] == 0
        lag = histogram(page, "agent_queue_lag_seconds")
        assert (lag.buckets[0][1], lag.sum) == (1, 0)


async def test_a_run_whose_event_was_never_seen_has_no_lag(site: Site, time: Time) -> None:
    async with Exported(site.world, time, "collectors: {events: {enabled: false}}") as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        page = await exported.scrape()
        assert site.runs(page) == {("importer", "success"): 1}
        assert page.one("agent_queue_lag_seconds", site.environment) == 0


async def test_a_run_without_an_end_is_looked_at_again_though_nothing_happens(site: Site, time: Time) -> None:
    unfinished = Switches(fields={PATH: {"completedAt": None}})
    async with Exported(site.world, time, "collectors: {agents: {interval: 1h}}", switches=unfinished) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        exported.api.clear()
        for _ in range(40):  # 20 minutes: its event is long ago
            assert site.runs(await exported.later(30)) == {}
        assert len(exported.asked(PATH)) >= 39  # the event and its run may be asked for at the same time
        exported.api.switches.fields.clear()
        assert site.runs(await exported.later(30)) == {("importer", "success"): 1}


@pytest.mark.parametrize(("field", "odd"), [("completedAt", "soon"), ("success", None)])
async def test_a_run_whose_end_or_result_cannot_be_read_is_an_error_and_not_counted(
    site: Site, time: Time, field: str, odd: object
) -> None:
    async with Exported(site.world, time, switches=Switches(fields={PATH: {field: odd}})) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        page = await exported.scrape()
        assert site.runs(page) == {}
        assert page.errors() == {("executions", "bad_response"): 1}
        exported.api.switches.fields.clear()
        page = await exported.later(30)
        assert site.runs(page) == {("importer", "success"): 1}
        assert page.ok("executions") == 1


async def test_a_run_without_its_event_fails_the_list(site: Site, time: Time) -> None:
    async with Exported(site.world, time, switches=Switches(fields={PATH: {"eventId": ""}})) as exported:
        site.run(site.importer)
        page = await exported.scrape()
        assert page.ok("executions") == 0
        assert not page["agent_queue_lag_seconds"]


# Whose runs they are


async def test_where_the_api_ignores_the_agent_the_runs_are_nobodys(site: Site, time: Time) -> None:
    async with Exported(site.world, time, switches=Switches(agent_id_honoured=False)) as exported:
        await exported.scrape()
        for number in (1, 2, 3):
            time.pass_(30)
            site.run(site.importer)
            site.run(site.validator, success=False, took=2)
            page = await exported.scrape()
            assert site.runs(page) == {("unknown", "success"): number, ("unknown", "failure"): number}
        assert len(exported.asked(PATH, agentId=site.importer)) == 2
        assert ("", "unknown") in page.of("agent_execution_duration_seconds", site.environment)
        exported.api.switches.agent_id_honoured = True
        time.pass_(3600)  # a way that does not work is tried again within the hour
        site.run(site.importer)
        page = await exported.scrape()
        assert site.runs(page)["importer", "success"] == 1


@pytest.mark.parametrize("busy", ["importer", "validator"])
async def test_one_agent_that_has_all_runs_is_told_from_an_ignored_parameter(site: Site, time: Time, busy: str) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        for _ in range(5):
            site.run(site.importer if busy == "importer" else site.validator)
        assert site.runs(await exported.scrape()) == {(busy, "success"): 5}


@pytest.mark.parametrize("status", [400, 403, 422])
async def test_where_the_agent_may_not_be_asked_for_the_runs_are_nobodys_after_a_second_refusal(
    site: Site, time: Time, status: int
) -> None:
    async with Exported(site.world, time, more=ONE_BY_ONE) as exported:
        by_agent = [f"agentId={agent}" for agent in (site.importer, site.validator)]
        exported.api.faults.rules.append(Asking(exported.api, PATH, Status(status), *by_agent))
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        page = await exported.scrape()
        assert (site.runs(page), page.ok("executions")) == ({}, 0)
        page = await exported.later(30)
        assert page.ok("executions") == 0
        page = await exported.later(30)
        assert (site.runs(page), page.ok("executions")) == ({("unknown", "success"): 1}, 1)


async def test_a_deployed_agent_that_is_not_found_for_a_while_loses_no_run(site: Site, time: Time) -> None:
    async with Exported(site.world, time, more=ONE_BY_ONE) as exported:
        await exported.scrape()
        time.pass_(30)
        rule = Asking(exported.api, PATH, Status(404), f"agentId={site.importer}", f"agentId={site.validator}")
        exported.api.faults.rules.append(rule)
        site.run(site.importer)
        for _ in range(5):
            page = await exported.later(30)
            assert (site.runs(page), page.ok("executions")) == ({}, 0)
        exported.api.faults.clear()
        assert site.runs(await exported.later(310)) == {("importer", "success"): 1}


async def test_an_environment_that_comes_back_goes_on_from_where_it_was(site: Site, time: Time) -> None:
    async with Exported(site.world, time, "collectors: {environments: {interval: 0s}}") as exported:
        site.world.add_environment("two", announce=False)
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        assert site.runs(await exported.scrape()) == {("importer", "success"): 1}
        away = site.world.environments.pop(site.environment)
        assert site.runs(await exported.later(60)) == {}
        site.world.environments[site.environment] = away
        site.run(site.importer)
        assert site.runs(await exported.later(60)) == {("importer", "success"): 2}


async def test_a_new_agents_run_waits_until_the_agent_is_listed(site: Site, time: Time) -> None:
    async with Exported(site.world, time, "collectors: {agents: {interval: 100s}}") as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.deploy("new"))
        for _ in range(3):
            assert site.runs(await exported.scrape()) == {}
            time.pass_(30)
        assert site.runs(await exported.scrape()) == {("new", "success"): 1}


async def test_a_run_that_no_agent_has_is_nobodys(site: Site, time: Time) -> None:
    async with Exported(site.world, time, AGENTS_OFTEN) as exported:
        await exported.scrape()
        time.pass_(30)
        short = site.deploy("short")
        site.run(short)
        site.world.delete_agent(short, announce=False)
        for _ in range(2):
            assert site.runs(await exported.scrape()) == {}
            time.pass_(30)
        for _ in range(3):
            assert site.runs(await exported.later(30)) == {("unknown", "success"): 1}


async def test_an_agent_that_is_gone_takes_its_series_along_and_goes_on_from_there_when_it_returns(
    site: Site, time: Time
) -> None:
    async with Exported(site.world, time, AGENTS_OFTEN) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.validator)
        assert site.runs(await exported.scrape()) == {("validator", "success"): 1}
        agent = site.world.agents[site.validator]
        site.world.delete_agent(site.validator, announce=False)
        site.run(site.validator, ago=-20)  # still under way
        page = await exported.later(30)
        assert {named for named, *_ in page.of("agent_executions_total", site.environment)} == {site.importer}
        site.world.agents[agent.id] = site.world.agents_of[site.environment][agent.id] = agent
        assert site.runs(await exported.later(30)) == {("validator", "success"): 2}


async def test_no_series_of_the_unknown_agent_while_nothing_is_unknown(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        for _ in range(12):
            time.pass_(30)
            site.run(site.importer)
            page = await exported.scrape()
        assert {slug for _, slug, _ in page.of("agent_executions_total", site.environment)} == {"importer", "validator"}
        assert {slug for _, slug in page.of("agent_execution_duration_seconds", site.environment)} == {"importer"}


async def test_counts_of_an_agent_that_is_gone_for_a_day_are_forgotten(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.validator)
        await exported.scrape()
        site.world.delete_agent(site.validator, announce=False)
        for expected in (1, 0):
            assert len(await rows(exported, "run_count")) == expected
            assert len(await rows(exported, "histogram WHERE label <> ''")) == expected * 8
            await exported.later(86400)


# Over a restart


async def rows(exported: Exported, table: str) -> list[tuple[object, ...]]:
    return await exported.account.database.run(lambda db: db.execute(f"SELECT * FROM {table}").fetchall())


async def test_with_storage_each_run_is_counted_once_over_restarts(site: Site, time: Time, tmp_path: Path) -> None:
    site.run(site.importer, ago=10)  # before counting began
    async with Exported(site.world, time) as exported:
        for number in (1, 4, 7):
            await exported.account.aclose()
            exported.account = exported.restarted(tmp_path / "acme.sqlite")
            await exported.scrape()
            time.pass_(60)
            site.run(site.importer, took=0.3, lag=0.1)
            await exported.scrape()
            page = await exported.later(30)
            assert site.runs(page) == {("importer", "success"): number}
            took = histogram(page, "agent_execution_duration_seconds", site.importer, "importer")
            assert (took.buckets[1][1], took.sum) == (number, pytest.approx(0.3 * number))
            site.run(site.importer, ago=-20, took=0.3)  # both end while no exporter runs
            time.pass_(500)
            site.run(site.importer, took=0.3)


async def test_without_storage_counting_begins_again_at_a_restart(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        assert site.runs(await exported.scrape()) == {("importer", "success"): 1}
        await exported.account.aclose()
        exported.account = exported.restarted()
        assert site.runs(await exported.scrape()) == {}


# What is asked


async def test_an_environment_in_which_nothing_happens_is_asked_every_five_minutes_only(time: Time) -> None:
    world = World(time)
    busy, idle = (world.add_environment(name, announce=False).id for name in ("busy", "idle"))
    for environment in (busy, idle):
        world.deploy_agent(environment, "importer", announce=False)
    async with Exported(world, time) as exported:
        await exported.scrape()
        exported.api.clear()
        for _ in range(40):  # 20 minutes
            time.pass_(30)
            world.emit("file:created", busy, runs=False)
            await exported.scrape()
        assert len(exported.asked(PATH, environmentId=busy)) == 40
        assert len(exported.asked(PATH, environmentId=idle)) == 4
        assert not [query for query in exported.asked(PATH) if "agentId" in query]


@pytest.mark.parametrize("how", ["disabled", "failing"])
async def test_where_events_are_not_known_every_environment_is_asked_each_time(time: Time, how: str) -> None:
    world = World(time)
    idle = world.add_environment("idle", announce=False).id
    async with Exported(world, time, "collectors: {events: {enabled: false}}" if how == "disabled" else "") as exported:
        exported.api.faults.add("/events", Status(500))
        await exported.scrape()
        exported.api.clear()
        for _ in range(10):
            await exported.later(30)
        assert len(exported.asked(PATH, environmentId=idle)) == 10


async def test_a_run_in_an_environment_without_events_is_found_within_five_minutes(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(1000)
        await exported.scrape()
        event = site.event(time() - 3000)  # long ago
        site.world.run_agent(site.importer, event, success=True, lag=2999, duration=1)
        for _ in range(10):
            page = await exported.later(30)
        assert site.runs(page) == {("importer", "success"): 1}


async def test_history_is_not_read_again_and_the_agent_that_ran_last_is_asked_first(site: Site, time: Time) -> None:
    for number in range(1500):
        site.run(site.importer, ago=4000 + number)
    others = [site.deploy(f"other-{number}") for number in range(30)]
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        assert len(exported.asked(PATH)) == 1
        time.pass_(30)
        site.run(others[-1])
        await exported.scrape()
        exported.api.clear()
        for _ in range(9):
            time.pass_(30)
            site.run(others[-1])
            page = await exported.scrape()
        assert site.runs(page) == {("other-29", "success"): 10}
        assert (
            len(exported.asked(PATH)) <= 2 * 9 + 2
        )  # each five minutes: an hour back, and does the API tell agents apart?


async def test_a_run_that_is_listed_late_below_newer_ones_is_found(site: Site, time: Time) -> None:
    async with Exported(site.world, time, switches=Switches(page_clamp={PATH: 100})) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.validator, ago=-290, took=295)
        for _ in range(10):
            for number in range(60):
                site.run(site.importer, ago=number / 10, took=0.01)
            page = await exported.later(30)
        assert site.runs(page)["importer", "success"] == 600
        for _ in range(10):
            page = await exported.later(30)
        assert site.runs(page) == {("importer", "success"): 600, ("validator", "success"): 1}


async def test_a_long_list_in_no_order_is_read_every_five_minutes(site: Site, time: Time) -> None:
    for number in range(400):
        site.run(site.importer, ago=10 + number % 7 * 1000)
    async with Exported(site.world, time, switches=Switches(page_clamp={PATH: 50})) as exported:
        await exported.scrape()
        exported.api.clear()
        for _ in range(10):
            time.pass_(30)
            site.run(site.importer)
            page = await exported.scrape()
        assert len(exported.asked(PATH)) < 60
        assert site.runs(page) == {("importer", "success"): 10}


async def test_a_failed_environment_keeps_its_counts_for_their_age_and_loses_no_run(site: Site, time: Time) -> None:
    other = site.world.add_environment("two", announce=False).id
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        await exported.scrape()
        rule = exported.api.faults.add(PATH, Status(500), environment=site.environment)
        time.pass_(10)
        site.run(site.importer)
        page = await exported.later(30)
        assert (site.runs(page), page.ok("executions")) == ({("importer", "success"): 1}, 0)
        page = await exported.later(900)
        assert page.of("agent_executions_total", site.environment) == {}
        assert page.one("agent_queue_lag_seconds", other) == 0
        time.pass_(7200)
        exported.api.faults.remove(rule)
        await exported.scrape()
        assert site.runs(await exported.later(310)) == {("importer", "success"): 2}


async def test_log_texts_are_never_asked_for(site: Site, time: Time) -> None:
    async with Exported(site.world, time) as exported:
        await exported.scrape()
        time.pass_(30)
        site.run(site.importer)
        await exported.scrape()
        assert not any("log" in request.path for request in exported.api.requests)


def test_the_newest_may_come_first_by_their_start_or_by_their_end() -> None:
    """What is listed by its end need not be read beyond what is known, though starts go up and down."""
    now = 1_000_000_000.0

    def row(ended: float, took: float) -> models.Execution:
        return models.Execution(event_id="e", created_at=iso(ended - took), completed_at=iso(ended), success=True)

    def order(rows: list[models.Execution]) -> _run.RunOrder:
        made = _run.RunOrder()
        made.follow(rows)
        return made

    by_end = order(rows := [row(now - number, 50.0 if number % 2 else 1.0) for number in range(20)])
    assert by_end.shown
    assert by_end.is_past(now + 1)
    assert not by_end.is_past(now - 5)
    by_start = order(sorted(rows, key=lambda each: each.created_at or "", reverse=True))
    assert by_start.shown
    assert by_start.is_past(now)
    assert not by_start.is_past(now - 100)
    assert not order([*rows, *rows]).shown


# Whatever the API makes of it


async def follow(data: st.DataObject) -> None:
    time = Time()
    site = Site(time)
    draw = data.draw
    switches = Switches(
        page_clamp=draw(st.sampled_from([{}, {PATH: 1}, {PATH: 2}, {PATH: 7}]), "clamp"),
        pagination=draw(st.sampled_from(["right", "absent", "zero"]), "pagination"),
        agent_id_honoured=draw(st.booleans(), "honoured"),
    )
    agents = [site.importer, site.validator]
    for number in range(draw(st.integers(0, 30), "old")):
        site.run(draw(st.sampled_from(agents)), ago=1 + number * 3)
    truth: Counter[str] = Counter()
    async with Exported(site.world, time, AGENTS_OFTEN, switches=switches) as exported:
        await exported.scrape()
        start = time()
        # rows without an id that come twice make up for as many that are missing where only the total tells the end
        if switches.pagination != "zero" and draw(st.booleans(), "duplicates"):
            exported.api.faults.add(PATH, DuplicateRows())
        for _ in range(draw(st.integers(1, 8), "scrapes")):
            time.pass_(draw(st.sampled_from([1, 30, 61, 310, 1000])))
            for _ in range(draw(st.integers(0, 12), "runs")):
                ago, took = draw(st.sampled_from([-100, -20, 0.5, 0.5, 3])), draw(st.sampled_from([0.1, 0.5, 40, 500]))
                site.run(draw(st.sampled_from(agents)), ago=ago, took=took)
            fault = None
            if draw(st.integers(0, 4), "fault") == 0:
                status = draw(st.sampled_from([400, 403, 404, 422, 500]))
                fault = exported.api.faults.add(PATH, Status(status), count=draw(st.integers(1, 4)))
            page = await exported.scrape()
            if fault is not None:
                exported.api.faults.clear()
            ended = sum(start <= run.completed_at <= time() for run in site.world.executions_of[site.environment])
            assert sum(site.runs(page).values()) <= ended
        for _ in range(8):
            page = await exported.later(310)
    for run in site.world.executions_of[site.environment]:
        if start <= run.completed_at:
            truth[site.world.agents[run.agent_id].slug or ""] += 1
    counted: Counter[str] = Counter()
    for (agent, _), runs in site.runs(page).items():
        counted[agent] += int(runs)
    assert counted.total() == truth.total(), (counted, truth)
    assert all(counted[agent] <= truth[agent] for agent in counted if agent != "unknown")
    assert page.ok("executions") == 1


@examples(10)
@given(st.data())
def test_each_run_is_counted_once_whatever_the_api_makes_of_pages_and_agents(data: st.DataObject) -> None:
    asyncio.run(follow(data))
