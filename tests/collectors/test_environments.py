"""Environments and the account: names, the choice of environments, and what is known of the account itself."""

import pytest

from exporter.demo.world import World
from tests.collectors.exported import Exported, Time
from tests.simulator.faults import Status
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world

PROD = "us_env_9f2kQw1d"


async def test_both_kinds_are_counted_also_where_there_is_none(time: Time) -> None:
    async with Exported(World(time), time) as exported:
        page = await exported.scrape()
        assert page["environments"] == {("true",): 0, ("false",): 0}
        assert page["up"] == {(): 1}
        assert not page["environment_info"]
        assert all(value == 1 for value in page["exporter_collector_success"].values())


async def test_two_environments_of_one_name_are_told_apart_by_their_ids(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        page = await exported.scrape()
        named = {labels for labels in page["environment_info"] if labels[1] == "production"}
        assert named == {("us_env_9f2kQw1d", "production", "true"), ("us_env_2ndProd0", "production", "true")}
        assert sum(page.of("spaces", "us_env_9f2kQw1d").values()) == 4
        assert sum(page.of("spaces", "us_env_2ndProd0").values()) == 0


async def test_an_environment_without_a_name_is_named_by_its_id_and_is_no_production_unless_said(time: Time) -> None:
    switches = Switches(fields={"/environments": {"name": None, "isProd": None}})
    world = World(time)
    id_ = world.add_environment("production", is_prod=True).id
    async with Exported(world, time, switches=switches) as exported:
        page = await exported.scrape()
        assert page["environment_info"] == {(id_, id_, "false"): 1}
        assert page["environments"] == {("true",): 0, ("false",): 1}


async def test_globs_choose_by_name_and_id_and_what_is_left_out_is_nowhere(time: Time) -> None:
    world = World(time)
    one, two, three = (world.add_environment(name).id for name in ("prod-a", "prod-b", "other"))
    settings = f'environments: {{include: ["prod-*", "{three}"], exclude: ["{two}"]}}'
    async with Exported(world, time, settings) as exported:
        page = await exported.scrape()
        assert page["environments"] == {("true",): 0, ("false",): 2}
        for name, samples in page.data().items():
            assert {two, "prod-b"}.isdisjoint(value for labels in samples for value in labels), name
        assert {labels[0] for labels in page["environment_info"]} == {one, three}


async def test_deleted_environments_are_gone_everywhere_at_the_next_refresh(time: Time) -> None:
    world = fixed_world(time)
    async with Exported(world, time) as exported:
        await exported.scrape()
        world.delete_environment("us_env_9f2kQw1d")
        page = await exported.later(61)
        assert page["environments"] == {("true",): 1, ("false",): 1}
        for name, samples in page.data().items():
            assert all("us_env_9f2kQw1d" not in labels for labels in samples), name
        assert not page.errors()


async def test_the_account_itself_is_looked_at_once_an_hour(time: Time) -> None:
    world = World(time)
    async with Exported(world, time) as exported:
        page = await exported.scrape()
        assert page["account_info"] == {("us_acc_4kQ2m9Xz", "Acme Imports"): 1}
        world.name = "Renamed"
        for _ in range(59):
            page = await exported.later(60)
        assert page["account_info"] == {("us_acc_4kQ2m9Xz", "Acme Imports"): 1}
        assert exported.api.count("/accounts/current") == 1
        assert (await exported.later(61))["account_info"] == {("us_acc_4kQ2m9Xz", "Renamed"): 1}
        assert exported.api.count("/accounts/current") == 2


@pytest.mark.parametrize("status", [403, 404])
async def test_an_account_that_may_not_be_read_is_missing_and_no_failure(time: Time, status: int) -> None:
    world = World(time)
    world.add_environment("one")
    async with Exported(world, time) as exported:
        rule = exported.api.faults.add("/accounts/current", Status(status))
        page = await exported.scrape()
        assert not page["account_info"]
        assert (page["up"], page.ok("environments"), page.errors()) == ({(): 1}, 1, {})
        exported.api.faults.remove(rule)
        assert not (await exported.later(3000))["account_info"]
        assert (await exported.later(600))["account_info"]


async def test_an_account_that_cannot_be_read_fails_only_itself(time: Time) -> None:
    world = World(time)
    world.add_environment("one")
    async with Exported(world, time) as exported:
        rule = exported.api.faults.add("/accounts/current", Status(500))
        page = await exported.scrape()
        assert page["up"] == {(): 1}
        assert page["environments"] == {("true",): 0, ("false",): 1}
        assert not page["account_info"]
        assert (page.ok("environments"), page.errors()) == (0, {("environments", "server_error"): 1})
        assert page.ok("agents") == 1
        exported.api.faults.remove(rule)
        page = await exported.later(61)
        assert (page["account_info"], page.ok("environments")) == ({("us_acc_4kQ2m9Xz", "Acme Imports"): 1}, 1)


async def test_what_is_known_of_the_account_goes_when_it_is_too_old(time: Time) -> None:
    async with Exported(World(time), time) as exported:
        await exported.scrape()
        exported.api.faults.add("*", Status(500))
        page = await exported.later(3600 + 900)
        assert page["account_info"]
        assert not page["environments"]
        assert not (await exported.later(1))["account_info"]


async def test_a_failing_list_of_environments_is_down_and_keeps_what_is_known_until_it_is_too_old(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        before = await exported.scrape()
        exported.api.faults.add("/environments", Status(500))
        page = await exported.later(61)
        assert (page["up"], page.ok("environments")) == ({(): 0}, 0)
        assert page["environments"] == before["environments"]
        assert page["spaces"] == before["spaces"]
        page = await exported.later(840)
        assert not page["environments"]
        assert not page["environment_info"]
        assert page["spaces"] == before["spaces"]  # these go on by themselves


async def test_a_key_of_one_environment_reads_that_one(time: Time) -> None:
    """A secret key may not list the environments, nor read the account: the configuration names them."""
    world = fixed_world(time)
    async with Exported(world, time, f"environments: {{ids: [{PROD}, us_env_gone0000]}}") as exported:
        for path in ("/environments", "/accounts/current", "/users"):
            exported.api.faults.add(path, Status(403))
        page = await exported.scrape()
        assert page["up"] == {(): 1}
        assert {labels[0] for labels in page["environment_info"]} == {PROD}
        assert sum(page.of("spaces", PROD).values()) == 4
        assert page.one("guests", PROD) == 4
        assert (page.ok("environments"), page.errors()["environments", "not_found"]) == (0, 1)
        rule = exported.api.faults.add("/environments/{id}", Status(500))
        page = await exported.later(61)
        assert page["up"] == {(): 0}
        assert {labels[0] for labels in page["environment_info"]} == {PROD}
        exported.api.faults.remove(rule)
        page = await exported.later(301)
        assert page["up"] == {(): 1}
