"""One pass over an account's events: for the whole account at once, and environment by environment where that may hide some."""

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.audit.cursor import WIDE, Cursor
from exporter.audit.models import Event, EventWithPayload
from exporter.audit.selection import Selection
from exporter.audit.spool import Found, Spool
from exporter.flatfile import models, times
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, NotFound
from exporter.flatfile.events import SLACK
from exporter.flatfile.order import Before
from exporter.flatfile.session import Call
from exporter.flatfile.times import iso

ENVIRONMENTS = Listing(Endpoint.ENVIRONMENTS, models.Environment, identity)
EVENTS: Listing[Event] = Listing(Endpoint.EVENTS, Event, identity)
EVENTS_WITH_PAYLOAD: Listing[Event] = Listing(Endpoint.EVENTS, EventWithPayload, identity, page_size=100)
FRESH = 60.0  # seconds for which a list of environments is good: a new environment's own events are read from the start


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be read. `environment` is its id, `None` for what concerns the whole account."""

    environment: str | None
    error: FlatfileError


@dataclass(frozen=True, slots=True)
class Pass:
    """What a pass has found, beside the events in the spool. With those, the `streams` are told up to `to`."""

    streams: frozenset[str]
    to: float
    most: float  # what nothing may be told up to before the next pass: later events may still become visible
    troubles: tuple[Trouble, ...]


class Reader:
    """Reads one account. `progress` is told of each page's events."""

    def __init__(
        self, client: Client, selection: Selection, *, payload: bool, progress: Callable[[Sequence[Event]], object]
    ) -> None:
        self._client = client
        self._selection = selection
        self._listing = EVENTS_WITH_PAYLOAD if payload else EVENTS
        self._progress = progress
        self._wide = True
        self._listed: Mapping[str, str] = {}
        self._listed_at = -math.inf
        self.names: dict[str, str] = {}

    async def environments(self, call: Call) -> Mapping[str, str]:
        """Name the account's environments by id, as of the last minute. Raises FlatfileError."""
        now = asyncio.get_running_loop().time()
        if now - self._listed_at > FRESH:
            rows = await self._client.rows(ENVIRONMENTS, {}, call)
            self._listed, self._listed_at = {row.id: row.name or row.id for row in rows}, now
            self.names.update(self._listed)
        return self._listed

    async def read(self, cursor: Cursor, spool: Spool, call: Call) -> Pass:
        """Put everything that is new into the spool. Raises FlatfileError where nothing can be read."""
        listed = await self.environments(call)
        wanted = {id_ for id_, name in listed.items() if self._selection.environment(id_, name)}
        taken = _Taken(cursor, self._selection, self.names, spool)
        asked_at = self._client.session.now
        done = await self._whole_account(taken, call)
        visible = taken.named if done and not taken.nameless else ()
        alone = {id_ for id_ in wanted if id_ not in visible or cursor.behind(id_)}
        answers = await asyncio.gather(
            *(self._one_environment(taken, id_, call) for id_ in sorted(alone)), return_exceptions=True
        )
        troubles = await self._troubles(dict(zip(sorted(alone), answers, strict=True)), call)
        if troubles and len(troubles) == len(alone) and not done:
            raise troubles[0].error
        failed = {trouble.environment for trouble in troubles}
        streams = {id_ for id_ in wanted if id_ not in failed}
        if done:
            streams |= {WIDE, *(id_ for id_ in cursor.streams if id_ not in failed)}
        if taken.unusable:
            error = BadResponse(f"{taken.unusable} events without a time that can be read", endpoint="/events")
            troubles = [*troubles, Trouble(None, error)]
        most = asked_at - SLACK
        return Pass(frozenset(streams), min(taken.newest, most), most, tuple(troubles))

    async def _whole_account(self, taken: "_Taken", call: Call) -> bool:
        """Read without naming an environment. False where the API does not give that."""
        if self._wide:
            try:
                await self._stream(taken, WIDE, {}, call)
            except FlatfileError as error:
                if not error.is_request_rejected:
                    raise
                self._wide = False
        return self._wide

    async def _one_environment(self, taken: "_Taken", environment: str, call: Call) -> None:
        await self._stream(taken, environment, {"environmentId": environment}, call)

    async def _stream(self, taken: "_Taken", stream: str, where: Mapping[str, str], call: Call) -> None:
        since = taken.cursor.since(stream)
        params = {**where, "since": iso(since), "includeAcknowledged": "true"}

        older = Before(since)
        # What an earlier pass over a list that broke off has handed on happened all the same.
        async for page in self._client.pages(self._listing, params, call):
            self._progress(page.rows)
            taken.take(page.rows, stream)
            if not page.last and older(page.all_rows):
                break

    async def _troubles(self, answers: Mapping[str, BaseException | None], call: Call) -> list[Trouble]:
        """What failed. An environment that is not found, and not listed any more either, was deleted meanwhile."""
        troubles = []
        for environment, answer in answers.items():
            if isinstance(answer, FlatfileError):
                troubles.append(Trouble(environment, answer))
            elif answer is not None:
                raise answer
        if any(isinstance(trouble.error, NotFound) for trouble in troubles):
            self._listed_at = -math.inf
            listed = await self.environments(call)
            troubles = [one for one in troubles if not isinstance(one.error, NotFound) or one.environment in listed]
        return troubles


class _Taken:
    """Takes in the rows of a pass. `named` are environments that events of the whole account's list name."""

    def __init__(self, cursor: Cursor, selection: Selection, names: Mapping[str, str], spool: Spool) -> None:
        self.cursor = cursor
        self.named: set[str] = set()
        self.nameless = False
        self.newest = -math.inf
        self._unusable: set[str] = set()
        self._selection = selection
        self._names = names
        self._spool = spool

    @property
    def unusable(self) -> int:
        """How many events cannot be told, because nobody knows when they happened."""
        return len(self._unusable)

    def take(self, rows: Iterable[Event], stream: str) -> None:
        """Keep what is new and wanted."""
        new = []
        for row in rows:
            of = (row.context.environment_id if row.context else None) or stream
            if stream == WIDE:
                self.named.add(of)
                self.nameless |= of == WIDE
            elif of != stream:
                continue  # of another environment than was asked for
            at = times.unix(row.created_at)
            if at is None:
                self._unusable.add(row.id)
                continue
            if not self.cursor.since(of) <= at <= self._selection.until:
                continue
            self.newest = max(self.newest, at)
            if not self._selection.environment(of, self._names.get(of)):
                continue
            if self._selection.topic(row.topic or row.type) and self.cursor.is_new(of, row.id, at):
                new.append(Found(of, at, row))
        self._spool.add(new)
