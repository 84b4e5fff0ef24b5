"""The made-up accounts."""

import json
from pathlib import Path

from exporter.demo.accounts import DAY, EXPECTED_AGENTS, demo_world
from exporter.demo.records import Agent
from tests.simulator.answers import answer, ask_of
from tests.simulator.switches import Switches
from tests.simulator.worlds import FIXED_NOW, fixed_world, sized_world

GOLDEN = Path(__file__).with_name("fixed_account.json")


def test_the_demo_company() -> None:
    world = demo_world(lambda: FIXED_NOW)
    names = [e.name for e in world.environments.values()]
    assert names == ["production", "staging", "development", "development"]
    assert sum(e.is_prod for e in world.environments.values()) == 1
    assert 35 <= len(world.spaces) <= 45
    assert len(world.users) == 12
    assert 55 <= len(world.guests) <= 65
    assert any(len(g.spaces) > 1 for g in world.guests.values())
    assert any(s.archived_at for s in world.spaces.values())
    assert any(s.expired_at for s in world.spaces.values())
    for held in world.agents_of.values():
        assert sum(a.is_system for a in held.values()) == 1
    for record in (*world.spaces.values(), *world.guests.values(), *world.agents.values()):
        assert record.created_at <= record.updated_at <= FIXED_NOW


def test_the_expected_agents_are_there() -> None:
    world = demo_world(lambda: FIXED_NOW)
    for name, slugs in EXPECTED_AGENTS.items():
        held = next(world.agents_of[e.id] for e in world.environments.values() if e.name == name)
        found: set[str | None] = {agent.slug for agent in held.values() if isinstance(agent, Agent)}
        assert found >= set(slugs)


def everything_answered() -> dict[str, object]:
    """Every list of the fixed account, as it goes out."""
    world = fixed_world()
    told = Switches(guests_without_space="all", acknowledged_hidden=False, archived_hidden=False)
    asked: list[tuple[str, dict[str, str]]] = [
        (path, {})
        for path in ("/accounts/current", "/environments", "/spaces", "/users", "/guests", "/events", "/jobs")
    ]
    for environment_id in world.environments:
        asked += [(path, {"environmentId": environment_id}) for path in ("/agents", "/agents/executions")]
    return {f"{p} {q.get('environmentId', '')}": answer(ask_of(world, told, p, q, FIXED_NOW)) for p, q in asked}


def test_the_fixed_account_never_changes() -> None:
    """Golden files stand on it. Written by `python -m tests.demo.test_accounts`."""
    assert everything_answered() == json.loads(GOLDEN.read_text())


def test_the_fixed_account_has_what_golden_files_need() -> None:
    world = fixed_world()
    assert len({e.name for e in world.environments.values()}) < len(world.environments)
    text = "".join(e.name for e in world.environments.values()) + world.name
    assert all(sign in text for sign in ('"', "\\", "\n", "🧪"))
    assert any(a.slug and "\n" in a.slug for a in world.agents.values())
    assert "teapot:boiled" in {e.topic for e in world.events}
    kinds = {(e.actor_id or "us_none_x").split("_")[1] for e in world.events}
    assert kinds >= {"usr", "g", "ag", "key", "acc", "jb", "zz", "none"}
    assert {isinstance(s.last_activity_at, str) for s in world.spaces.values()} == {True, False}
    assert None in {s.last_activity_at for s in world.spaces.values()}
    assert {j.status for j in world.jobs.values()} == {"failed", "complete", "executing"}


def test_an_account_of_a_size() -> None:
    world = sized_world(lambda: FIXED_NOW, environments=6, spaces=400, guests=900, users=3, agents=4, events=50)
    sizes = [len(p) for p in (world.environments, world.spaces, world.guests, world.users, world.agents)]
    assert sizes == [6, 400, 900, 3, 24]
    assert len(world.events) == 50
    assert {len(g.spaces) for g in world.guests.values()} == {1, 2}
    assert sum(s.archived_at is not None for s in world.spaces.values()) == 40
    assert all(g.created_at > FIXED_NOW - 60 * DAY for g in world.guests.values())
    spread = [len(held) for held in world.spaces_of.values()]
    assert max(spread) - min(spread) <= 1


if __name__ == "__main__":
    GOLDEN.write_text(json.dumps(everything_answered(), indent=1, ensure_ascii=False) + "\n")
