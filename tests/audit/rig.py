"""What the audit log's tests stand on: one account of the simulated API, read and written in the test's own process."""

import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from exporter.audit.account import AccountAudit, Manner
from exporter.audit.actors import Mode, telling
from exporter.audit.cursor import Cursor, Place
from exporter.audit.line import line_format
from exporter.audit.names import Names
from exporter.audit.outputs import Journal, Output
from exporter.audit.progress import Progress
from exporter.audit.reading import Reader
from exporter.audit.selection import Selection
from exporter.config import Globs
from exporter.core.clock import Clock
from tests.flatfile.rig import connected
from tests.simulator.server import SimulatedServer

EVERYTHING = Globs(("*",), ())
OVERLAP = 60.0
KEY = b"a key of more than 16 bytes"

Row = dict[str, Any]


@dataclass
class Collected:
    """An output that keeps what is written."""

    lines: list[bytes] = field(default_factory=list)
    position: None = None

    async def write(self, lines: Sequence[bytes]) -> None:
        self.lines += lines

    def reopen(self) -> None:
        pass

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
    place: Place

    async def once(self) -> list[Row]:
        """Make a pass, and give what it wrote."""
        before = len(self.out.lines)
        self.whole = await self.audit.once()
        return self.out.rows[before:]


@asynccontextmanager
async def auditing(
    api: SimulatedServer,
    *,
    since: float = -math.inf,
    selection: Selection | None = None,
    actors: Mode = "full",
    payload: bool = False,
    out: Output | None = None,
    place: Place | None = None,
    backoff: float = 5.0,
) -> AsyncIterator[Audited]:
    """Audit the account `acme`, from the beginning of time."""
    collected = Collected()
    where = place or Place(max(since, 0.0))
    progress = Progress(Nowhere())  # type: ignore[arg-type]
    people = actors != "id"
    clock = Clock(wall=api.world.clock, monotonic=api.world.clock)
    async with connected(api, retries=1, clock=clock) as client:
        yield Audited(
            AccountAudit(
                "acme",
                Reader(client, selection or Selection(EVERYTHING), payload=payload, progress=progress.read),
                Names(client, people=people),
                Cursor(where, OVERLAP),
                Journal(out or collected, {"acme": where}, None),
                Manner(line_format("jsonl", people=people, payload=payload), telling(actors, KEY), people, payload),
                progress,
                backoff=backoff,
            ),
            collected,
            where,
        )
