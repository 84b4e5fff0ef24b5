"""Who and where, by name: only those that events name are asked for, and what is not known is null."""

import pytest

from exporter.flatfile.errors import ServerError
from tests.audit.rig import Audited, Row, auditing
from tests.collectors.exported import Time
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import FIXED_NOW, fixed_world

PROD = "us_env_9f2kQw1d"
NORD, OLD = "us_sp_Zr5vB81c", "us_sp_Old00001"


async def row_of(audited: Audited, event_id: str) -> Row:
    return next(row for row in await audited.once() if row["event_id"] == event_id)


@pytest.mark.parametrize(
    ("event", "actor"),
    [
        ("us_evt_old0000000000001", ("user", "us_usr_Kq81mZ4t", "PERSONAL-Ada", "kq81mz4t@team.test")),
        ("us_evt_twn0000000000007", ("guest", "us_g_Mb3nV4cx", "PERSONAL-Jane", "mb3nv4cx@customer.test")),
        ("us_evt_agt0000000000006", ("agent", "us_ag_Hn3cQ0ye", "import-hooks", None)),
        ("us_evt_c3D4e5F6g7H8i9J0", ("api_key", "us_key_Xc1vB2nm", None, None)),
        ("us_evt_z9Y8x7W6v5U4t3S2", ("system", "us_jb_Rt9yU8io", None, None)),
        ("us_evt_sys0000000000003", ("system", None, None, None)),
        ("us_evt_unk0000000000005", ("unknown", "us_zz_Wh0Kn0ws", None, None)),
    ],
)
@pytest.mark.parametrize("guests", ["refused", "all", "empty"])
async def test_each_kind_of_actor(event: str, actor: tuple[str | None, ...], guests: str) -> None:
    switches = Switches(guests_without_space=guests)  # type: ignore[arg-type]
    async with SimulatedServer(fixed_world(Time()), switches) as api, auditing(api) as audited:
        row = await row_of(audited, event)
    assert tuple(row[key] for key in ("actor_type", "actor_id", "actor_name", "actor_email")) == actor


async def test_spaces_environments_and_ids() -> None:
    time = Time()
    world = fixed_world(time)
    context = {
        "appId": "us_app_1",
        "workbookId": "us_wb_1",
        "sheetId": "us_sh_1",
        "jobId": "us_jb_1",
        "fileId": "us_fl_1",
    }
    made = world.emit("file:created", PROD, space_id=NORD, context=context)
    deployed = world.emit("agent:created", PROD, context={"agentId": "us_ag_Hn3cQ0ye"})
    async with SimulatedServer(world) as api, auditing(api) as audited:
        rows = {row["event_id"]: row for row in await audited.once()}
    row = rows[made.id]
    assert (row["account"], row["environment"], row["space"]) == ("acme", "production", 'Onboarding "Nord" GmbH')
    assert [row[key] for key in ("app_id", "workbook_id", "sheet_id", "job_id", "file_id")] == [
        "us_app_1",
        "us_wb_1",
        "us_sh_1",
        "us_jb_1",
        "us_fl_1",
    ]
    assert (row["domain"], row["time"]) == ("file", "2025-11-20T08:55:00.000Z")
    assert rows[deployed.id]["agent_id"] == "us_ag_Hn3cQ0ye"
    assert rows[deployed.id]["space"] is None


@pytest.mark.parametrize(
    "switches", [{}, {"archived": "only"}, {"archived_hidden": False}, {"space_sort_taken": False}]
)
async def test_an_archived_space_has_its_name(switches: dict[str, object]) -> None:
    time = Time()
    world = fixed_world(time)
    made = world.emit("space:archived", PROD, space_id=OLD)
    async with SimulatedServer(world, Switches(**switches)) as api, auditing(api) as audited:  # type: ignore[arg-type]
        assert (await row_of(audited, made.id))["space"] == "2024 pilot"


async def test_who_and_what_is_gone_has_no_name_and_no_error() -> None:
    time = Time()
    world = fixed_world(time)
    stranger = world.add_guest(NORD, "Left", announce=False)
    world.emit("file:created", PROD, space_id=NORD, actor_id=stranger.id, with_id="us_evt_left")
    world.remove_guest(stranger.id, NORD, announce=False)
    gone = world.add_space(PROD, "Gone", announce=False)
    world.emit("file:created", PROD, space_id=gone.id, actor_id=stranger.id, with_id="us_evt_gone")
    world.delete_space(gone.id, announce=False)
    world.emit("agent:deleted", PROD, actor_id="us_ag_G0neG0ne", with_id="us_evt_agent")
    world.emit("file:created", PROD, actor_id=stranger.id, with_id="us_evt_nospace")
    async with SimulatedServer(world) as api, auditing(api) as audited:
        rows = {row["event_id"]: row for row in await audited.once()}
        assert audited.whole
        assert await audited.audit.run_to_end()
    for event in ("us_evt_left", "us_evt_gone", "us_evt_agent", "us_evt_nospace"):
        assert (rows[event]["actor_name"], rows[event]["actor_email"]) == (None, None)
    assert rows["us_evt_gone"]["space"] is None


async def test_nobody_is_asked_for_where_only_ids_are_wanted() -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api, actors="id") as audited:
        rows = await audited.once()
        assert not {"actor_name", "actor_email"} & set(rows[0])
        assert [api.count(path) for path in ("/users", "/guests", "/agents")] == [0, 0, 0]


async def test_with_hashes_no_name_is_left() -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api, actors="hash") as audited:
        rows = await audited.once()
        text = b"".join(audited.out.lines).decode()
    for mark in ("PERSONAL-", "@customer.test", "@team.test", "us_usr_", "us_g_"):
        assert mark not in text
    assert {row["actor_name"] for row in rows if row["actor_type"] == "agent"} == {"import-hooks"}


async def test_names_are_asked_for_once() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        before = [api.count(path) for path in ("/users", "/guests", "/agents", "/spaces")]
        assert before[:2] == [1, 1]
        world.emit("file:created", PROD, space_id=NORD, actor_id="us_g_Mb3nV4cx")
        world.emit("file:created", PROD, space_id=NORD, actor_id="us_usr_Kq81mZ4t")
        world.emit("file:created", PROD, space_id=NORD, actor_id="us_ag_Hn3cQ0ye")
        assert len(await audited.once()) == 3
        assert [api.count(path) for path in ("/users", "/guests", "/agents", "/spaces")] == before


async def test_only_spaces_that_events_name_are_asked_for_guests() -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api) as audited:
        await audited.once()
        asked = [request.query.get("spaceId") for request in api.requests if request.path.endswith("/guests")]
        assert asked == [NORD]


async def test_a_new_guest_and_a_new_space_are_asked_for() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        time.pass_(10)
        space = world.add_space(PROD, "Brand new", announce=False)
        guest = world.add_guest(space.id, "Newcomer", announce=False)
        made = world.emit("file:created", PROD, space_id=space.id, actor_id=guest.id)
        row = await row_of(audited, made.id)
        assert (row["space"], row["actor_name"]) == ("Brand new", "PERSONAL-Newcomer")


async def test_a_renamed_space_has_its_new_name_from_then_on() -> None:
    time = Time()
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        time.pass_(10)
        world.spaces[NORD].name = "Renamed"
        made = world.emit("space:updated", PROD, space_id=NORD)
        assert (await row_of(audited, made.id))["space"] == "Renamed"


@pytest.mark.parametrize("path", ["/users", "/guests", "/agents", "/spaces"])
async def test_refused_names_are_null_said_once_and_leave_the_audit_incomplete(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api) as audited:
        api.faults.add(path, Status(403))
        assert len(await audited.once()) == 10
        assert not await audited.audit.run_to_end()
    (record,) = [record for record in caplog.records if "names could not be read" in record.message]
    assert record.__dict__["fields"]["endpoint"] == path


@pytest.mark.parametrize("path", ["/users", "/guests", "/agents", "/spaces"])
async def test_names_that_may_be_had_later_are_waited_for(path: str) -> None:
    """A line is written once: it must not be without a name because of a failure that passes."""
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api) as audited:
        rule = api.faults.add(path, Status(500))
        with pytest.raises(ServerError):
            await audited.once()
        assert audited.out.lines == []
        api.faults.remove(rule)
        assert len(await audited.once()) == 10


async def test_names_are_asked_for_again_after_an_hour() -> None:
    time = Time(FIXED_NOW)
    world = fixed_world(time)
    async with SimulatedServer(world) as api, auditing(api) as audited:
        await audited.once()
        world.users["us_usr_Kq81mZ4t"].name = "Ada L."
        audited.audit.names._since -= 3601
        made = world.emit("file:created", PROD, actor_id="us_usr_Kq81mZ4t")
        assert (await row_of(audited, made.id))["actor_name"] == "Ada L."
