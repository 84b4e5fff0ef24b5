"""A simulated account of any size, served from a process of its own: it takes no time from who is measured."""

import contextlib
import gc
import math
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bench.clocked import Ahead
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.activity import Clock
from exporter.demo.world import World
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import sized_world

__all__ = ["CLIENT_ID", "SECRET", "Simulated", "Size", "simulated"]

DAY = 86400.0
LIVELY = 20  # spaces that are worked in, again and again


@dataclass(frozen=True, slots=True)
class Size:
    """How large the account is: all numbers are for the whole account but `agents`, which each environment has.

    `events` are those of the last hour, `history` those of the 90 days before.
    """

    environments: int = 6
    spaces: int = 400
    guests: int = 900
    users: int = 50
    events: int = 600
    agents: int = 4
    source_bytes: int = 200
    history: int = 0

    def __str__(self) -> str:
        return (
            f"{self.environments} environments, {self.spaces} spaces, {self.guests} guests, {self.users} users, "
            f"{self.agents} agents in each environment, {self.events} events an hour"
        )


@dataclass(slots=True)
class Simulated:
    """The served account: where it is, and what has been asked of it."""

    base_url: str
    _connection: Connection

    def counts(self) -> Counter[str]:
        """How many requests have come so far, by path template."""
        return Counter(self._told("counts"))

    def wait_until_quiet(self, seconds: float = 0.15) -> None:
        """Wait until no request has been open, and none has come, for so many seconds."""
        before, since = -1, time.monotonic()
        while time.monotonic() - since < seconds:
            number, open_ = self._told("traffic")
            if open_ or number != before:
                before, since = number, time.monotonic()
            time.sleep(0.02)

    def emitted(self) -> int:
        """How many events there have been since the start, of all environments."""
        number: int = self._told("emitted")
        return number

    def emit(self, events: int) -> None:
        """Let so many events happen now, in all environments in turn."""
        self._told("emit", events)

    def set_latency(self, seconds: float) -> None:
        """Let each answer take that long from now on."""
        self._told("latency", seconds)

    def work(self, spaces: int) -> None:
        """Let somebody bring a file into so many spaces, now."""
        self._told("work", spaces)

    def _told(self, *question: object) -> Any:
        self._connection.send(question)
        return self._connection.recv()


@contextlib.contextmanager
def simulated(size: Size, latency: float, ahead: Path | None = None) -> Iterator[Simulated]:
    """Serve an account of that size, each answer after `latency` seconds. `ahead` is the file that its clock follows."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, size, latency, ahead), daemon=True)
    process.start()
    try:
        yield Simulated(ours.recv(), ours)
    finally:
        ours.send(("stop",))
        process.join()


def _serve(connection: Connection, size: Size, latency: float, ahead: Path | None) -> None:
    world = world_of(size, time.time if ahead is None else Ahead(ahead).clock(time.time))
    emitted = 0
    gc.freeze()  # a large account is not looked through again and again
    switches = Switches(latency={"*": latency}, source_bytes=size.source_bytes)
    with SimulatedServer(world, switches).in_thread() as api:
        connection.send(api.base_url)
        while (question := connection.recv())[0] != "stop":
            match question:
                case ("counts",):
                    connection.send(api.call(api.counts))
                case ("traffic",):
                    connection.send((api.count(), api.in_flight))
                case ("emitted",):
                    connection.send(emitted)
                case ("emit", events):
                    connection.send(api.call(_emit, world, emitted, events))
                    emitted += events
                case ("latency", seconds):
                    connection.send(api.call(switches.latency.__setitem__, "*", seconds))
                case ("work", spaces):
                    connection.send(api.call(_work, world, spaces))


def world_of(size: Size, clock: Clock) -> World:
    """An account of that size. No two spaces were made, or worked in, at the same time."""
    sizes = asdict(size)
    del sizes["source_bytes"], sizes["history"]
    world = sized_world(clock, **sizes)
    now = clock()
    for i, space in enumerate(world.spaces.values()):
        space.created_at -= i
        space.updated_at = space.last_activity_at = space.created_at + 60
    environments = [*world.environments]
    spaces = [*world.spaces.values()]
    older = [
        (now - 3600 - 90 * DAY * (size.history - i) / size.history, spaces[i % len(spaces)].id if spaces else None)
        for i in range(size.history)
    ]
    recent = world.events.drop_before(math.inf)
    for each in world.events_of.values():
        each.drop_before(math.inf)
    for at, space_id in older:
        environment = world.spaces[space_id].environment_id if space_id else environments[0]
        world.emit("records:created", environment, space_id=space_id, at=at, runs=False)
    for event in recent:
        world.events.add(event)
        world.events_of[event.environment_id].add(event)
    return world


def _emit(world: World, first: int, events: int) -> None:
    environments = [*world.environments]
    for number in range(first, first + events):
        world.emit("records:created", environments[number % len(environments)], runs=False)


def _work(world: World, spaces: int) -> None:
    """The same few spaces are worked in again and again, as people do."""
    for space in [*world.spaces.values()][-LIVELY:][:spaces]:
        if space.environment_id in world.environments:
            world.touch_space(space.id, files=1)
            world.emit("file:created", space.environment_id, space_id=space.id, runs=False)
