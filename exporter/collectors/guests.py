"""Guests of each environment: for the whole account where the API gives that, else space by space."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import replace

from exporter.collectors._guest_book import NOBODY, Counts, GuestBook, account_wide
from exporter.collectors._labels import ENVIRONMENT
from exporter.families import Desc, Family, Sample
from exporter.flatfile import models
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, Forbidden, NotFound, TooLarge, Unauthorized
from exporter.flatfile.session import Call
from exporter.scope import Held, Scope, carried

GUESTS = Desc(
    "flatfile_guests",
    "gauge",
    "Different guests of the environment, each counted once however many spaces it is in (GET /guests). Where Flatfile gives "
    "guests by space only, spaces without a known change are asked again within guests.full_resync (6h unless configured).",
    ENVIRONMENT,
)
MEMBERSHIPS = Desc("flatfile_guest_memberships", "gauge", "Pairs of a guest and a space that it is in.", ENVIRONMENT)
ACTIVE = Desc(
    "flatfile_guests_active",
    "gauge",
    "Guests whose latest lastAccessed lies within the window, as of the last time that their spaces were asked.",
    (*ENVIRONMENT, "window"),
)
FAMILIES = (GUESTS, MEMBERSHIPS, ACTIVE)

LISTING = Listing(Endpoint.GUESTS, models.Guest, identity, paged=False)
MOST_WAITED_FOR = 20  # spaces in one pass; a scrape does not wait for a longer one
MOST_FAILURES_IN_A_ROW = 3  # of single spaces, before a pass gives up: the API has trouble, not the space


class Collector:
    """Counts guests. The first pass over many spaces may take many scrapes; an environment's numbers wait until it is whole."""

    requires: tuple[str, ...] = ("environments", "spaces")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._counts: dict[str, Held[Counts]] = {}
        self._book = GuestBook()
        self._account_wide: bool | None = None  # not known yet
        self._rotated_at = scope.clock.monotonic()

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Ask for all guests, or for those of the spaces that are new, have changed, or whose turn it is."""
        scope, asked_at = self._scope, self._scope.clock.wall()
        if self._account_wide is not False:
            counts = await self._whole_account(call)
            if counts is not None:
                self._account_wide = True
                self._counts = carried(self._counts, counts, scope.selected(), asked_at)
                return []
        return await self._by_space(replace(call, background=True))

    async def _whole_account(self, call: Call) -> Mapping[str, Counts] | None:
        """Ask without naming a space. `None` where the API does not give that.

        The parameter is required in most definitions and deprecated in one, so the server may refuse, answer with nothing
        though there are spaces, or leave out whose guest one is.
        """
        try:
            rows = await self._scope.client.rows(LISTING, {}, call)
        except FlatfileError as error:
            if self._account_wide or not (error.concerns_the_question or isinstance(error, TooLarge)):
                raise
            return None
        if not self._account_wide and (
            (not rows and any(held.value for held in (self._scope.spaces or {}).values()))
            or any(row.spaces is None or not row.environment_id for row in rows)
        ):
            return None
        return account_wide(rows, [env.id for env in self._scope.selected()], self._scope.client.session.now)

    async def _by_space(self, call: Call) -> Sequence[FlatfileError]:
        scope, book = self._scope, self._book
        if scope.spaces is None:
            await scope.again("spaces", call)
        listed = self._listed()
        book.keep(listed)
        scope.guest_hints &= listed.keys()
        now = scope.clock.monotonic()
        turn = book.oldest(now - self._rotated_at, scope.config.guests.full_resync)
        due = dict.fromkeys((*book.unasked(listed), *scope.guest_hints, *turn))
        self._rotated_at = now
        if len(due) > MOST_WAITED_FOR:
            call.detach()
        errors = await self._ask({space: listed[space] for space in due}, call)
        if any(isinstance(error, NotFound) for error in errors.values()):
            await scope.again("spaces", call)  # a space that was deleted meanwhile is no failure
            listed = self._listed()
            book.keep(listed)
            errors = {space: error for space, error in errors.items() if space in listed}
        if errors and len(errors) == len(due):
            raise next(iter(errors.values()))
        self._publish(listed, {listed[space] for space in errors})
        return [*errors.values()]

    def _listed(self) -> dict[str, str]:
        """Each space's environment, as listed last."""
        return {space: environment for environment, held in (self._scope.spaces or {}).items() for space in held.value}

    def _publish(self, listed: Mapping[str, str], troubled: Set[str]) -> None:
        """Give out the numbers of the environments whose spaces are all known and have all been asked."""
        scope, now = self._scope, self._scope.clock.wall()
        oldest = now - scope.config.collectors["spaces"].max_age
        known = {environment for environment, held in (scope.spaces or {}).items() if held.at >= oldest}
        known -= troubled | {listed[space] for space in self._book.unasked(listed)}
        counts = self._book.counts(scope.client.session.now)
        whole = {environment: counts.get(environment, NOBODY) for environment in known}
        self._counts = carried(self._counts, whole, scope.selected(), now)

    async def _ask(self, due: Mapping[str, str], call: Call) -> dict[str, FlatfileError]:
        """Ask for each space's guests, a few side by side; what failed, by space.

        A refused environment is not asked further, and after several failures in a row nothing is: what is left is due the
        next time.
        """
        queue = iter(due.items())
        errors: dict[str, FlatfileError] = {}
        refused: set[str] = set()
        in_a_row = 0

        async def worker() -> None:
            nonlocal in_a_row
            for space, environment in queue:
                if environment in refused:
                    continue
                if in_a_row >= MOST_FAILURES_IN_A_ROW:
                    return
                asked_at = self._scope.clock.wall()
                self._scope.guest_hints.discard(space)  # what changes from here on is a new hint
                try:
                    rows = await self._scope.client.rows(LISTING, {"spaceId": space}, call)
                except FlatfileError as error:
                    errors[space] = error
                    self._scope.guest_hints.add(space)
                    if isinstance(error, Forbidden):
                        refused.add(environment)
                    elif not isinstance(error, NotFound):
                        in_a_row = MOST_FAILURES_IN_A_ROW if isinstance(error, Unauthorized) else in_a_row + 1
                else:
                    in_a_row = 0
                    self._account_wide = False
                    self._book.write(space, environment, rows, asked_at)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._scope.config.requests.concurrency):
                group.create_task(worker())
        return errors

    def families(self, since: float) -> Iterator[Family]:
        """Give the environments' guests."""
        guests: list[Sample] = []
        memberships: list[Sample] = []
        active: list[Sample] = []
        for environment in self._scope.environments or ():
            held = self._counts.get(environment.id)
            if held is None or held.at < since:
                continue
            counts, labels = held.value, (self._scope.account, *environment.labels)
            guests.append((labels, counts.guests))
            memberships.append((labels, counts.memberships))
            active += [((*labels, window), number) for window, number in counts.active]
        yield from (Family(GUESTS, guests), Family(MEMBERSHIPS, memberships), Family(ACTIVE, active))
