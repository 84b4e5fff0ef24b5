"""The audit of one account: passes over its events, each event made into a line and written."""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from msgspec import UNSET
from msgspec.structs import asdict

from exporter.audit.actors import Display
from exporter.audit.journal import Journal
from exporter.audit.line import Format, Line
from exporter.audit.models import EventContext, EventWithPayload
from exporter.audit.names import Labels, Names
from exporter.audit.progress import Progress
from exporter.audit.reading import Failures, Reader
from exporter.audit.state import AuditError, Found
from exporter.core.logs import fields
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.errors import FlatfileError, Reason
from exporter.flatfile.session import Call
from exporter.flatfile.times import iso

log = logging.getLogger(__name__)

BATCH = 500  # events written at a time: after a crash, as many may have to be found again in the file
MAX_BACKOFF = 300.0
TIMEOUT = 900.0  # seconds for a batch or a list, including pauses that the API asks for: nobody waits for an answer


@dataclass
class AccountAudit:
    """Reads one account and writes what is new. `name` is its name in lines; `format`, `display` and `payload` make lines.

    `backoff` is the wait in seconds after a first failure; it doubles up to five minutes.
    """

    name: str
    reader: Reader
    names: Names
    journal: Journal
    format: Format
    display: Display
    payload: bool
    progress: Progress
    backoff: float = 5.0

    def __post_init__(self) -> None:
        self._failing: set[tuple[str | None, Reason]] = set()
        self._lacks_names = False
        self.names.refused = self._names_refused

    async def run_to_end(self) -> bool:
        """Make the only pass, and return whether everything could be read. Raises what `run_pass` does for writing."""
        try:
            return await self.run_pass() and not self._lacks_names
        except FlatfileError as error:
            self._report({None: error})
            return False

    async def run_pass(self) -> bool:
        """Make a pass, and return whether everything could be read.

        Raises FlatfileError if nothing could, OSError and AuditError if lines cannot be written, sqlite3.Error if the state
        cannot be saved or there is no space for what was read.
        """
        loop = asyncio.get_running_loop()
        call = Call(Deadline(loop.time() + TIMEOUT, loop.time))
        done = await self.reader.read(call)
        self._report(done.failures)
        while batch := await self.journal.run(self.journal.state.waiting, self.name, BATCH):
            call.deadline.extend(loop.time() + TIMEOUT)
            labels = await self.names.labels(batch, call)
            lines = [self._line(*event) for event in zip(batch, labels, strict=True)]
            up_to = batch[-1].at
            to = min(up_to, done.max_to)
            await self._write(batch, lines, done.environments, to)
            self.progress.wrote(len(lines), up_to)
        await self._write((), (), done.environments, done.to)
        return not done.failures

    async def follow(self, interval: float) -> None:
        """Make pass after pass, without end; after a failure with a growing wait."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            wait = interval
            try:
                await self.run_pass()
                failures = 0
            except BrokenPipeError:
                raise
            except (FlatfileError, AuditError, OSError, sqlite3.Error) as error:
                failures += 1
                backoff = min(MAX_BACKOFF, self.backoff * 2 ** min(failures - 1, 10))
                wait = max(interval, random.uniform(backoff / 2, backoff))  # noqa: S311
                if isinstance(error, FlatfileError):
                    self._report({None: error})
                    wait = max(wait, (error.retry_at or 0.0) - loop.time())
                else:
                    log.warning("events could not be written", extra=fields(account=self.name, error=error))
            await asyncio.sleep(wait)

    async def _write(
        self, events: Sequence[Found], lines: Sequence[bytes], environments: Collection[str], to: float
    ) -> None:
        await self.journal.run(self.journal.write, self.name, events, lines, environments, to)

    def _line(self, found: Found, labels: Labels) -> bytes:
        row, context = found.row, found.row.context or EventContext()
        actor = self.display(labels.actor)
        ids = asdict(context) | {"environment_id": found.environment_id or None, "actor_id": actor.id}
        line = Line(
            time=iso(found.at),
            event_id=row.id,
            topic=row.topic or row.type,
            domain=row.domain,
            account=self.name,
            environment=self.reader.names.get(found.environment_id),
            space=labels.space,
            actor_type=actor.type,
            actor_name=actor.name,
            actor_email=actor.email,
            payload=row.payload if self.payload and isinstance(row, EventWithPayload) else UNSET,
            **ids,
        )
        return self.format.encode(line)

    def _report(self, failures: Failures) -> None:
        """Log each failure when it begins and when it is over."""
        failing = {(environment, error.reason) for environment, error in failures.items()}
        for environment, error in failures.items():
            if (environment, error.reason) not in self._failing:
                what = (
                    "events could not be read" if environment is None else "events of an environment could not be read"
                )
                log.error(what, extra=fields(environment_id=environment, **self._about(error), error=error))
        for environment, reason in self._failing - failing:
            log.info(
                "events can be read again", extra=fields(account=self.name, environment_id=environment, was=reason)
            )
        self._failing = failing

    def _names_refused(self, error: FlatfileError) -> None:
        if not self._lacks_names:
            log.error("some names could not be read: they are null", extra=fields(**self._about(error)))
        self._lacks_names = True

    def _about(self, error: FlatfileError) -> dict[str, object]:
        return {"account": self.name, "endpoint": error.endpoint, "reason": error.reason, "status": error.status}
