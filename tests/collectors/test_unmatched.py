"""What the configuration names in vain is said: for people as sentences, in the log once for each change."""

import pytest

from exporter.account.unmatched import MAX_LOGGED
from exporter.demo.world import World
from tests.collectors.exported import AGENTS_OFTEN, Exported, Time
from tests.simulator.faults import Status

ALL_MATCH = "expected_agents: [{environment: 'o*', agents: ['import*']}, {environment: two, min: 1}]"
NONE_SELECTED = "environments.include and environments.exclude select no environment: most metrics will be missing."


def account(time: Time) -> World:
    """`one` with the agents importer and validator, `two` with none."""
    world = World(time)
    one = world.add_environment("one").id
    world.add_environment("two")
    world.deploy_agent(one, "importer")
    world.deploy_agent(one, "validator")
    return world


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The warnings of the log lines since the last call; how many more there are stands for the rest."""
    found = [record for record in caplog.records if record.getMessage() == "configuration matches nothing"]
    caplog.clear()
    said: list[dict[str, str]] = [vars(record)["fields"] for record in found]
    assert all(each["account"] == "acme" for each in said)
    return [str(each.get("warning", each.get("more"))) for each in said]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (ALL_MATCH, []),
        (
            "environments: {include: [prodution]}",
            [NONE_SELECTED, "environments.include: no environment matches 'prodution'."],
        ),
        ("environments: {exclude: ['*']}", [NONE_SELECTED]),
        (
            "environments: {include: [one, tow]}\nexpected_agents: [{environment: two, agents: [importer]}]",
            [
                "environments.include: no environment matches 'tow'.",
                "expected_agents: only environments that are not selected match 'two'.",
            ],
        ),
        (
            "expected_agents: [{environment: three, min: 1}, {environment: '*', agents: [importer, nobody]}]",
            [
                "expected_agents: no environment matches 'three'.",
                "expected_agents: no agent in environment 'one' matches 'nobody'.",
                "expected_agents: no agent in environment 'two' matches 'importer'.",
                "expected_agents: no agent in environment 'two' matches 'nobody'.",
            ],
        ),
    ],
)
async def test_what_matches_nothing_is_said_once(
    settings: str, said: list[str], time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    async with Exported(account(time), time, settings) as exported:
        assert exported.account.unmatched() == []
        await exported.scrape()
        assert exported.account.unmatched() == said
        assert logged(caplog) == said
        await exported.later(400)
        assert exported.account.unmatched() == said
        assert logged(caplog) == []


async def test_an_account_without_environments(time: Time) -> None:
    async with Exported(World(time), time) as exported:
        await exported.scrape()
        (said,) = exported.account.unmatched()
        assert said.startswith("Flatfile lists no environment for these credentials")


async def test_each_change_is_logged(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    world = account(time)
    (one, _), sentence = world.environments, "expected_agents: no agent in environment 'one' matches 'importer'."
    importer = next(agent for agent in world.agents.values() if agent.slug == "importer")
    settings = f"{AGENTS_OFTEN}\nexpected_agents: [{{environment: one, agents: [importer]}}]"
    async with Exported(world, time, settings) as exported:
        await exported.scrape()
        assert (exported.account.unmatched(), logged(caplog)) == ([], [])
        world.delete_agent(importer.id)
        await exported.later(31)
        assert (exported.account.unmatched(), logged(caplog)) == ([sentence], [sentence])
        again = world.deploy_agent(one, "importer")
        await exported.later(31)
        assert (exported.account.unmatched(), logged(caplog)) == ([], [])
        world.delete_agent(again.id)
        await exported.later(31)
        assert (exported.account.unmatched(), logged(caplog)) == ([sentence], [sentence])


@pytest.mark.parametrize("path", ["/environments", "/agents"])
async def test_nothing_is_said_of_what_is_not_known(path: str, time: Time, caplog: pytest.LogCaptureFixture) -> None:
    settings = f"{AGENTS_OFTEN}\nexpected_agents: [{{environment: one, agents: [nobody]}}]"
    async with Exported(account(time), time, settings) as exported:
        rule = exported.api.faults.add(path, Status(500))
        await exported.scrape()
        assert (exported.account.unmatched(), logged(caplog)) == ([], [])
        exported.api.faults.remove(rule)
        await exported.later(61)
        assert len(exported.account.unmatched()) == len(logged(caplog)) == 1


async def test_the_log_names_a_few_of_many(time: Time, caplog: pytest.LogCaptureFixture) -> None:
    world = World(time)
    for number in range(MAX_LOGGED + 3):
        world.add_environment(f"environment {number}")
    async with Exported(world, time, "expected_agents: [{environment: '*', agents: [nobody]}]") as exported:
        await exported.scrape()
        assert len(exported.account.unmatched()) == MAX_LOGGED + 3
        *named, more = logged(caplog)
        assert (len(named), more) == (MAX_LOGGED, "3")
