"""The account as data: its indexes agree whatever happens, and what happens is announced."""

import random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.records import Event
from exporter.demo.timeline import Timeline
from exporter.demo.world import World
from tests.simulator.worlds import FIXED_NOW

ACTIONS = (
    "add_environment", "delete_environment", "add_space", "archive_space", "unarchive_space", "expire_space",
    "delete_space", "deploy_agent", "delete_agent", "add_guest", "admit_guest", "remove_guest", "visit", "add_user",
    "remove_user", "add_job", "start_job", "finish_job", "emit", "forget_before",
)  # fmt: skip


def act(world: World, action: str, pick: random.Random, at: float) -> None:
    """Do it to something picked at random, where there is something to do it to."""

    def one(pool: dict[str, Any]) -> str | None:
        return pick.choice(list(pool)) if pool else None

    environment, space, agent = one(world.environments), one(world.spaces), one(world.agents)
    guest, user, job = one(world.guests), one(world.users), one(world.jobs)
    if action == "add_environment":
        world.add_environment("env", at=at)
    elif action == "add_user":
        world.add_user("Ada", at=at)
    elif action == "remove_user" and user:
        world.remove_user(user)
    elif action == "forget_before":
        world.forget_before(at - 50, at - 100)
    elif action == "delete_environment" and environment:
        world.delete_environment(environment, at=at)
    elif action == "add_space" and environment:
        world.add_space(environment, "space", at=at)
    elif action == "deploy_agent" and environment:
        slug = pick.choice(["a", "b", None])
        world.deploy_agent(environment, slug, ["job:ready", "cron:hourly"], at=at)
    elif action == "add_job" and environment:
        world.add_job(environment, at=at)
    elif action == "emit" and environment:
        world.emit("cron:hourly", environment, at=at - pick.uniform(0, 90), visible_at=at)
    elif action in ("archive_space", "unarchive_space", "expire_space", "delete_space", "add_guest") and space:
        getattr(world, action)(space, at=at)
    elif action == "delete_agent" and agent:
        world.delete_agent(agent, at=at)
    elif action in ("start_job", "finish_job") and job:
        getattr(world, action)(job, at=at)
    elif action == "admit_guest" and guest:
        world.admit_guest(guest, one(world.spaces_of[world.guests[guest].environment_id]) or "", at=at)
    elif action in ("remove_guest", "visit") and guest:
        getattr(world, action)(guest, one(world.guests[guest].spaces), at=at)


def check(world: World) -> None:
    environments = set(world.environments)
    for index, records in (
        (world.spaces_of, world.spaces), (world.agents_of, world.agents), (world.guests_of, world.guests),
    ):  # fmt: skip
        assert set(index) == environments
        assert {i: r for held in index.values() for i, r in held.items()} == records
        assert all(r.environment_id == e for e, held in index.items() for r in held.values())
    assert set(world.guests_in) == set(world.spaces)
    pairs = {(g.id, s) for g in world.guests.values() for s in g.spaces}
    assert pairs == {(g, s) for s, held in world.guests_in.items() for g in held}
    assert all(g.spaces for g in world.guests.values())
    assert set(world.jobs_of) == set(world.events_of) == set(world.executions_of) == environments
    assert {j.id for held in world.jobs_of.values() for j in held} == set(world.jobs)
    everything = list(world.events)
    assert [e.created_at for e in everything] == sorted(e.created_at for e in everything)
    assert len({e.id for e in everything}) == len(everything)
    for environment_id, held in world.events_of.items():
        assert [e.id for e in held] == [e.id for e in everything if e.environment_id == environment_id]


@given(st.lists(st.sampled_from(ACTIONS), max_size=60), st.integers(0, 1000))
def test_the_indexes_agree_whatever_happens(actions: list[str], seed: int) -> None:
    world = World(lambda: FIXED_NOW, seed)
    pick = random.Random(seed)
    for i, action in enumerate(["add_environment", "add_space", "add_guest", "deploy_agent", *actions]):
        act(world, action, pick, FIXED_NOW + i * 10)
        check(world)


def topics(world: World) -> list[str]:
    return [e.topic for e in world.events]


def test_what_happens_is_announced_as_the_platform_would() -> None:
    world = World(lambda: FIXED_NOW)
    user = world.add_user("Ada")
    environment = world.add_environment("prod")
    first = world.add_space(environment.id, "one")
    second = world.add_space(environment.id, "two")
    agent = world.deploy_agent(environment.id, "importer", [])
    world.deploy_agent(environment.id, "importer", [])
    world.redeploy_agent(agent.id)
    guest = world.add_guest(first.id)
    world.admit_guest(guest.id, second.id)
    world.remove_guest(guest.id, first.id)
    job = world.add_job(environment.id, first.id)
    world.start_job(job.id)
    world.finish_job(job.id, "failed")
    world.delete_agent(agent.id)
    world.archive_space(first.id)
    world.unarchive_space(first.id)
    world.expire_space(first.id)
    world.delete_space(first.id)
    world.delete_environment(environment.id)
    assert topics(world) == [
        "environment:created", "space:created", "space:created", "agent:created", "agent:updated", "agent:updated",
        "space:guestAdded", "space:guestAdded", "space:guestRemoved", "job:created", "job:ready", "job:updated",
        "job:failed", "agent:deleted", "space:archived", "space:unarchived", "space:expired", "space:deleted",
        "environment:deleted",
    ]  # fmt: skip
    by_topic = {e.topic: e for e in world.events}
    assert by_topic["space:guestAdded"].space_id == second.id
    assert by_topic["space:guestRemoved"].space_id == first.id
    assert by_topic["agent:deleted"].context == {"agentId": agent.id}
    assert by_topic["agent:deleted"].actor_id is not None
    assert by_topic["agent:deleted"].actor_id.startswith("us_key_")
    assert by_topic["space:created"].actor_id == user.id
    assert by_topic["space:expired"].actor_id is None
    assert by_topic["agent:created"].domain == "space"
    assert by_topic["job:failed"].domain == "job"


def test_a_guest_whose_last_space_goes_is_gone() -> None:
    world = World(lambda: FIXED_NOW)
    environment = world.add_environment("prod")
    first, second = (world.add_space(environment.id, name) for name in ("one", "two"))
    only, both = world.add_guest(first.id), world.add_guest(first.id)
    world.admit_guest(both.id, second.id)
    world.delete_space(first.id)
    assert list(world.guests) == [both.id]
    assert list(both.spaces) == [second.id]
    assert only.id not in world.guests_of[environment.id]


def test_agents_run_for_the_topics_they_name_and_acknowledge() -> None:
    world = World(lambda: FIXED_NOW)
    environment = world.add_environment("prod")
    agent = world.deploy_agent(environment.id, "importer", ["commit:created"])
    world.deploy_agent(environment.id, "other", ["job:ready"])
    event = world.emit("commit:created", environment.id)
    quiet = world.emit("commit:created", environment.id, runs=False)
    (run,) = world.executions_of[environment.id]
    assert (run.agent_id, run.event_id) == (agent.id, event.id)
    assert event.created_at <= run.created_at < run.completed_at
    assert (event.acknowledged_by, event.acknowledged_at) == (agent.id, run.completed_at)
    assert quiet.acknowledged_at is None


def test_the_same_seed_makes_the_same_account() -> None:
    def made(seed: int) -> list[str]:
        world = World(lambda: FIXED_NOW, seed)
        environment = world.add_environment("prod")
        world.deploy_agent(environment.id, "importer", ["commit:created"])
        world.emit("commit:created", environment.id)
        return [repr(e) for e in world.events] + [repr(e) for e in world.executions_of[environment.id]]

    assert made(1) == made(1)
    assert made(1) != made(2)


@given(st.lists(st.integers(0, 20)), st.integers(0, 21))
def test_a_timeline_is_sorted_and_cuts_where_asked(times: list[int], cut: int) -> None:
    timeline: Timeline[Event] = Timeline()
    for i, at in enumerate(times):
        timeline.add(Event(str(i), "t", "d", "e", None, None, float(at), float(at), {}))
    expected = sorted(range(len(times)), key=lambda i: times[i])
    assert [int(e.id) for e in timeline] == expected
    assert [int(e.id) for e in timeline.since(cut)] == [i for i in expected if times[i] >= cut]
    assert [int(e.id) for e in timeline.drop_before(cut)] == [i for i in expected if times[i] < cut]
    assert [int(e.id) for e in timeline] == [i for i in expected if times[i] >= cut]
