"""Agents: what is deployed, and what the configuration expects."""

import pytest

from exporter.demo.world import World
from tests.collectors.exported import AGENTS_OFTEN, ONE_BY_ONE, Asking, Exported, Time
from tests.simulator.faults import NoData, Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world

PROD, SECOND, ODD = "us_env_9f2kQw1d", "us_env_2ndProd0", "us_env_7hT3bLx0"


def expecting(*entries: str) -> str:
    return "expected_agents:\n" + "\n".join(f"  - {entry}" for entry in entries)


def two_environments(time: Time) -> tuple[World, str, str]:
    """`one` with the agents importer and validator, `two` with none."""
    world = World(time)
    one, two = world.add_environment("one").id, world.add_environment("two").id
    world.deploy_agent(one, "importer")
    world.deploy_agent(one, "validator")
    return world, one, two


async def test_an_agent_without_a_slug_is_named_by_its_id_and_missing_times_are_left_out(time: Time) -> None:
    switches = Switches(fields={"/agents": {"slug": None, "createdAt": None, "updatedAt": "soon", "isSystem": None}})
    world, one, _ = two_environments(time)
    async with Exported(world, time, switches=switches) as exported:
        page = await exported.scrape()
        ids = set(world.agents)
        assert set(page.of("agent_info", one)) == {(id_, id_, "", "false") for id_ in ids}
        assert page.of("agents", one) == {("true",): 0, ("false",): 2}
        assert not page["agent_created_timestamp_seconds"]
        assert not page["agent_updated_timestamp_seconds"]


@pytest.mark.parametrize(
    ("switches", "asked"),
    [(Switches(), 1), (Switches(system_agents_listed=False), 2), (Switches(is_system_honoured=False), 1)],
)
async def test_system_agents_are_asked_for_by_themselves_until_a_plain_list_shows_one(
    time: Time, switches: Switches, asked: int
) -> None:
    world = World(time)
    environment = world.add_environment("one").id
    world.deploy_agent(environment, None, is_system=True)
    async with Exported(world, time, switches=switches) as exported:
        page = await exported.scrape()
        assert page.of("agents", environment) == {("true",): 1, ("false",): 0}
        assert exported.api.count("/agents") == asked


async def test_system_agents_that_a_plain_list_leaves_out_are_asked_for_by_themselves(time: Time) -> None:
    world = World(time)
    environment = world.add_environment("one").id
    world.deploy_agent(environment, "importer")
    first = world.deploy_agent(environment, None, is_system=True)
    async with Exported(world, time, AGENTS_OFTEN, switches=Switches(system_agents_listed=False)) as exported:
        await exported.scrape()
        world.delete_agent(first.id)
        for _ in range(2):
            world.deploy_agent(environment, None, is_system=True)
        own = world.deploy_agent(environment, "validator")
        exported.api.clear()
        page = await exported.later(301)
        assert page.of("agents", environment) == {("true",): 2, ("false",): 2}
        assert exported.api.count("/agents") == 2
        world.delete_agent(own.id)
        page = await exported.later(301)
        assert page.of("agents", environment) == {("true",): 2, ("false",): 1}
        assert exported.api.count("/agents") == 4


@pytest.mark.parametrize("status", [400, 422])
async def test_an_api_that_does_not_know_is_system_is_not_asked_again(time: Time, status: int) -> None:
    world, one, two = two_environments(time)
    async with Exported(world, time, AGENTS_OFTEN, more=ONE_BY_ONE) as exported:
        exported.api.faults.rules.append(Asking(exported.api, "/agents", Status(status), "isSystem=true"))
        page = await exported.scrape()
        assert page.ok("agents") == 1
        assert (sum(page.of("agents", one).values()), sum(page.of("agents", two).values())) == (2, 0)
        exported.api.clear()
        await exported.later(31)
        assert exported.api.count("/agents") == 2


@pytest.mark.parametrize("status", [500, 403])
async def test_where_system_agents_cannot_be_asked_for_the_environment_is_not_known(time: Time, status: int) -> None:
    world, _, _ = two_environments(time)
    async with Exported(world, time, more=ONE_BY_ONE) as exported:
        exported.api.faults.rules.append(Asking(exported.api, "/agents", Status(status), "isSystem=true"))
        page = await exported.scrape()
        assert not page["agents"]
        assert page.ok("agents") == 0


async def test_expected_agents_match_slug_and_id_with_globs(time: Time) -> None:
    settings = expecting(
        '{environment: "prod*", agents: ["import-*", "us_ag_Sy5*", "nobody", "Import-hooks"]}',
        f"{{environment: {ODD}, agents: [us_ag_Odd00001, '*🤖', importer]}}",
    )
    async with Exported(fixed_world(time), time, settings) as exported:
        page = await exported.scrape()
        assert page.of("agent_missing", PROD) == {
            ("import-*",): 0,
            ("us_ag_Sy5*",): 0,
            ("nobody",): 1,
            ("Import-hooks",): 1,
        }
        assert set(page.of("agent_missing", SECOND).values()) == {1}
        assert page.of("agent_missing", ODD) == {("us_ag_Odd00001",): 0, ("*🤖",): 0, ("importer",): 1}
        assert not page["agents_expected_min"]


async def test_several_entries_for_an_environment_add_up_and_the_largest_min_counts(time: Time) -> None:
    world, one, two = two_environments(time)
    settings = expecting(
        "{environment: one, agents: [importer], min: 2}",
        "{environment: 'o*', agents: [importer, exporter], min: 3}",
        "{environment: '*', min: 1}",
    )
    async with Exported(world, time, settings) as exported:
        page = await exported.scrape()
        assert page.of("agent_missing", one) == {("importer",): 0, ("exporter",): 1}
        assert page.of("agent_missing", two) == {}
        assert (page.one("agents_expected_min", one), page.one("agents_expected_min", two)) == (3, 1)


async def test_an_environment_that_does_not_exist_lacks_all_that_is_expected_there(time: Time) -> None:
    world, _, _ = two_environments(time)
    settings = expecting("{environment: 'staging-*', agents: [importer], min: 2}")
    async with Exported(world, time, f"{settings}\n{AGENTS_OFTEN}") as exported:
        page = await exported.scrape()
        assert page["agent_missing"] == {("", "staging-*", "importer"): 1}
        assert page["agents_expected_min"] == {("", "staging-*"): 2}
        staging = world.add_environment("staging-1").id
        world.deploy_agent(staging, "importer")
        page = await exported.later(61)
        assert page["agent_missing"] == {(staging, "staging-1", "importer"): 0}
        assert page["agents_expected_min"] == {(staging, "staging-1"): 2}


async def test_nothing_is_said_of_an_environment_that_is_passed_over(time: Time) -> None:
    world, one, _ = two_environments(time)
    settings = "environments: {exclude: [one]}\n" + expecting("{environment: one, agents: [nobody], min: 1}")
    async with Exported(world, time, settings) as exported:
        page = await exported.scrape()
        assert not page["agent_missing"]
        assert not page["agents_expected_min"]
        assert not exported.asked("/agents", environmentId=one)


async def test_what_is_missing_is_not_known_where_the_agents_cannot_be_read(time: Time) -> None:
    world, one, two = two_environments(time)
    settings = expecting("{environment: '*', agents: [importer], min: 1}")
    async with Exported(world, time, settings) as exported:
        exported.api.switches.forbidden.add(("/agents", one))
        page = await exported.scrape()
        assert page["agent_missing"] == {(two, "two", "importer"): 1}
        assert page.of("agents", one) == {}
        assert page.one("agents_expected_min", one) == 1
        assert (page.ok("agents"), page.errors()) == (0, {("agents", "forbidden"): 1})


async def test_a_deleted_agent_is_missing_at_the_next_refresh_and_a_new_one_is_there(time: Time) -> None:
    world, one, _ = two_environments(time)
    settings = expecting("{environment: one, agents: [importer]}")
    async with Exported(world, time, f"{settings}\n{AGENTS_OFTEN}") as exported:
        assert (await exported.scrape()).of("agent_missing", one) == {("importer",): 0}
        world.delete_agent(next(iter(world.agents)))
        page = await exported.later(31)
        assert page.of("agent_missing", one) == {("importer",): 1}
        assert len(page.of("agent_info", one)) == 1
        world.deploy_agent(one, "importer")
        assert (await exported.later(31)).of("agent_missing", one) == {("importer",): 0}


@pytest.mark.parametrize("fault", [Status(500), Status(403), Status(404), NoData()])
@pytest.mark.parametrize("path", ["/agents", "/environments", "*"])
async def test_an_agent_is_never_missing_because_the_api_fails(time: Time, fault: Status, path: str) -> None:
    world, one, _ = two_environments(time)
    settings = expecting("{environment: one, agents: [importer]}", "{environment: other, agents: [importer]}")
    async with Exported(world, time, settings) as exported:
        before = (await exported.scrape())["agent_missing"]
        assert before == {(one, "one", "importer"): 0, ("", "other", "importer"): 1}
        rule = exported.api.faults.add(path, fault)
        assert (await exported.later(31))["agent_missing"] == before
        assert (await exported.later(800))["agent_missing"] == before
        assert (one, "one", "importer") not in {k for k, v in (await exported.later(100))["agent_missing"].items() if v}
        page = await exported.later(301)
        if path != "/environments":
            assert page.of("agent_missing", one) == {}
        if path != "/agents":
            assert page.of("agent_missing", "") == {}  # that `other` does not exist is too long ago
        exported.api.faults.remove(rule)
        time.pass_(901)  # past every pause
        assert (await exported.scrape())["agent_missing"] == before


async def test_a_failing_api_gives_no_verdict_from_the_start(time: Time) -> None:
    world, _, _ = two_environments(time)
    settings = expecting("{environment: one, agents: [importer], min: 1}", "{environment: other, agents: [x], min: 1}")
    async with Exported(world, time, settings) as exported:
        exported.api.faults.add("*", Status(500))
        page = await exported.scrape()
        assert not page["agent_missing"]
        assert not page["agents_expected_min"]


async def test_whether_an_environment_exists_is_known_as_long_as_the_environments_are(time: Time) -> None:
    """The age that counts is that of the list of environments, which may be asked for less often than agents are."""
    world, _, _ = two_environments(time)
    settings = "collectors: {environments: {interval: 2h}}\n" + expecting("{environment: other, agents: [x]}")
    async with Exported(world, time, settings) as exported:
        await exported.scrape()
        page = await exported.later(3600)
        assert page["agent_missing"] == {("", "other", "x"): 1}


async def test_a_failing_environment_keeps_its_agents_until_they_are_too_old(time: Time) -> None:
    world, one, two = two_environments(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        exported.api.faults.add("/agents", Status(500), environment=one)
        world.deploy_agent(two, "new")
        page = await exported.later(890)
        assert page.of("agents", one) == {("true",): 0, ("false",): 2}
        assert page.of("agents", two) == {("true",): 0, ("false",): 1}
        page = await exported.later(31)
        assert page.of("agents", one) == {}
        assert page.of("agents", two) == {("true",): 0, ("false",): 1}


async def test_agents_of_a_vanished_environment_are_gone_without_a_failure(time: Time) -> None:
    world, one, two = two_environments(time)
    async with Exported(world, time, expecting("{environment: two, agents: [x]}") + "\n" + AGENTS_OFTEN) as exported:
        await exported.scrape()
        world.delete_environment(two)
        page = await exported.later(31, {"agents"})  # before the environments are due again
        assert {labels[0] for labels in page["agents"]} == {one}
        assert page["agent_missing"] == {("", "two", "x"): 1}
        assert page.ok("agents") == 1


async def test_an_environment_that_is_listed_but_not_found_is_a_failure(time: Time) -> None:
    world, one, two = two_environments(time)
    async with Exported(world, time, switches=Switches(vanished={two})) as exported:
        page = await exported.scrape()
        assert {labels[0] for labels in page["agents"]} == {one}
        assert page.errors()["agents", "not_found"] == 1
