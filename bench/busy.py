"""A simulated account in which hours happen in minutes, and where things go wrong; served from a process of its own."""

import asyncio
import contextlib
import multiprocessing
import random
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection

from exporter.demo.accounts import demo_world
from exporter.demo.life import Life
from exporter.demo.world import World
from tests.simulator.faults import (
    Disconnect,
    DuplicateRows,
    EmptyBody,
    EndlessPages,
    Fault,
    Hang,
    NoData,
    NotJson,
    NullRows,
    Reset,
    RowWithoutId,
    Status,
    Truncated,
    WrongTotal,
    WrongTypes,
)
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches

TOKEN_LIFE = 20.0  # seconds
TOKEN_CALLS = 500
STEP = 0.2  # seconds from one change to the next
FAULT_EVERY = 4.0  # seconds
LEAST_SPACES, MOST_SPACES = 12, 20  # of an environment
MOST_GUESTS = 25
MOST_ENVIRONMENTS = 7
FAULTS: tuple[Fault, ...] = (
    Status(500),
    Status(502, body="html"),
    Status(429, 1.0),
    Status(403),
    Status(401),
    Status(404),
    Hang(),
    Reset(),
    Disconnect(),
    Truncated(),
    EmptyBody(),
    NotJson(),
    NoData(),
    NullRows(),
    RowWithoutId(),
    DuplicateRows(),
    EndlessPages(),
    WrongTotal(5),
    WrongTypes(),
)
PATHS = (
    "*", "/auth", "/environments", "/spaces", "/agents", "/agents/executions", "/users", "/guests", "/events", "/jobs",
)  # fmt: skip
TOPICS = (
    "records:created", "records:updated", "records:deleted", "commit:created", "commit:completed", "job:ready",
    "job:updated", "file:created", "file:updated", "file:deleted", "sheet:updated", "snapshot:created",
    "workbook:created", "workbook:updated", "workbook:deleted", "space:updated", "document:created",
)  # fmt: skip


class Bustle:
    """Changes an account again and again, within bounds, so that its size stays what it is."""

    def __init__(self, world: World, seed: int) -> None:
        self._world = world
        self._rng = random.Random(seed)
        self._first = [*world.environments]
        self._users = len(world.users)

    def step(self) -> None:
        """Some events, and one change of another kind."""
        world, rng = self._world, self._rng
        environment = rng.choice([*world.environments])
        spaces = [*world.spaces_of[environment].values()]
        for _ in range(3):
            space = rng.choice(spaces).id if spaces else None
            world.emit(rng.choice(TOPICS), environment, space_id=space, actor_id=next(iter(world.users), None))
        change: Callable[[str], None] = rng.choice(
            (self._spaces, self._space, self._guests, self._agents, self._people)
        )
        change(environment)

    def _spaces(self, environment: str) -> None:
        spaces = [*self._world.spaces_of[environment]]
        if len(spaces) > LEAST_SPACES and (len(spaces) > MOST_SPACES or self._rng.random() < 0.5):
            self._world.delete_space(self._rng.choice(spaces))
        else:
            self._world.add_space(environment, f"Space {self._rng.random()}")

    def _space(self, environment: str) -> None:
        spaces = [*self._world.spaces_of[environment].values()]
        if not spaces:
            return
        space = self._rng.choice(spaces)
        if self._rng.random() < 0.5:
            self._world.touch_space(space.id, files=1)
        elif space.archived_at is None:
            self._world.archive_space(space.id)
        else:
            self._world.unarchive_space(space.id)

    def _guests(self, environment: str) -> None:
        guests = [*self._world.guests_of[environment].values()]
        spaces = [*self._world.spaces_of[environment]]
        if len(guests) > MOST_GUESTS or (guests and self._rng.random() < 0.5):
            guest = self._rng.choice(guests)
            self._world.remove_guest(guest.id, next(iter(guest.spaces)))
        elif spaces:
            self._world.add_guest(self._rng.choice(spaces), last_accessed=time.time())

    def _agents(self, environment: str) -> None:
        agents = [*self._world.agents_of[environment].values()]
        if len(agents) > 5:
            self._world.delete_agent(self._rng.choice(agents).id)
        elif agents and self._rng.random() < 0.7:
            self._world.redeploy_agent(self._rng.choice(agents).id)
        else:
            self._world.deploy_agent(environment, f"agent-{self._rng.randint(1, 1_000_000)}")

    def _people(self, _: str) -> None:
        """Users come and go; now and then an environment does, with all that it holds."""
        world, rng = self._world, self._rng
        others = [env for env in world.environments if env not in self._first]
        if rng.random() < 0.1:
            if len(world.environments) >= MOST_ENVIRONMENTS:
                world.delete_environment(rng.choice(others))
            else:
                world.add_environment(f"environment {rng.randint(1, 1_000_000)}")
        elif len(world.users) > self._users:
            world.remove_user(rng.choice([*world.users]))
        else:
            world.add_user(f"User {rng.random()}", seen=time.time())


@contextlib.contextmanager
def busy(seed: int, *, faults: bool) -> Iterator[tuple[str, Callable[[], dict[str, int]]]]:
    """Serve such an account. Gives its address, and how to ask what has come and happened so far."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, seed, faults), daemon=True)
    process.start()

    def told() -> dict[str, int]:
        ours.send("tell")
        answer: dict[str, int] = ours.recv()
        return answer

    try:
        yield ours.recv(), told
    finally:
        ours.send("stop")
        process.join()


def _serve(connection: Connection, seed: int, faults: bool) -> None:
    asyncio.run(_served(connection, seed, faults))


async def _served(connection: Connection, seed: int, faults: bool) -> None:
    world = demo_world(time.time, seed)
    switches = Switches(token_life=TOKEN_LIFE, token_calls=TOKEN_CALLS)
    happened = {"changes": 0, "faults": 0}
    rng = random.Random(seed + 1)
    async with SimulatedServer(world, switches, life=Life(world, seed)) as api:

        async def change() -> None:
            bustle = Bustle(world, seed)
            while True:
                bustle.step()
                happened["changes"] += 1
                await asyncio.sleep(STEP)

        async def go_wrong() -> None:
            while True:
                await asyncio.sleep(FAULT_EVERY * rng.uniform(0.5, 1.5))
                rule = api.faults.add(rng.choice(PATHS), rng.choice(FAULTS))
                await asyncio.sleep(rng.uniform(0.5, 2))
                api.faults.remove(rule)
                happened["faults"] += rule.hits

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(change())]
            if faults:
                tasks.append(group.create_task(go_wrong()))
            connection.send(api.base_url)
            while await asyncio.to_thread(connection.recv) != "stop":
                exchanges = api.count("/auth")
                connection.send({**happened, "requests": api.count(), "tokens": exchanges, "spaces": len(world.spaces)})
            for task in tasks:
                task.cancel()
