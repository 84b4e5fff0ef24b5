"""What the endpoints answer, and what each switch changes."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.demo.answers import Refused, template
from exporter.demo.markers import MARKERS
from exporter.demo.rows import Row
from exporter.demo.world import World
from tests.simulator.answers import answer, ask_of
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import FIXED_NOW, fixed_world, sized_world

ENV, ODD = "us_env_9f2kQw1d", "us_env_7hT3bLx0"
IDS = {"/agents/executions": "eventId"}


def ask(world: World, path: str, switches: Switches | None = None, **query: object) -> Row:
    text = {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in query.items()}
    return answer(ask_of(world, switches or Switches(), path, text, world.clock()))


def ids(body: Row) -> list[str]:
    return [row.get("id", row.get("eventId")) for row in body["data"]]


def refusal(world: World, path: str, switches: Switches | None = None, **query: object) -> int:
    with pytest.raises(Refused) as caught:
        ask(world, path, switches, **query)
    return caught.value.status


# Paging

LISTS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/environments", {}),
    ("/spaces", {"archived": "true"}),
    ("/agents", {"environmentId": "first"}),
    ("/agents/executions", {"environmentId": "first"}),
    ("/users", {}),
    ("/events", {"includeAcknowledged": "true"}),
    ("/jobs", {}),
)


def crowded() -> World:
    world = sized_world(lambda: FIXED_NOW, environments=13, spaces=31, guests=40, users=27, agents=23, events=60)
    first = next(iter(world.environments))
    for i in range(25):
        world.add_job(first, at=FIXED_NOW - 600 + i, announce=False)
    agent_id = next(iter(world.agents_of[first]))
    for i in range(15):
        event = world.emit("file:created", first, at=FIXED_NOW - 300 + i, runs=False)
        world.run_agent(agent_id, event, lag=0.1, duration=1.0)
    return world


CROWDED = crowded()


def query_of(world: World, query: Mapping[str, str]) -> dict[str, str]:
    return {name: next(iter(world.environments)) if value == "first" else value for name, value in query.items()}


@pytest.mark.parametrize(("path", "query"), LISTS)
@given(size=st.integers(1, 70), clamp=st.none() | st.integers(1, 70), first=st.sampled_from([0, 1]))
def test_the_pages_of_a_list_hold_each_row_once(
    path: str, query: dict[str, str], size: int, clamp: int | None, first: int
) -> None:
    switches = Switches(first_page=1 if first else 0, page_clamp={} if clamp is None else {"*": clamp})
    asked = query_of(CROWDED, query)
    whole = ids(ask(CROWDED, path, **asked, pageSize=10_000))
    assert len(set(whole)) == len(whole) > 12
    seen: list[str] = []
    number = first
    while page := ids(ask(CROWDED, path, switches, **asked, pageSize=size, pageNumber=number)):
        assert len(page) <= min(size, clamp or size)
        seen += page
        number += 1
    assert seen == whole


@pytest.mark.parametrize(("path", "query"), LISTS)
def test_default_page_size_and_what_is_said_about_pages(path: str, query: dict[str, str]) -> None:
    asked = query_of(CROWDED, query)
    body = ask(CROWDED, path, **asked)
    total = len(ask(CROWDED, path, **asked, pageSize=10_000)["data"])
    size = 10 if path in ("/environments", "/spaces", "/events") else 20
    assert len(body["data"]) == min(size, total)
    if path == "/events":
        assert "pagination" not in body
    else:
        assert body["pagination"] == {"currentPage": 1, "pageCount": -(-total // size), "totalCount": total}
    said = ask(CROWDED, path, Switches(events_pagination=True, pagination="right"), **asked)
    assert said["pagination"]["totalCount"] == total
    assert "pagination" not in ask(CROWDED, path, Switches(events_pagination=True, pagination="absent"), **asked)
    stale = ask(CROWDED, path, Switches(events_pagination=True, pagination="stale"), **asked)
    assert stale["pagination"]["totalCount"] == total - 1
    zero = ask(CROWDED, path, Switches(events_pagination=True, pagination="zero"), **asked)
    assert (zero["pagination"]["pageCount"], zero["pagination"]["totalCount"]) == (0, total)


@pytest.mark.parametrize(("path", "query"), LISTS)
def test_page_number_ignored_and_unpaged(path: str, query: dict[str, str]) -> None:
    asked = query_of(CROWDED, query)
    same = Switches(page_number_ignored={path})
    assert ids(ask(CROWDED, path, same, **asked, pageSize=5, pageNumber=2)) == ids(
        ask(CROWDED, path, **asked, pageSize=5)
    )
    unpaged = ask(CROWDED, path, Switches(unpaged={path}), **asked, pageSize=5, pageNumber=2)
    assert ids(unpaged) == ids(ask(CROWDED, path, **asked, pageSize=10_000))
    assert "pagination" not in unpaged


@pytest.mark.parametrize(("path", "query"), LISTS)
@pytest.mark.parametrize("bad", [{"pageSize": 0}, {"pageSize": "ten"}, {"pageNumber": 0}, {"pageNumber": -1}])
def test_pages_that_cannot_be(path: str, query: dict[str, str], bad: dict[str, object]) -> None:
    assert refusal(CROWDED, path, **query_of(CROWDED, query), **bad) == 400


def test_a_page_size_above_the_limit_is_refused() -> None:
    switches = Switches(page_limit={"/spaces": 100})
    assert refusal(CROWDED, "/spaces", switches, pageSize=101) == 400
    assert len(ids(ask(CROWDED, "/spaces", switches, pageSize=100))) == 28
    assert len(ids(ask(CROWDED, "/users", switches, pageSize=101))) == 27


def test_guests_come_all_at_once() -> None:
    space_id = max(CROWDED.guests_in, key=lambda s: len(CROWDED.guests_in[s]))
    body = ask(CROWDED, "/guests", spaceId=space_id, pageSize=1, pageNumber=2)
    assert ids(body) == list(CROWDED.guests_in[space_id])
    assert set(body) == {"data"}


# Spaces


@pytest.mark.parametrize(
    ("reading", "hidden", "default", "asked"),
    [
        ("also", True, {"live"}, {"live", "archived"}),
        ("only", True, {"live"}, {"archived"}),
        ("ignored", True, {"live"}, {"live"}),
        ("also", False, {"live", "archived"}, {"live", "archived"}),
        ("only", False, {"live", "archived"}, {"archived"}),
        ("ignored", False, {"live", "archived"}, {"live", "archived"}),
    ],
)
def test_archived(reading: Any, hidden: bool, default: set[str], asked: set[str]) -> None:
    world, switches = fixed_world(), Switches(archived=reading, archived_hidden=hidden)

    def kinds(body: Row) -> set[str]:
        return {"archived" if row["archivedAt"] else "live" for row in body["data"]}

    assert kinds(ask(world, "/spaces", switches, environmentId=ENV)) == default
    assert kinds(ask(world, "/spaces", switches, environmentId=ENV, archived=True)) == asked


def test_spaces_by_environment_or_for_the_account() -> None:
    world = fixed_world()
    assert set(ids(ask(world, "/spaces", environmentId=ODD))) == set(world.spaces_of[ODD])
    everywhere = ask(world, "/spaces", archived=True)
    assert set(ids(everywhere)) == set(world.spaces)
    ignored = Switches(environment_ignored={"/spaces", "/events"})
    assert set(ids(ask(world, "/spaces", ignored, environmentId=ODD, archived=True))) == set(world.spaces)
    assert len(ids(ask(world, "/events", ignored, environmentId=ODD, includeAcknowledged=True))) == 10
    assert refusal(world, "/spaces", environmentId="us_env_gone0000") == 404


def test_sorting_spaces_and_users() -> None:
    world = fixed_world()
    up = ids(ask(world, "/spaces", sortField="createdAt", sortDirection="asc"))
    down = ids(ask(world, "/spaces", sortField="createdAt", sortDirection="desc"))
    assert up == sorted(up, key=lambda i: world.spaces[i].created_at) == down[::-1]
    assert len(ids(ask(world, "/spaces", sortField="lastActivityAt", sortDirection="asc"))) == len(up)
    assert refusal(world, "/spaces", sortField="createdAt") == 400
    assert refusal(world, "/spaces", sortDirection="asc") == 400
    assert refusal(world, "/spaces", sortField="color", sortDirection="asc") == 400
    unsorted = Switches(space_sort_taken=False)
    assert refusal(world, "/spaces", unsorted, sortField="createdAt", sortDirection="asc") == 400
    by_name = ask(world, "/users", sortField="name", sortDirection="desc")["data"]
    assert [u["name"] for u in by_name] == sorted((u.name for u in world.users.values()), reverse=True)
    assert len(ask(world, "/users", sortField="last_seen_at", sortDirection="asc")["data"]) == 4
    assert refusal(world, "/users", sortField="lastSeenAt", sortDirection="asc") == 400


def test_searching() -> None:
    world = fixed_world()
    assert ids(ask(world, "/spaces", search="NORD")) == ["us_sp_Zr5vB81c"]
    assert ids(ask(world, "/spaces", namespace="nightly-data")) == ["us_sp_Zr5vB81c"]
    assert ids(ask(world, "/spaces", app="us_app_Pt6wY2nd")) == ["us_sp_Zr5vB81c"]
    assert ids(ask(world, "/users", search="ada")) == ["us_usr_Kq81mZ4t"]
    assert ids(ask(world, "/agents", environmentId=ENV, search="HOOKS")) == ["us_ag_Hn3cQ0ye"]


# Agents, executions


def test_system_agents() -> None:
    world = fixed_world()
    plain, system = ["us_ag_Hn3cQ0ye"], ["us_ag_Sy5tEm01"]
    hiding = Switches(system_agents_listed=False)
    deaf = Switches(is_system_honoured=False)
    assert ids(ask(world, "/agents", environmentId=ENV)) == plain + system
    assert ids(ask(world, "/agents", environmentId=ENV, isSystem=True)) == system
    assert ids(ask(world, "/agents", environmentId=ENV, isSystem=False)) == plain
    assert ids(ask(world, "/agents", hiding, environmentId=ENV)) == plain
    assert ids(ask(world, "/agents", hiding, environmentId=ENV, isSystem=True)) == system
    assert ids(ask(world, "/agents", deaf, environmentId=ENV, isSystem=True)) == plain + system
    assert refusal(world, "/agents") == 400
    assert refusal(world, "/agents", environmentId=ENV, isSystem="perhaps") == 400


def test_agent_rows() -> None:
    world = fixed_world()
    row, system = ask(world, "/agents", Switches(source_bytes=5000), environmentId=ENV)["data"]
    assert len(row["source"]) == 5000
    assert (row["slug"], row["namespace"], row["isSystem"]) == ("import-hooks", "nightly-data", False)
    assert "slug" not in system


def test_executions() -> None:
    world = fixed_world()
    every = ask(world, "/agents/executions", environmentId=ENV)["data"]
    assert [r["createdAt"] for r in every] == sorted((r["createdAt"] for r in every), reverse=True)
    assert not {"id", "agentId"} & set(every[0])
    one = ask(world, "/agents/executions", environmentId=ENV, agentId="us_ag_Hn3cQ0ye")["data"]
    assert [(r["eventId"], r["success"], r["duration"]) for r in one] == [
        ("us_evt_a1B2c3D4e5F6g7H8", True, 1490),
        ("us_evt_z9Y8x7W6v5U4t3S2", False, 30000),
    ]
    deaf = Switches(agent_id_honoured=False)
    assert len(ask(world, "/agents/executions", deaf, environmentId=ENV, agentId="us_ag_Hn3cQ0ye")["data"]) == 3
    assert len(ask(world, "/agents/executions", environmentId=ENV, success=False)["data"]) == 1
    assert refusal(world, "/agents/executions") == 400


def test_a_run_is_listed_when_it_has_ended() -> None:
    now = [FIXED_NOW]
    world = fixed_world(lambda: now[0])
    event = world.emit("commit:created", ENV, runs=False)
    world.run_agent("us_ag_Hn3cQ0ye", event, lag=1, duration=10)
    assert event.id not in ids(ask(world, "/agents/executions", environmentId=ENV))
    listed = {row["id"]: row for row in ask(world, "/events")["data"]}
    assert (listed[event.id]["acknowledgedAt"], listed[event.id]["acknowledgedBy"]) == (None, None)
    now[0] += 11
    assert event.id in ids(ask(world, "/agents/executions", environmentId=ENV))
    assert event.id not in ids(ask(world, "/events")), "acknowledged now"
    listed = {row["id"]: row for row in ask(world, "/events", includeAcknowledged=True)["data"]}
    assert listed[event.id]["acknowledgedBy"] == "us_ag_Hn3cQ0ye"


# Guests


def test_guests_without_a_space() -> None:
    world = fixed_world()
    assert refusal(world, "/guests") == 400
    assert ask(world, "/guests", Switches(guests_without_space="empty")) == {"data": []}
    assert ids(ask(world, "/guests", Switches(guests_without_space="all"))) == list(world.guests)


@pytest.mark.parametrize(
    ("reading", "named"), [("all", ["us_sp_Zr5vB81c", "us_sp_Old00001"]), ("asked", ["us_sp_Zr5vB81c"]), ("empty", [])]
)
def test_which_spaces_a_guest_names(reading: Any, named: list[str]) -> None:
    switches = Switches(guest_spaces=reading)
    jane = ask(fixed_world(), "/guests", switches, spaceId="us_sp_Zr5vB81c")["data"][0]
    assert [s["id"] for s in jane["spaces"]] == named
    assert ids(ask(fixed_world(), "/guests", spaceId="us_sp_Old00001")) == [jane["id"]]
    assert refusal(fixed_world(), "/guests", spaceId="us_sp_gone0000") == 404


# Events


def event_ids(world: World, switches: Switches | None = None, **query: object) -> list[str]:
    return ids(ask(world, "/events", switches, includeAcknowledged=True, pageSize=100, **query))


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def test_since() -> None:
    world = fixed_world()
    edge = FIXED_NOW - 60  # two events lie exactly there
    assert len(event_ids(world)) == 10
    assert len(event_ids(world, since=iso(edge))) == 3
    assert len(event_ids(world, since=iso(edge), environmentId=ENV)) == 3
    assert len(event_ids(world, Switches(since="exclusive"), since=iso(edge))) == 1
    assert len(event_ids(world, Switches(since="day"), since=iso(edge))) == 10
    assert len(event_ids(world, Switches(since="ignored"), since=iso(edge))) == 10
    world.emit("file:created", ENV, at=FIXED_NOW - 86400)
    assert len(event_ids(world, Switches(since="day"), since=iso(edge))) == 10
    assert refusal(world, "/events", since="yesterday") == 400


def test_order_of_events() -> None:
    world = fixed_world()
    down = event_ids(world)
    assert down[0] == "us_evt_c3D4e5F6g7H8i9J0"
    assert event_ids(world, Switches(event_order="asc")) == down[::-1]
    shuffled = event_ids(world, Switches(event_order="shuffled"))
    assert sorted(shuffled) == sorted(down)
    assert shuffled not in (down, down[::-1])
    assert event_ids(world, Switches(event_order="shuffled")) == shuffled
    switches, asked = Switches(event_order="shuffled"), {"includeAcknowledged": True, "pageSize": 3}
    paged = [i for n in (1, 2, 3, 4) for i in ids(ask(world, "/events", switches, **asked, pageNumber=n))]
    assert sorted(paged) == sorted(down), "the same shuffle for each page of a query"


def test_acknowledged_events_hide() -> None:
    world = fixed_world()
    hidden = {e.id for e in world.events if e.acknowledged_at}
    assert set(event_ids(world)) - set(ids(ask(world, "/events", pageSize=100))) == hidden
    assert hidden
    open_ = Switches(acknowledged_hidden=False)
    assert ids(ask(world, "/events", open_, pageSize=100)) == event_ids(world)


def test_a_late_event_is_listed_late() -> None:
    now = [FIXED_NOW]
    world = fixed_world(lambda: now[0])
    late = world.emit("file:created", ENV, at=FIXED_NOW - 5, visible_at=FIXED_NOW + 25)
    assert late.id not in event_ids(world)
    now[0] += 25
    assert late.id in event_ids(world)


def test_filtering_events() -> None:
    world = fixed_world()
    assert event_ids(world, topic="teapot:boiled") == ["us_evt_unk0000000000005"]
    assert event_ids(world, domain="cron") == ["us_evt_b2C3d4E5f6G7h8I9"]
    assert event_ids(world, spaceId="us_sp_Odd00001") == []
    assert event_ids(world, environmentId=ODD) == ["us_evt_b2C3d4E5f6G7h8I9"]


def test_an_event_may_call_its_topic_type() -> None:
    world = fixed_world()
    event = world.emit("file:created", ENV)
    event.topic_key, event.deleted_at = "type", FIXED_NOW
    row = ask(world, "/events")["data"][0]
    assert (row["type"], "topic" in row) == ("file:created", False)
    assert row["deletedAt"]


# Jobs


def test_order_of_jobs() -> None:
    world = fixed_world()
    down = ids(ask(world, "/jobs", environmentId=ENV, sortDirection="desc"))
    assert down == ["us_jb_Rt9yU8io", "us_jb_Done0002", "us_jb_Open0003"]
    assert ids(ask(world, "/jobs", sortDirection="asc")) == down[::-1]
    deaf = Switches(job_order="asc")
    assert ids(ask(world, "/jobs", deaf, environmentId=ENV, sortDirection="desc")) == down[::-1]
    assert sorted(ids(ask(world, "/jobs", Switches(job_order="shuffled")))) == sorted(down)
    assert ids(ask(world, "/jobs", spaceId="us_sp_Odd00001")) == []


# Who may see what


@pytest.mark.parametrize("path", ["/spaces", "/agents", "/agents/executions", "/events", "/jobs"])
def test_an_environment_refused_or_gone(path: str) -> None:
    world = fixed_world()
    refused, gone = Switches(forbidden={(path, ENV)}), Switches(vanished={ENV})
    assert refusal(world, path, refused, environmentId=ENV) == 403
    assert refusal(world, path, Switches(forbidden={("*", ENV)}), environmentId=ENV) == 403
    assert refusal(world, path, gone, environmentId=ENV) == 404
    ask(world, path, refused, environmentId=ODD)
    assert ENV in ids(ask(world, "/environments", gone))
    assert refusal(world, f"/environments/{ENV}", gone) == 404
    if "agents" not in path:
        everywhere = json.dumps(ask(world, path, refused, archived=True, pageSize=100))
        assert ENV not in everywhere, "its rows are left out of the account's list"


def test_guests_of_a_refused_environment() -> None:
    world = fixed_world()
    refused = Switches(forbidden={("/guests", ENV)}, guests_without_space="all")
    assert refusal(world, "/guests", refused, spaceId="us_sp_Zr5vB81c") == 403
    assert ids(ask(world, "/guests", refused)) == []


# Rows


def test_fields_replaced() -> None:
    world = fixed_world()
    switches = Switches(fields={"/spaces": {"environmentId": ABSENT, "lastActivityAt": "soon", "filesCount": None}})
    for row in ask(world, "/spaces", switches)["data"]:
        assert "environmentId" not in row
        assert (row["lastActivityAt"], row["filesCount"]) == ("soon", None)
    switches.fields_in_row = 1
    changed = [row["lastActivityAt"] == "soon" for row in ask(world, "/spaces", switches)["data"]]
    assert [i for i, was in enumerate(changed) if was] == [1]


def test_times() -> None:
    world = fixed_world()
    rows = {row["id"]: row for row in ask(world, "/spaces")["data"]}
    assert rows["us_sp_Zr5vB81c"]["lastActivityAt"] == "2025-11-20T08:54:00.000Z"
    assert rows["us_sp_Quiet001"]["lastActivityAt"] == "2025-09-30"
    assert rows["us_sp_Odd00001"]["lastActivityAt"] is None
    plain = {row["id"]: row for row in ask(world, "/spaces", Switches(plain_dates=True))["data"]}
    assert plain["us_sp_Zr5vB81c"]["lastActivityAt"] == "2025-11-20"


def test_every_secret_and_personal_value_is_marked() -> None:
    world = fixed_world()
    told = Switches(guests_without_space="all")
    account = ask(world, "/accounts/current")["data"]
    space = ask(world, "/spaces")["data"][0]
    agent = ask(world, "/agents", environmentId=ENV)["data"][0]
    event = ask(world, "/events")["data"][0]
    user, guest = ask(world, "/users")["data"][0], ask(world, "/guests", told)["data"][0]
    job = ask(world, "/jobs")["data"][0]
    secrets = [
        *(account[k] for k in ("metadata", "customFromEmail", "stripeCustomerId")),
        *(space[k] for k in ("accessToken", "guestLink", "metadata", "createdByUserName")),
        *(agent[k] for k in ("source", "sourceMap")),
        *(event[k] for k in ("payload", "dataUrl")),
        *(user[k] for k in ("name", "email")),
        *(guest[k] for k in ("name", "email")),
        *(job[k] for k in ("info", "outcome")),
    ]
    for value in secrets:
        assert any(mark in json.dumps(value) for mark in MARKERS), value
    shown = [world.name, *(e.name for e in world.environments.values()), *(s.name for s in world.spaces.values())]
    assert not any(mark in name for mark in MARKERS for name in shown)


def test_paths_that_are_not_there() -> None:
    world = fixed_world()
    assert refusal(world, "/apps") == 404
    assert refusal(world, "/auth/api-keys") == 403
    assert refusal(world, "/agents/us_ag_Hn3cQ0ye/versions/us_agv_T7uW1x2y/revert") == 403
    assert refusal(world, "/guests/us_g_Mb3nV4cx/token") == 403


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/spaces", "/spaces"),
        ("/environments/us_env_9f2kQw1d", "/environments/{id}"),
        ("/agents/us_ag_x/versions/us_agv_y/revert", "/agents/{id}/versions/{id}/revert"),
        ("/agents/executions", "/agents/executions"),
    ],
)
def test_path_templates(path: str, expected: str) -> None:
    assert template(path) == expected


def test_a_shuffle_is_of_the_query_alone() -> None:
    random.seed(3)
    one = event_ids(fixed_world(), Switches(event_order="shuffled"))
    random.seed(4)
    assert event_ids(fixed_world(), Switches(event_order="shuffled")) == one
