"""Simulated accounts for tests: a small fixed one for golden files, and one of any size."""

from exporter.demo.accounts import DAY
from exporter.demo.activity import Clock
from exporter.demo.world import World

FIXED_NOW = 1763628900.0  # 2025-11-20T08:55:00Z: the moment for which `fixed_world` is made


def fixed_world(clock: Clock = lambda: FIXED_NOW) -> World:
    """A small account that never changes, for golden files: every id, name and time is written here.

    Two environments of one name and one with a name full of quotes, backslashes, newlines and emoji; spaces in every
    state, one with nulls, one with a plain date; guests of several spaces; agents without slug or with the same
    slug; a topic that nobody knows; actors of every kind; runs that failed; jobs of every kind of end.
    """
    world = World(clock, name='Acme "Imports" \\ 🚀\nline two')
    now = FIXED_NOW
    for id_, name, days in (
        ("us_usr_Kq81mZ4t", "Ada", 0.2),
        ("us_usr_Bo000002", "Bo", 3.0),
        ("us_usr_Cy000003", "Cy", 20.0),
    ):
        world.add_user(name, with_id=id_, at=now - 500 * DAY, seen=now - days * DAY)
    world.add_user("Never", with_id="us_usr_Ne000004", at=now - 2 * DAY, seen=None)
    _fixed_production(world, now)
    world.add_environment("production", with_id="us_env_2ndProd0", is_prod=True, announce=False)
    odd = world.add_environment('de"v\\el\nop 🧪', with_id="us_env_7hT3bLx0", announce=False)
    space = world.add_space(odd.id, 'Space "x" \\ 🌲\n2', with_id="us_sp_Odd00001", at=now - 5 * DAY, announce=False)
    space.workbooks = space.files = None
    space.last_activity_at = None
    world.deploy_agent(odd.id, 'sl"ug\\\n🤖', (), with_id="us_ag_Odd00001", at=now - 9 * DAY, announce=False)
    world.deploy_agent(odd.id, "import-hooks", (), with_id="us_ag_Odd00002", at=now - 8 * DAY, announce=False)
    world.emit("cron:5-minutes", odd.id, with_id="us_evt_b2C3d4E5f6G7h8I9", at=now - 240, runs=False)
    return world


def _fixed_production(world: World, now: float) -> None:
    prod = world.add_environment("production", with_id="us_env_9f2kQw1d", is_prod=True, announce=False).id
    nord = world.add_space(prod, 'Onboarding "Nord" GmbH', with_id="us_sp_Zr5vB81c", at=now - 170 * DAY, announce=False)
    nord.namespace, nord.app_id, nord.workbooks, nord.files = "nightly-data", "us_app_Pt6wY2nd", 2, 14
    nord.updated_at, nord.last_activity_at = now - DAY, now - 60
    quiet = world.add_space(prod, "Quiet since summer", with_id="us_sp_Quiet001", at=now - 200 * DAY, announce=False)
    quiet.last_activity_at, quiet.updated_at, quiet.files = "2025-09-30", now - 51 * DAY, 5
    old = world.add_space(prod, "2024 pilot", with_id="us_sp_Old00001", at=now - 680 * DAY, announce=False)
    old.last_activity_at, old.files = "2024-05-30", 3
    world.archive_space(old.id, at=now - 292 * DAY, announce=False)
    gone = world.add_space(prod, "Expired", with_id="us_sp_Expired1", at=now - 400 * DAY, announce=False)
    gone.last_activity_at, gone.workbooks = now - 399 * DAY, 0
    world.expire_space(gone.id, at=now - 30 * DAY, announce=False)

    jane = world.add_guest(
        nord.id, "Jane", with_id="us_g_Mb3nV4cx", at=now - 169 * DAY, last_accessed=now - 110, announce=False
    )
    world.admit_guest(jane.id, old.id, at=now - 168 * DAY, announce=False)
    for id_, seen in (("us_g_Week0002", now - 3 * DAY), ("us_g_Month003", now - 20 * DAY), ("us_g_Never004", None)):
        world.add_guest(nord.id, "Other", with_id=id_, at=now - 90 * DAY, last_accessed=seen, announce=False)

    hooks = world.deploy_agent(
        prod, "import-hooks", ("commit:created", "job:ready", "file:created"), with_id="us_ag_Hn3cQ0ye",
        namespace="nightly-data", at=now - 264 * DAY, announce=False,
    )  # fmt: skip
    hooks.updated_at = now - 2 * DAY
    system = world.deploy_agent(
        prod, None, ("job:ready",), with_id="us_ag_Sy5tEm01", is_system=True, at=now - 264 * DAY, announce=False
    )

    job = world.add_job(prod, nord.id, with_id="us_jb_Rt9yU8io", created_by=jane.id, at=now - 302, announce=False)
    world.finish_job(job.id, "failed", at=now - 270, announce=False)
    done = world.add_job(prod, nord.id, "extract", with_id="us_jb_Done0002", kind="file", at=now - 3000, announce=False)
    world.finish_job(done.id, "complete", at=now - 2990, announce=False)
    world.add_job(prod, nord.id, with_id="us_jb_Open0003", at=now - 7200, announce=False).status = "executing"

    happened = (
        ("us_evt_old0000000000001", "file:created", 600.0, "us_usr_Kq81mZ4t", nord.id),
        ("us_evt_z9Y8x7W6v5U4t3S2", "job:ready", 299.0, job.id, nord.id),
        ("us_evt_sys0000000000003", "space:updated", 250.0, None, nord.id),
        ("us_evt_sys0000000000004", "file:updated", 245.0, world.account_id, nord.id),
        ("us_evt_unk0000000000005", "teapot:boiled", 200.0, "us_zz_Wh0Kn0ws", None),
        ("us_evt_agt0000000000006", "records:updated", 120.0, hooks.id, nord.id),
        ("us_evt_twn0000000000007", "records:created", 60.0, jane.id, nord.id),
        ("us_evt_a1B2c3D4e5F6g7H8", "commit:created", 60.0, jane.id, nord.id),
        ("us_evt_c3D4e5F6g7H8i9J0", "agent:updated", 50.0, "us_key_Xc1vB2nm", None),
    )
    made = {
        id_: world.emit(topic, prod, with_id=id_, at=now - ago, actor_id=actor, space_id=space_id, runs=False)
        for id_, topic, ago, actor, space_id in happened
    }
    ready, commit = made["us_evt_z9Y8x7W6v5U4t3S2"], made["us_evt_a1B2c3D4e5F6g7H8"]
    world.run_agent(hooks.id, ready, success=False, lag=1.0, duration=30.0)
    world.run_agent(system.id, ready, success=True, lag=0.5, duration=0.08)
    world.run_agent(hooks.id, commit, success=True, lag=0.212, duration=1.49)


def sized_world(
    clock: Clock,
    *,
    environments: int = 6,
    spaces: int = 400,
    guests: int = 900,
    users: int = 50,
    agents: int = 4,
    events: int = 0,
    seed: int = 1,
) -> World:
    """An account of a size. `spaces`, `guests` and `events` (of the last hour): in all, spread evenly over the
    environments; `agents`: in each. Every fourth guest is in two spaces, every tenth space is archived."""
    world = World(clock, seed, name="Sized")
    now = clock()
    for i in range(users):
        world.add_user(f"User {i}", at=now - 100 * DAY, seen=now - (i % 40) * DAY)
    for i in range(environments):
        environment = world.add_environment(f"environment-{i}", is_prod=i == 0, announce=False)
        for k in range(agents):
            world.deploy_agent(environment.id, f"agent-{k}", at=now - 50 * DAY, announce=False)
    ids = list(world.environments)
    if not ids:
        return world
    space_ids = []
    for i in range(spaces):
        made = world.add_space(ids[i % len(ids)], f"Space {i}", at=now - (spaces - i) % 300 * DAY, announce=False)
        made.files = i % 7
        space_ids.append(made.id)
        if i % 10 == 9:
            world.archive_space(made.id, at=now, announce=False)
    for i in range(guests if spaces else 0):
        seen = now - i % 60 * DAY
        guest = world.add_guest(space_ids[i % spaces], f"Guest {i}", at=seen, last_accessed=seen, announce=False)
        other = space_ids[(i + len(ids)) % spaces]
        if i % 4 == 0 and world.spaces[other].environment_id == guest.environment_id and other not in guest.spaces:
            world.admit_guest(guest.id, other, at=seen, last_accessed=seen, announce=False)
    for i in range(events):
        space = world.spaces[space_ids[i % spaces]] if spaces else None
        environment_id = space.environment_id if space else ids[i % len(ids)]
        at = now - 3600 + 3600 * i / events
        world.emit("records:created", environment_id, space_id=space.id if space else None, at=at, runs=False)
    return world
