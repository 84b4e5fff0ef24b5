"""What the audit log's tests stand on: one account of the simulated API, read and written in the test's own process."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from exporter.audit.account import AccountAudit
from exporter.audit.actors import Mode, display
from exporter.audit.journal import Journal, StandardOutput
from exporter.audit.line import line_format
from exporter.audit.names import Names
from exporter.audit.progress import Progress
from exporter.audit.reading import EVENTS, EVENTS_WITH_PAYLOAD, Reader
from exporter.audit.selection import Selection
from exporter.audit.state import Positions, State
from exporter.config import Globs
from exporter.core.clock import Clock
from exporter.core.worker import Worker
from tests.flatfile.rig import connected
from tests.simulator.server import SimulatedServer

EVERYTHING = Globs(("*",), ())
OVERLAP = 60.0
KEY = b"a key of more than 16 bytes"

Row = dict[str, Any]


class Collected(StandardOutput):
    """An output that keeps what is written."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, lines: Sequence[bytes]) -> None:
        self.lines += lines

    @property
    def rows(self) -> list[Row]:
        return [json.loads(line) for line in self.lines]

    @property
    def ids(self) -> list[str]:
        return [row["event_id"] for row in self.rows]


class Nowhere:
    """A terminal that nobody has."""

    def isatty(self) -> bool:
        return False

    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None:
        pass


@dataclass
class Audited:
    """An account's audit, and what it has written."""

    audit: AccountAudit
    out: Collected
    state: State

    async def once(self) -> list[Row]:
        """Make a pass, and give what it wrote."""
        before = len(self.out.lines)
        self.whole = await self.audit.run_pass()
        return self.out.rows[before:]

    @property
    def positions(self) -> Positions:
        return self.state.positions("acme")


@asynccontextmanager
async def auditing(
    api: SimulatedServer,
    *,
    since: float = 0.0,
    selection: Selection | None = None,
    actors: Mode = "full",
    payload: bool = False,
    out: StandardOutput | None = None,
    backoff: float = 5.0,
) -> AsyncIterator[Audited]:
    """Audit the account `acme`, from the beginning of time."""
    collected = Collected()
    progress = Progress(Nowhere())  # type: ignore[arg-type]
    people = actors != "id"
    clock = Clock(wall=api.world.clock, monotonic=api.world.clock)
    lines = line_format("jsonl", people=people, payload=payload)
    state, worker = State(None), Worker("audit")
    state.begin({"acme": OVERLAP}, since)
    journal = Journal(state, out or collected, lines, worker)
    listing = EVENTS_WITH_PAYLOAD if payload else EVENTS
    chosen = selection or Selection(EVERYTHING)
    try:
        async with connected(api, retries=1, clock=clock) as client:
            yield Audited(
                AccountAudit(
                    "acme",
                    Reader("acme", client, chosen, journal, listing, progress.read),
                    Names(client, people=people),
                    journal,
                    lines,
                    display(actors, KEY),
                    payload,
                    progress,
                    backoff,
                ),
                collected,
                state,
            )
    finally:
        await worker.run(state.close)
        worker.close()
