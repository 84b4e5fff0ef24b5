"""The audit of one account: passes over its events, each turned into lines and written."""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from exporter.audit.actors import Telling
from exporter.audit.cursor import Cursor
from exporter.audit.line import Format, Line
from exporter.audit.models import EventContext, EventWithPayload
from exporter.audit.names import Labels, Names
from exporter.audit.outputs import Journal
from exporter.audit.progress import Progress
from exporter.audit.reading import Reader, Trouble
from exporter.audit.spool import Found, Spool
from exporter.core.logs import fields
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.errors import FlatfileError, Reason
from exporter.flatfile.session import Call
from exporter.flatfile.times import iso

log = logging.getLogger(__name__)

BATCH = 500  # events written at a time: as many may have to be found again in the file after a crash
LONGEST_BACKOFF = 300.0
PATIENCE = 900.0  # seconds that a pause is sat out which the API asks for: nobody waits for an answer here


@dataclass(frozen=True, slots=True)
class Manner:
    """How lines are made."""

    format: Format
    telling: Telling
    people: bool
    payload: bool


class AccountAudit:
    """Reads one account and writes what is new. `name` is the account's, as lines tell it.

    `backoff` are the seconds after a first failure; they double up to five minutes.
    """

    def __init__(
        self,
        name: str,
        reader: Reader,
        names: Names,
        cursor: Cursor,
        journal: Journal,
        manner: Manner,
        progress: Progress,
        *,
        backoff: float = 5.0,
    ) -> None:
        self._backoff = backoff
        self._name = name
        self._reader = reader
        self._names = names
        self._cursor = cursor
        self._journal = journal
        self._manner = manner
        self._progress = progress
        self._known: set[tuple[str | None, Reason]] = set()
        self._without_names = False
        names.refused = self._nameless

    async def whole(self) -> bool:
        """Make one pass for good, and say whether everything could be read. Raises as `once` does for what is written."""
        try:
            return await self.once() and not self._without_names
        except FlatfileError as error:
            self._report([Trouble(None, error)])
            return False

    async def once(self) -> bool:
        """Make one pass, and say whether everything could be read.

        Raises FlatfileError where nothing could, OSError where lines cannot be written, sqlite3.Error where there is no
        room for what was read.
        """
        loop = asyncio.get_running_loop()
        call = Call(Deadline(loop.time() + PATIENCE, loop.time))
        spool = Spool()
        try:
            done = await self._reader.read(self._cursor, spool, call)
            self._report(done.troubles)
            for batch in spool.batches(BATCH):
                call.deadline.extend(loop.time() + PATIENCE)
                lines = self._lines(batch, await self._names.of(batch, call))
                up_to = batch[-1].at
                await self._journal.write(self._cursor, batch, lines, done.streams, min(up_to, done.most))
                self._progress.wrote(len(lines), up_to)
            await self._journal.write(self._cursor, (), (), done.streams, done.to)
        finally:
            spool.close()
        return not done.troubles

    async def follow(self, interval: float) -> None:
        """Make pass after pass, for ever; what fails is tried again, later and later."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            wait = interval
            try:
                await self.once()
                failures = 0
            except BrokenPipeError:
                raise
            except (FlatfileError, OSError, sqlite3.Error) as error:
                failures += 1
                backoff = min(LONGEST_BACKOFF, self._backoff * 2 ** min(failures - 1, 10))
                wait = max(interval, random.uniform(backoff / 2, backoff))  # noqa: S311
                if isinstance(error, FlatfileError):
                    self._report([Trouble(None, error)])
                    wait = max(wait, (error.retry_at or 0.0) - loop.time())
                else:
                    log.warning("events could not be written", extra=fields(account=self._name, error=error))
            await asyncio.sleep(wait)

    def _lines(self, batch: Sequence[Found], labels: Sequence[Labels]) -> list[bytes]:
        return [
            self._manner.format.encode(self._line(found, label)) for found, label in zip(batch, labels, strict=True)
        ]

    def _line(self, found: Found, labels: Labels) -> Line:
        row, context = found.row, found.row.context or EventContext()
        actor = self._manner.telling(labels.actor)
        line = Line(
            time=iso(found.at),
            event_id=row.id,
            topic=row.topic or row.type,
            domain=row.domain,
            account=self._name,
            environment_id=found.stream or None,
            environment=self._reader.names.get(found.stream),
            space_id=context.space_id,
            space=labels.space,
            workbook_id=context.workbook_id,
            sheet_id=context.sheet_id,
            job_id=context.job_id,
            file_id=context.file_id,
            agent_id=context.agent_id,
            actor_type=labels.actor.type,
            actor_id=actor.id,
            actor_name=actor.name,
            actor_email=actor.email,
        )
        if self._manner.payload and isinstance(row, EventWithPayload):
            return msgspec.structs.replace(line, payload=row.payload)
        return line

    def _report(self, troubles: Sequence[Trouble]) -> None:
        """Log what is wrong when it begins, and what is well again."""
        now = {(trouble.environment, trouble.error.reason) for trouble in troubles}
        for trouble in troubles:
            if (trouble.environment, trouble.error.reason) not in self._known:
                self._failed(trouble.environment, trouble.error)
        for environment, reason in self._known - now:
            log.info("can be read again", extra=fields(account=self._name, environment_id=environment, was=reason))
        self._known = now

    def _nameless(self, error: FlatfileError) -> None:
        """Log that some names cannot be had."""
        if not self._without_names:
            about = fields(account=self._name, endpoint=error.endpoint, reason=error.reason, status=error.status)
            log.error("some names could not be read: they are null", extra=about)
        self._without_names = True

    def _failed(self, environment: str | None, error: FlatfileError) -> None:
        where = "events could not be read" if environment is None else "events of an environment could not be read"
        about = fields(
            account=self._name,
            environment_id=environment,
            endpoint=error.endpoint,
            reason=error.reason,
            status=error.status,
            error=error,
        )
        log.error(where, extra=about)
