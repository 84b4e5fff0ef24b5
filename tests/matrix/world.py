"""The account that every cell of the matrix has for itself, and what happens in it while the cell runs."""

from exporter.demo.activity import Clock
from exporter.demo.world import World
from tests.simulator.worlds import FIXED_NOW, fixed_world

PRODUCTION = "us_env_9f2kQw1d"
EMPTY = "us_env_2ndProd0"
ODD = "us_env_7hT3bLx0"
ENVIRONMENTS = (PRODUCTION, EMPTY, ODD)

HOOKS, SPACE, ODD_SPACE, USER = "us_ag_Hn3cQ0ye", "us_sp_Zr5vB81c", "us_sp_Odd00001", "us_usr_Kq81mZ4t"
COMMIT = "us_evt_a1B2c3D4e5F6g7H8"
DAY = 86400.0


def matrix_world(clock: Clock) -> World:
    """The small fixed account, with something of everything: all ids and times are the same each time.

    An agent that has run and a job in each environment; guests in two; one environment has no spaces.
    """
    world = fixed_world(clock)
    importer = world.deploy_agent(
        EMPTY, "importer", (), with_id="us_ag_Empty001", at=FIXED_NOW - 7 * DAY, announce=False
    )
    agents = {EMPTY: importer.id, ODD: "us_ag_Odd00001"}
    for number, (environment, agent) in enumerate(agents.items()):
        event = world.emit("job:ready", environment, with_id=f"us_evt_ran{number}", at=FIXED_NOW - 900, runs=False)
        world.run_agent(agent, event, success=True, lag=0.25, duration=0.5)
        job = world.add_job(environment, with_id=f"us_jb_ran{number}", at=FIXED_NOW - 900, announce=False)
        world.finish_job(job.id, "complete", at=FIXED_NOW - 890, announce=False)
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
    for event in [event for event in world.events if event.id == COMMIT]:
        world.run_agent(HOOKS, event, success=False, lag=at - event.created_at, duration=0.5)
    job = world.add_job(PRODUCTION, SPACE, with_id="us_jb_New00001", created_by=USER, at=at, announce=False)
    world.finish_job(job.id, "failed", at=at, announce=False)


def sums(world: World, since: float) -> dict[str, int]:
    """What the account holds, as the sum over each family's series; `since`: when the exporter began to count."""
    runs = [run for environment in world.environments for run in world.executions_of[environment]]
    return {
        "flatfile_environments": len(world.environments),
        "flatfile_users": len(world.users),
        "flatfile_spaces": len(world.spaces),
        "flatfile_agents": len(world.agents),
        "flatfile_guests": len(world.guests),
        "flatfile_guest_memberships": sum(len(guest.spaces) for guest in world.guests.values()),
        "flatfile_events_total": sum(event.created_at >= since for event in world.events),
        "flatfile_agent_executions_total": sum(run.completed_at >= since for run in runs),
        "flatfile_jobs": len(world.jobs),
    }
