"""A simulated account of any size, served from a process of its own: it takes no time from who is measured."""

import contextlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection

from exporter.demo.accounts import CLIENT_ID, SECRET, sized_world
from exporter.demo.server import DemoServer
from exporter.demo.switches import Switches

__all__ = ["CLIENT_ID", "SECRET", "Simulated", "Size", "simulated"]

AGENTS_EACH = 4  # agents in each environment


@dataclass(frozen=True, slots=True)
class Size:
    """How large the account is: all numbers are for the whole account, events are those of the last hour."""

    environments: int = 6
    spaces: int = 400
    guests: int = 900
    users: int = 50
    events: int = 600

    def __str__(self) -> str:
        return (
            f"{self.environments} environments, {self.spaces} spaces, {self.guests} guests, {self.users} users, "
            f"{AGENTS_EACH} agents in each environment, {self.events} events an hour"
        )


@dataclass(slots=True)
class Simulated:
    """The served account: where it is, and what has been asked of it."""

    base_url: str
    _connection: Connection

    def counts(self) -> Counter[str]:
        """How many requests have come so far, by path template."""
        self._connection.send("counts")
        return Counter(self._connection.recv())


@contextlib.contextmanager
def simulated(size: Size, latency: float) -> Iterator[Simulated]:
    """Serve an account of that size, each answer after `latency` seconds."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_serve, args=(theirs, size, latency), daemon=True)
    process.start()
    try:
        yield Simulated(ours.recv(), ours)
    finally:
        ours.send("stop")
        process.join()


def _serve(connection: Connection, size: Size, latency: float) -> None:
    world = sized_world(time.time, agents=AGENTS_EACH, **asdict(size))
    with DemoServer(world, Switches(latency={"*": latency})).in_thread() as api:
        connection.send(api.base_url)
        while connection.recv() != "stop":
            connection.send(api.call(lambda: Counter(request.endpoint for request in api.requests)))
