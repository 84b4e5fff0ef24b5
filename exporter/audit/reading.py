"""One pass over an account's events: of the account as a whole, and environment by environment where that list may hide some."""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.audit.journal import Journal
from exporter.audit.models import Event, EventWithPayload
from exporter.audit.selection import Selection
from exporter.audit.state import Found, Positions
from exporter.collectors._context import WHOLE_ACCOUNT, gather_by_id
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


@dataclass(frozen=True, slots=True)
class Failure:
    """What could not be read: an environment, by its id, or (`None`) the account."""

    environment: str | None
    error: FlatfileError


@dataclass(frozen=True, slots=True)
class Pass:
    """The result of a pass, beside the events that wait in the journal. With these, `environments` are written up to `to`."""

    environments: frozenset[str]
    to: float
    max_to: float  # nothing counts as written beyond: later events may still become visible
    failures: tuple[Failure, ...]


class Reader:
    """Reads one account's events into the journal. `progress` is called with each page."""

    def __init__(
        self,
        account: str,
        client: Client,
        selection: Selection,
        journal: Journal,
        *,
        payload: bool,
        progress: Callable[[Sequence[Event]], object],
    ) -> None:
        self._account = account
        self._client = client
        self._selection = selection
        self._journal = journal
        self._listing = EVENTS_WITH_PAYLOAD if payload else EVENTS
        self._progress = progress
        self._account_wide = True
        self._listed: Mapping[str, str] = {}
        self._listed_at = -math.inf
        self._unlisted: list[Failure] = []
        self._unmatched: list[str] | None = None
        self.names: dict[str, str] = {}

    async def read(self, call: Call) -> Pass:
        """Read everything that is new. Raises FlatfileError if nothing can be read, and as the journal does."""
        listed = await self._environments(call)
        wanted = {id_ for id_, name in listed.items() if self._selection.environment(id_, name)}
        positions = await self._journal.run(self._journal.positions, self._account)
        progress = _Progress(positions)
        asked_at = self._client.session.now
        complete = await self._read_account(progress, call)
        visible = progress.named if complete and WHOLE_ACCOUNT not in progress.named else ()
        alone = sorted(id_ for id_ in wanted if id_ not in visible or positions.is_behind(id_))
        done, errors = await gather_by_id(
            alone,
            lambda id_: self._read(progress, id_, {"environmentId": id_}, call),
            lambda: self._environments(call, again=True),
        )
        if errors and not done and not complete:
            raise next(iter(errors.values()))
        failures = [Failure(id_, error) for id_, error in errors.items()]
        failures += self._unlisted
        read = {*wanted, *((WHOLE_ACCOUNT, *positions.read_to) if complete else ())}
        read.difference_update(failure.environment or "" for failure in failures)
        if progress.unusable:
            error = BadResponse(f"{len(progress.unusable)} events have no time that can be read", endpoint="/events")
            failures = [*failures, Failure(None, error)]
        max_to = asked_at - SLACK
        return Pass(frozenset(read), min(progress.newest, max_to), max_to, tuple(failures))

    async def _environments(self, call: Call, *, again: bool = False) -> Mapping[str, str]:
        """Return the names of the environments by id, as listed within the last minute or now. Raises FlatfileError."""
        now = asyncio.get_running_loop().time()
        if again or now - self._listed_at > MAX_AGE:
            rows, failed = await read_environments(self._client, self._selection.ids, call)
            for error in failed.values():
                if not error.is_request_rejected:
                    raise error
            self._unlisted = [Failure(id_, error) for id_, error in failed.items()]
            self._listed, self._listed_at = {row.id: row.name or row.id for row in rows}, now
            self.names.update(self._listed)
            self._report_unmatched()
        return self._listed

    def _report_unmatched(self) -> None:
        """Log what selects nothing, once."""
        unmatched = self._selection.unmatched(self._listed)
        if unmatched != self._unmatched:
            for pattern in unmatched:
                about = fields(
                    account=self._account, pattern=pattern, environments=", ".join(sorted(self._listed.values()))
                )
                log.warning("--environment matches no environment of the account", extra=about)
            if not any(self._selection.environment(*item) for item in self._listed.items()) and not unmatched:
                log.warning("no environment is selected", extra=fields(account=self._account))
        self._unmatched = unmatched

    async def _read_account(self, progress: "_Progress", call: Call) -> bool:
        """Read without naming an environment. False if the API does not allow that."""
        if self._account_wide:
            try:
                await self._read(progress, WHOLE_ACCOUNT, {}, call)
            except FlatfileError as error:
                if not error.is_request_rejected:
                    raise
                self._account_wide = False
        return self._account_wide

    async def _read(self, progress: "_Progress", scope: str, where: Mapping[str, str], call: Call) -> None:
        """Read one list. What came before a failure is kept: it happened all the same."""
        since = progress.positions.since(scope)
        params = {**where, "since": iso(since), "includeAcknowledged": "true"}
        is_older = Before(since)
        async for page in self._client.pages(self._listing, params, call):
            self._progress(page.rows)
            await self._journal.run(self._journal.state.add, self._account, self._new(page.rows, scope, progress))
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
            elif progress.positions.since(environment) <= at <= self._selection.until:
                progress.newest = max(progress.newest, at)
                if self._selection.event(environment, self.names.get(environment), row.topic or row.type):
                    new.append(Found(environment, at, row))
        return new


@dataclass(slots=True)
class _Progress:
    """What a pass has seen: environments that events of the account-wide list name, the newest time, ids without a time."""

    positions: Positions
    named: set[str] = field(default_factory=set)
    newest: float = -math.inf
    unusable: set[str] = field(default_factory=set)
