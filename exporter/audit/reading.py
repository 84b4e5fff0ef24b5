"""One pass over an account's events: of the account as a whole, and environment by environment where that list may hide some."""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.audit.journal import Journal
from exporter.audit.models import Event, EventWithPayload
from exporter.audit.selection import Selection
from exporter.audit.state import Found, Positions
from exporter.collectors._context import WHOLE_ACCOUNT, gather_by_id
from exporter.collectors._way import Way
from exporter.collectors.environments import read_environments
from exporter.core.logs import fields
from exporter.flatfile import times
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError
from exporter.flatfile.events import SLACK
from exporter.flatfile.order import Before
from exporter.flatfile.session import Call
from exporter.flatfile.times import iso

log = logging.getLogger(__name__)

EVENTS: Listing[Event] = Listing(Endpoint.EVENTS, Event, identity)
EVENTS_WITH_PAYLOAD: Listing[Event] = Listing(Endpoint.EVENTS, EventWithPayload, identity, page_size=100)
MAX_AGE = 60.0  # seconds for which a list of environments is used


Failures = Mapping[str | None, FlatfileError]
"""What could not be read, by environment; `None` is the account."""


@dataclass(frozen=True, slots=True)
class Pass:
    """The result of a pass, beside the events that wait in the journal. With these, `environments` are written up to `to`."""

    environments: frozenset[str]
    to: float
    max_to: float  # nothing counts as written beyond: later events may still become visible
    failures: Failures


@dataclass(slots=True)
class _Progress:
    """What a pass has seen: environments that events of the account-wide list name, the newest time, ids without a time."""

    positions: Positions
    named: set[str] = field(default_factory=set)
    newest: float = -math.inf
    unusable: set[str] = field(default_factory=set)


@dataclass
class Reader:
    """Reads one account's events into the journal. `progress` is called with each page."""

    account: str
    client: Client
    selection: Selection
    journal: Journal
    listing: Listing[Event]
    progress: Callable[[Sequence[Event]], object]
    names: dict[str, str] = field(default_factory=dict)
    """Of environments, by id."""

    _account_wide: Way = field(default_factory=lambda: Way(time.monotonic), init=False)
    _listed: Mapping[str, str] = field(default_factory=dict, init=False)
    _listed_at = -math.inf
    _unlisted: Mapping[str, FlatfileError] = field(default_factory=dict, init=False)
    _unmatched: list[str] | None = field(default=None, init=False)

    async def read(self, call: Call) -> Pass:
        """Read everything that is new. Raises FlatfileError if nothing can be read, and as the journal does."""
        listed = await self._environments(call)
        wanted = {id_ for id_, name in listed.items() if self.selection.environment(id_, name)}
        positions = await self.journal.run(self.journal.positions, self.account)
        progress = _Progress(positions)
        asked_at = self.client.session.now
        complete = await self._read_account(progress, call)
        visible = progress.named if complete and WHOLE_ACCOUNT not in progress.named else ()
        alone = sorted(id_ for id_ in wanted if id_ not in visible or positions.is_behind(id_))
        done, errors = await gather_by_id(
            alone,
            lambda id_: self._read(progress, id_, {"environmentId": id_}, call),
            lambda: self._environments(call, refresh=True),
        )
        if errors and not done and not complete:
            raise next(iter(errors.values()))
        failures: dict[str | None, FlatfileError] = dict([*errors.items(), *self._unlisted.items()])
        read = wanted.union((WHOLE_ACCOUNT, *positions.read_to) if complete else ()).difference(failures)
        if progress.unusable:
            text = f"{len(progress.unusable)} events have no time that can be read"
            failures[None] = BadResponse(text, endpoint="/events")
        max_to = asked_at - SLACK
        return Pass(frozenset(read), min(progress.newest, max_to), max_to, failures)

    async def _environments(self, call: Call, *, refresh: bool = False) -> Mapping[str, str]:
        """Return the names of the environments by id, as listed within the last minute or now. Raises FlatfileError."""
        now = asyncio.get_running_loop().time()
        if refresh or now - self._listed_at > MAX_AGE:
            rows, failed = await read_environments(self.client, self.selection.ids, call)
            for error in failed.values():
                if not error.is_request_rejected:
                    raise error
            self._unlisted = failed
            self._listed, self._listed_at = {row.id: row.name or row.id for row in rows}, now
            self.names.update(self._listed)
            self._report_unmatched()
        return self._listed

    def _report_unmatched(self) -> None:
        """Log what selects nothing, once."""
        unmatched = self.selection.unmatched(self._listed)
        if unmatched != self._unmatched:
            for pattern in unmatched:
                about = fields(
                    account=self.account, pattern=pattern, environments=", ".join(sorted(self._listed.values()))
                )
                log.warning("--environment matches no environment of the account", extra=about)
            if not any(self.selection.environment(*item) for item in self._listed.items()) and not unmatched:
                log.warning("no environment is selected", extra=fields(account=self.account))
        self._unmatched = unmatched

    async def _read_account(self, progress: "_Progress", call: Call) -> bool:
        """Read without naming an environment. False if the API does not allow that."""
        if not self._account_wide.open:
            return False
        try:
            await self._read(progress, WHOLE_ACCOUNT, {}, call)
        except FlatfileError as error:
            if not self.client.session.is_rejection(error):
                raise
            self._account_wide.refused()
            return False
        self._account_wide.works()
        return True

    async def _read(self, progress: "_Progress", scope: str, where: Mapping[str, str], call: Call) -> None:
        """Read one list. What came before a failure is kept: it happened all the same."""
        since = progress.positions.since(scope)
        params = {**where, "since": iso(since), "includeAcknowledged": "true"}
        is_older = Before(since)
        async for page in self.client.pages(self.listing, params, call):
            self.progress(page.rows)
            await self.journal.run(self.journal.state.add, self.account, self._new(page.rows, scope, progress))
            if not page.last and is_older(page.all_rows):
                break

    def _new(self, rows: Iterable[Event], scope: str, progress: "_Progress") -> list[Found]:
        """Return the events that are wanted, and note what the others say."""
        new = []
        for row in rows:
            environment = (row.context.environment_id if row.context else None) or scope
            if scope == WHOLE_ACCOUNT:
                progress.named.add(environment)
            elif environment != scope:
                continue  # of another environment than was asked for
            at = times.unix(row.created_at)
            if at is None:
                progress.unusable.add(row.id)
            elif progress.positions.since(environment) <= at <= self.selection.until:
                progress.newest = max(progress.newest, at)
                if self.selection.event(environment, self.names.get(environment), row.topic or row.type):
                    new.append(Found(environment, at, row))
        return new
