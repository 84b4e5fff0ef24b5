"""Every event of every environment, each once, in the order of time: whatever the API makes of lists."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from exporter.audit.selection import Selection
from exporter.audit.state import Positions
from exporter.config import Globs
from exporter.flatfile.errors import Forbidden, ServerError
from tests.audit.rig import EVERYTHING, OVERLAP, auditing
from tests.collectors.exported import OfTheWholeAccount, Time
from tests.simulator.faults import Deformed, Status
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import ABSENT, Switches
from tests.simulator.worlds import FIXED_NOW, fixed_world, sized_world

PROD, SECOND, ODD = "us_env_9f2kQw1d", "us_env_2ndProd0", "us_env_7hT3bLx0"


def ids(api: SimulatedServer) -> list[str]:
    """All events in the order of their time."""
    return [event.id for event in sorted(api.world.events, key=lambda event: (event.created_at, event.id))]


class Hiding(Deformed):
    """Leaves an environment's events out of a list."""

    def __init__(self, environment: str) -> None:
        self.environment = environment

    def of_list(self, body: dict[str, Any], page: int, first: Callable[[], Any]) -> dict[str, Any]:
        return {**body, "data": [row for row in body["data"] if row["context"]["environmentId"] != self.environment]}


class Foreign(Deformed):
    """Puts an event into a list that is in no other."""

    def of_list(self, body: dict[str, Any], page: int, first: Callable[[], Any]) -> dict[str, Any]:
        row = {"id": "us_evt_none", "topic": "account:renamed", "createdAt": "2025-11-20T08:00:00Z"}
        return {**body, "data": [*body["data"], row] if page == 1 else []}


READINGS: Mapping[str, dict[str, Any]] = {
    "literal": {},
    "since_ignored": {"since": "ignored"},
    "since_exclusive": {"since": "exclusive"},
    "since_by_day": {"since": "day"},
    "oldest_first": {"event_order": "asc"},
    "no_order": {"event_order": "shuffled"},
    "small_pages": {"page_clamp": {"/events": 10}},
    "small_pages_and_no_order": {"page_clamp": {"/events": 10}, "event_order": "shuffled"},
    "page_limit": {"page_limit": {"/events": 100}},
    "from_page_0": {"first_page": 0},
    "page_number_ignored": {"page_number_ignored": {"/events"}},
    "pagination": {"events_pagination": True},
    "type_for_topic": {},
}


@pytest.mark.parametrize("reading", READINGS)
async def test_each_event_once_in_the_order_of_time(reading: str) -> None:
    time = Time()
    world = sized_world(time, environments=3, spaces=6, guests=5, users=3, agents=1, events=601)
    if reading == "type_for_topic":
        for event in world.events:
            event.topic_key = "type"
    async with SimulatedServer(world, Switches(**READINGS[reading])) as api, auditing(api) as audited:
        await audited.once()
        world.emit("file:created", next(iter(world.environments)), at=time.now + 1)
        time.pass_(5)
        await audited.once()
        assert audited.out.ids == ids(api)
        assert {row["topic"] for row in audited.out.rows} == {"records:created", "file:created"}


async def test_nothing_new_writes_nothing() -> None:
    time = Time()
    async with SimulatedServer(fixed_world(time)) as api, auditing(api) as audited:
        assert len(await audited.once()) == 10
        assert await audited.once() == []
        assert audited.whole


async def test_an_event_that_becomes_visible_late_is_told_once() -> None:
    time = Time()
    world = fixed_world(time)
    world.emit("file:created", PROD, with_id="us_evt_late", at=time.now - 1, visible_at=time.now + 50)
    world.emit("file:created", PROD, with_id="us_evt_newer", at=time.now)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        assert "us_evt_late" not in audited.out.ids
        time.pass_(55)
        world.emit("file:created", PROD, with_id="us_evt_newest", at=time.now)
        assert [row["event_id"] for row in await audited.once()] == ["us_evt_late", "us_evt_newest"]
        assert await audited.once() == []


async def test_since_and_until_bound_what_is_told() -> None:
    time = Time()
    selection = Selection(EVERYTHING, until=FIXED_NOW - 60)
    async with (
        SimulatedServer(fixed_world(time), Switches(since="ignored")) as api,
        auditing(api, since=FIXED_NOW - 250, selection=selection) as audited,
    ):
        rows = await audited.once()
    assert [row["time"] for row in rows] == [
        "2025-11-20T08:50:50.000Z",
        "2025-11-20T08:50:55.000Z",
        "2025-11-20T08:51:00.000Z",
        "2025-11-20T08:51:40.000Z",
        "2025-11-20T08:53:00.000Z",
        "2025-11-20T08:54:00.000Z",
        "2025-11-20T08:54:00.000Z",
    ]


@pytest.mark.parametrize(
    ("environments", "configured", "expected"),
    [
        ((), Globs(("*",), ()), {PROD, ODD}),
        (("production",), Globs(("*",), ()), {PROD}),
        (("us_env_7*",), Globs(("*",), ()), {ODD}),
        (("*",), Globs(("*",), ("prod*",)), {ODD}),
        (("prod*", "de*"), Globs(("*",), ()), {PROD, ODD}),
        (("nowhere",), Globs(("*",), ()), set()),
    ],
)
async def test_environments_are_chosen_by_name_or_id(
    environments: tuple[str, ...], configured: Globs, expected: set[str]
) -> None:
    async with (
        SimulatedServer(fixed_world(Time())) as api,
        auditing(api, selection=Selection(configured, environments)) as audited,
    ):
        assert {row["environment_id"] for row in await audited.once()} == expected


async def test_topics_are_chosen_and_the_mark_moves_on_without_them() -> None:
    time = Time()
    selection = Selection(EVERYTHING, topics=("file:*", "teapot:boiled"))
    async with SimulatedServer(fixed_world(time)) as api, auditing(api, selection=selection) as audited:
        rows = await audited.once()
        assert [row["topic"] for row in rows] == ["file:created", "file:updated", "teapot:boiled"]
        assert audited.positions.read_to[PROD] == FIXED_NOW - 50  # of the newest event of all


async def test_an_environment_that_the_account_wide_list_hides_is_asked_by_itself() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        api.faults.rules.append(OfTheWholeAccount("/events", Hiding(ODD)))
        await audited.once()
        assert audited.out.ids == ids(api)
        time.pass_(100)
        world.emit("file:created", ODD, at=time.now - 70)  # longer ago than the overlap of what was seen elsewhere
        world.emit("file:created", PROD, at=time.now - 1)
        await audited.once()
        assert audited.out.ids == ids(api)


@pytest.mark.parametrize("status", [400, 403, 422, 500])
async def test_where_the_account_wide_list_is_refused_each_environment_is_asked(status: int) -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api) as audited:
        api.faults.rules.append(OfTheWholeAccount("/events", Status(status)))
        await audited.once()
        assert audited.out.ids == ids(api)
        assert audited.whole
        assert await audited.once() == []


async def test_events_that_name_no_environment_get_it_from_the_list_of_their_environment() -> None:
    world = fixed_world(Time())
    switches = Switches(fields={"/events": {"context": ABSENT}})
    async with SimulatedServer(world, switches) as api, auditing(api) as audited:
        rows = await audited.once()
        assert audited.out.ids == ids(api)
        assert {row["environment_id"] for row in rows} == {PROD, ODD}
        assert await audited.once() == []


async def test_an_event_without_any_environment_is_told_where_none_is_left_out() -> None:
    world = fixed_world(Time())
    switches = Switches(fields={"/events": {"context": ABSENT}}, forbidden={("/events", PROD)})
    async with SimulatedServer(world, switches) as api:
        api.faults.rules.append(OfTheWholeAccount("/events", Foreign()))
        async with auditing(api) as audited:
            rows = await audited.once()
            assert [row["environment_id"] for row in rows] == [None, ODD]
            assert await audited.once() == []
        async with auditing(api, selection=Selection(Globs(("*",), (PROD,)))) as audited:
            assert [row["environment_id"] for row in await audited.once()] == [ODD]


async def test_a_refused_environment_is_reported_and_the_rest_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async with SimulatedServer(fixed_world(Time()), Switches(forbidden={("*", PROD)})) as api, auditing(api) as audited:
        rows = await audited.once()
        assert {row["environment_id"] for row in rows} == {ODD}
        assert not audited.whole
        await audited.once()
    (record,) = [record for record in caplog.records if "could not be read" in record.message]  # and not at each pass
    assert record.__dict__["fields"]["environment_id"] == PROD
    assert record.__dict__["fields"]["reason"] == "forbidden"


async def test_what_was_refused_for_long_is_caught_up_with() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        api.switches.forbidden = {("*", PROD)}
        for _ in range(3):
            time.pass_(300)
            for environment in (PROD, ODD):
                world.emit("file:created", environment, at=time.now)
            await audited.once()
        assert len(audited.out.ids) == 13
        api.switches.forbidden = set()
        await audited.once()
        assert audited.whole
        assert sorted(audited.out.ids) == sorted(ids(api))
        assert await audited.once() == []
        assert audited.state._db.execute("SELECT count(*) FROM written").fetchone()[0] < 7, "what is old is forgotten"


async def test_where_everything_fails_the_error_is_raised_and_nothing_moves() -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api) as audited:
        api.faults.add("/events", Status(500))
        with pytest.raises(ServerError):
            await audited.once()
        api.faults.clear()
        api.faults.add("/events", Status(403))
        with pytest.raises(Forbidden):
            await audited.once()
        assert audited.positions == Positions(0.0, OVERLAP, {}, {})


async def test_events_of_a_deleted_environment_are_told_by_its_id() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        world.delete_environment(ODD)
        await audited.once()
        gone = [row for row in audited.out.rows if row["environment_id"] == ODD]
        assert [row["topic"] for row in gone] == ["cron:5-minutes", "environment:deleted"]
        assert {row["environment"] for row in gone} == {None}
        assert audited.whole
        assert await audited.once() == []


async def test_an_environment_deleted_between_the_list_and_its_use_is_no_failure() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        world.delete_environment(SECOND)
        await audited.once()
        assert audited.whole


async def test_a_new_environment_is_read_from_its_beginning() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api, since=FIXED_NOW - 3600) as audited:
        api.faults.rules.append(OfTheWholeAccount("/events", Status(400)))
        await audited.once()
        time.pass_(3600)
        made = world.add_environment("new", at=time.now - 1800)
        audited.audit.reader._listed_at = float("-inf")
        rows = await audited.once()
        assert [(row["topic"], row["environment_id"]) for row in rows] == [("environment:created", made.id)]


async def test_an_event_without_a_time_is_reported() -> None:
    switches = Switches(fields={"/events": {"createdAt": "noon"}}, fields_in_row=0)
    async with SimulatedServer(fixed_world(Time()), switches) as api, auditing(api) as audited:
        assert len(await audited.once()) >= 8
        assert not audited.whole


async def test_acknowledged_events_are_told_too() -> None:
    time = Time()
    world = fixed_world(time)
    for event in world.events:
        event.acknowledged_at = time.now - 10
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        assert audited.out.ids == ids(api)


async def test_only_allowed_requests_are_sent() -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api, payload=True) as audited:
        await audited.once()
        assert not api.forbidden_requests


async def test_payloads_are_told_when_asked_for() -> None:
    async with SimulatedServer(fixed_world(Time())) as api:
        async with auditing(api, payload=True) as audited:
            assert {json.dumps(row["payload"]) for row in await audited.once()} == {'{"note": "SECRET-payload"}'}
        async with auditing(api) as audited:
            await audited.once()
            assert b"SECRET" not in b"".join(audited.out.lines)


async def test_environments_that_the_configuration_names_by_id_are_asked_for_one_by_one(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a key of one environment, which may list neither the environments nor the events of the account."""
    async with SimulatedServer(fixed_world(Time())) as api:
        api.faults.add("/environments", Status(403))
        api.faults.rules.append(OfTheWholeAccount("/events", Status(403)))
        async with auditing(api, selection=Selection(EVERYTHING, ids=(PROD,))) as audited:
            rows = await audited.once()
            assert audited.whole
            assert {(row["environment_id"], row["environment"]) for row in rows} == {(PROD, "production")}
        async with auditing(api, selection=Selection(EVERYTHING, ids=(PROD, "us_env_Gone0"))) as audited:
            assert len(await audited.once()) == len(rows)
            assert not audited.whole
    assert "events of an environment could not be read" in caplog.text
    assert "no environment is selected" not in caplog.text


async def test_environments_that_the_configuration_does_not_name_by_id_are_left_out() -> None:
    async with (
        SimulatedServer(fixed_world(Time())) as api,
        auditing(api, selection=Selection(EVERYTHING, ids=(PROD,))) as audited,
    ):
        assert {row["environment_id"] for row in await audited.once()} == {PROD}


async def test_where_no_environment_is_selected_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        SimulatedServer(fixed_world(Time())) as api,
        auditing(api, selection=Selection(Globs(("prodution",), ()))) as audited,
    ):
        for _ in range(2):
            assert await audited.once() == []
            audited.audit.reader._listed_at = float("-inf")
    assert caplog.text.count("no environment is selected") == 1
