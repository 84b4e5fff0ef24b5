"""A living account: the same for the same seed, an hour of history at the start, an agent that goes missing."""

from typing import Any

import pytest

from exporter.demo.accounts import demo_world
from exporter.demo.life import BACKFILL, KEPT, MAX_GUESTS, MAX_SPACES, Life, rhythm
from exporter.demo.records import Event
from exporter.demo.world import World
from tests.simulator.worlds import sized_world

START = 1_795_546_039.0


def living(seed: int = 1) -> tuple[World, Life]:
    world = demo_world(lambda: START, seed)
    return world, Life(world, seed)


def everything(world: World) -> list[str]:
    return [
        repr(record)
        for pool in (world.spaces, world.agents, world.users, world.guests, world.jobs)
        for record in pool.values()
    ] + [repr(e) for e in world.events]


def test_an_hour_has_happened_at_the_start() -> None:
    world, life = living()
    assert life.now == START
    for environment_id in world.environments:
        events = list(world.events_of[environment_id])
        assert START - BACKFILL <= events[0].created_at <= START - BACKFILL + 300
        assert all(e.created_at <= START for e in events)
        assert sum(e.created_at > START - 300 for e in events) > 0, "a rate shows from the first scrape"
        assert len(world.executions_of[environment_id]) > 0
    topics = {e.topic for e in world.events}
    assert topics >= {"commit:created", "records:created", "file:created", "cron:5-minutes", "cron:hourly"}
    assert topics >= {"job:created", "job:ready", "job:completed", "job:failed", "space:guestAdded", "agent:updated"}
    assert {j.status for j in world.jobs.values()} >= {"complete", "failed"}


def test_the_same_seed_lives_the_same_hour() -> None:
    one, life_of_one = living()
    two, life_of_two = living()
    life_of_one.advance(START + 1800)
    life_of_two.advance(START + 1800)
    assert everything(one) == everything(two)
    other, _ = living(seed=2)
    assert everything(one) != everything(other)


def test_it_does_not_matter_how_often_it_is_asked() -> None:
    once, life_of_once = living()
    often, life_of_often = living()
    life_of_once.advance(START + 1800)
    for second in range(0, 1801, 7):
        life_of_often.advance(START + second)
    life_of_often.advance(START + 1800)
    assert everything(once) == everything(often)


def test_time_never_runs_backward() -> None:
    world, life = living()
    before = everything(world)
    life.advance(START - 100)
    assert life.now == START
    life.advance(START)
    assert everything(world) == before


def test_the_expected_agent_goes_missing_and_returns() -> None:
    world, life = living()
    production = next(e.id for e in world.environments.values() if e.name == "production")
    there, ids = [], set()
    for minute in range(61):
        life.advance(START + minute * 60 + 1)
        agent = world.find_agent(production, "validator")
        there.append(agent is not None)
        ids.add(agent.id if agent else None)
    missing = [minute for minute, present in enumerate(there) if not present]
    assert missing == [*range(1, 9), *range(21, 29), *range(41, 49)]
    assert len(ids - {None}) == 4, "each time it comes back as a new agent"
    told = [e.topic for e in world.events_of[production] if e.topic in ("agent:deleted", "agent:created")]
    assert told == ["agent:deleted", "agent:created"] * 3


def test_no_agent_goes_missing_where_none_should() -> None:
    world = demo_world(lambda: START)
    life = Life(world, missing=None)
    before = set(world.agents)
    life.advance(START + 3600)
    assert set(world.agents) == before


def test_history_is_bounded_and_people_too() -> None:
    world, life = living()
    full = next(iter(world.environments))
    for number in range(MAX_SPACES):
        space = world.add_space(full, f"space {number}")
        for _ in range(MAX_GUESTS // MAX_SPACES):
            world.add_guest(space.id, "Ada")
    for hour in range(1, 25):
        life.advance(START + hour * 3600)
    oldest = next(iter(world.events)).created_at
    assert oldest >= START + 24 * 3600 - KEPT
    for environment_id in world.environments:
        assert 0 < len(world.spaces_of[environment_id]) < 80
        assert 0 < len(world.guests_of[environment_id]) < 130


class Counting(World):
    """Counts the events that ever happened."""

    happened = 0

    def emit(self, *args: Any, **named: Any) -> Event:
        self.happened += 1
        return super().emit(*args, **named)


def test_a_long_pause_is_not_lived_through() -> None:
    world = Counting(lambda: START)
    world.add_user("Ada")
    world.add_space(world.add_environment("production", is_prod=True).id, "only")
    life = Life(world)
    first_hour = world.happened
    life.advance(START + 30 * 86400)
    assert 100 < world.happened - first_hour < 4 * first_hour, "an hour's worth, not a month's"
    assert all(e.created_at > START + 29 * 86400 for e in world.events)


def test_it_lives_on_when_things_are_taken_away() -> None:
    world, life = living()
    for environment_id in list(world.environments)[1:]:
        world.delete_environment(environment_id, at=START)
    for user_id in list(world.users):
        world.remove_user(user_id)
    for space_id in list(world.spaces)[1:]:
        world.delete_space(space_id, at=START)
    for guest_id in list(world.guests):
        world.remove_guest(guest_id, next(iter(world.spaces)), at=START)
    life.advance(START + 3600)
    for environment_id in list(world.environments):
        world.delete_environment(environment_id, at=START + 3600)
    life.advance(START + 7200)
    assert not world.spaces
    empty = sized_world(lambda: START, environments=0, spaces=0, guests=0, users=0)
    Life(empty).advance(START + 3600)
    assert not empty.jobs


@pytest.mark.parametrize(("hour", "busy"), [(14, 1.0), (2, 0.3)])
def test_the_rhythm_of_a_day(hour: int, busy: float) -> None:
    assert rhythm(hour * 3600.0 + 86400 * 3) == pytest.approx(busy)


def test_some_spaces_stay_idle_and_some_users_away() -> None:
    world = demo_world(lambda: START)
    life = Life(world)
    life.advance(START + 3600)
    idle = [s.id for s in world.spaces.values() if s.last_activity_at < START - 30 * 86400]
    away = [u.id for u in world.users.values() if u.last_seen_at is not None and u.last_seen_at < START - 86400]
    assert 0 < len(idle) < len(world.spaces)
    assert 0 < len(away) < len(world.users)
    assert any(s.last_activity_at > START for s in world.spaces.values())
    assert any(u.last_seen_at is not None and u.last_seen_at > START for u in world.users.values())
