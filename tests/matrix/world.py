"""The account that every cell of the matrix has for itself, and what happens in it while the cell runs."""

from exporter.demo.accounts import FIXED_NOW, fixed_world
from exporter.demo.activity import Clock
from exporter.demo.world import World

PRODUCTION = "us_env_9f2kQw1d"
EMPTY = "us_env_2ndProd0"
ODD = "us_env_7hT3bLx0"
ENVIRONMENTS = (PRODUCTION, EMPTY, ODD)

HOOKS, SPACE, ODD_SPACE, USER = "us_ag_Hn3cQ0ye", "us_sp_Zr5vB81c", "us_sp_Odd00001", "us_usr_Kq81mZ4t"
DAY = 86400.0


def matrix_world(clock: Clock) -> World:
    """The small fixed account, with an agent in each environment and guests in two: all ids and times are the same each time."""
    world = fixed_world(clock)
    world.deploy_agent(EMPTY, "importer", (), with_id="us_ag_Empty001", at=FIXED_NOW - 7 * DAY, announce=False)
    world.add_guest(ODD_SPACE, with_id="us_g_Odd00001", at=FIXED_NOW - 9 * DAY, last_accessed=None, announce=False)
    return world


def change(world: World, at: float) -> None:
    """Something happens `at` that time in everything that collectors look at."""
    world.add_user("New", with_id="us_usr_New00001", at=at, seen=None)
    made = world.add_space(PRODUCTION, "New", with_id="us_sp_New00001", at=at, announce=False)
    made.files = 3
    world.add_guest(ODD_SPACE, with_id="us_g_New000001", at=at, last_accessed=at, announce=False)
    world.deploy_agent(ODD, "validator", (), with_id="us_ag_New00001", at=at, announce=False)
    for number, environment in enumerate(ENVIRONMENTS):
        world.emit("job:failed", environment, with_id=f"us_evt_new{number}", actor_id=USER, at=at, runs=False)
    world.emit("commit:created", PRODUCTION, with_id="us_evt_new3", at=at, space_id=SPACE, runs=False)
    ran = world.emit("job:ready", PRODUCTION, with_id="us_evt_new4", at=at, space_id=SPACE, runs=False)
    world.run_agent(HOOKS, ran, success=True, lag=0.25, duration=0.5)
    job = world.add_job(PRODUCTION, SPACE, with_id="us_jb_New00001", created_by=USER, at=at, announce=False)
    world.finish_job(job.id, "failed", at=at, announce=False)
