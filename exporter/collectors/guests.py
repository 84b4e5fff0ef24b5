"""Guests of each environment: for the whole account where the API gives that, else space by space."""

import asyncio
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import replace

from exporter.collectors._context import Held, Scope, carried, held
from exporter.collectors._guest_book import NOBODY, Counts, GuestBook, account_wide, same
from exporter.collectors._labels import ENVIRONMENT, SPACE
from exporter.collectors._silence import Silence
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, Forbidden, NotFound, TooLarge, Unauthorized
from exporter.flatfile.session import Call

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
    "Guests whose latest lastAccessed lies within the window, as of the last time that their spaces were asked. "
    "Absent where Flatfile does not name the space that was asked for among a guest's spaces.",
    (*ENVIRONMENT, "window"),
)
IN_SPACE = Desc(
    "flatfile_space_guests",
    "gauge",
    "Guests of the space. Only with spaces.per_space, and absent while it is not known for each space of the environment.",
    SPACE,
)
FAMILIES = (GUESTS, MEMBERSHIPS, ACTIVE, IN_SPACE)

LISTING = Listing(Endpoint.GUESTS, models.Guest, identity, paged=False)
MOST_WAITED_FOR = 20  # spaces in one pass; a scrape does not wait for a longer one
MOST_FAILURES_IN_A_ROW = 3  # of single spaces, before a pass gives up: the API has trouble, not the space

Spaces = Mapping[str, Held[Sequence[str]]]
"""The ids of each environment's spaces."""


class Collector:
    """Counts guests. The first pass over many spaces may take many scrapes; an environment's numbers wait until it is whole."""

    requires: tuple[str, ...] = ("environments", "spaces")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._counts: dict[str, Held[Counts]] = {}
        self._book = GuestBook()
        self._followed: Spaces = {}
        self._account_wide: bool | None = None  # not known yet
        self._silence = Silence(scope.config.collectors["guests"].max_age / 3)
        self._contradictions = 0
        self._rotated_at = scope.clock.monotonic()

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Ask for all guests, or for those of the spaces that are new, have changed, or whose turn it is."""
        if self._account_wide is not False:
            rows = await self._whole_account(call)
            if rows is not None:
                return await self._take(rows, call)
        return await self._by_space(call)

    async def _whole_account(self, call: Call) -> Sequence[models.Guest] | None:
        """Ask without naming a space. `None` where the API does not give that.

        The parameter is required in most definitions and deprecated in one, so the server may refuse, answer with nothing
        though there are spaces, or leave out where a guest is. Once it has worked, two refusals in a row are believed.
        """
        try:
            rows = await self._scope.client.rows(LISTING, {}, call)
        except FlatfileError as error:
            if not (error.concerns_the_question or isinstance(error, TooLarge)):
                raise
            if self._account_wide:
                self._account_wide = None
                raise
            return None
        if rows:
            told = all(row.environment_id and row.spaces is not None for row in rows) and any(
                row.spaces for row in rows
            )
            return rows if told else None
        return None if self._account_wide is None and any(ids.value for ids in self._spaces().values()) else rows

    async def _take(self, rows: Sequence[models.Guest], call: Call) -> Sequence[FlatfileError]:
        """Count the guests of the whole account.

        An environment that has spaces but no guest in that list is asked by itself now and then, by one of its spaces.
        """
        scope, now = self._scope, self._scope.clock.wall()
        counts = account_wide(rows, scope.client.session.now)
        spaces = self._spaces()
        silent = [env for env in scope.selected() if env.id not in counts and env.id in spaces]
        self._silence.forget(counts.keys())
        doubtful = self._silence.doubtful([env for env in silent if spaces[env.id].value], now)
        answers, errors = await scope.some(doubtful, lambda env: self._anybody(spaces[env.id].value[0], call), call)
        self._silence.believe((env for env, anybody in answers.items() if anybody is False), now)
        if any(answers.values()):
            self._contradictions += 1
            if self._contradictions > 1:  # once may be a guest who came in between
                self._account_wide = False
        else:
            self._contradictions = 0
            self._account_wide = True if rows else self._account_wide
        unsure = {env.id for env in doubtful if answers.get(env.id) is not False}
        nobody = {
            env.id: Held(NOBODY, min(self._good_until(spaces[env.id]), self._silence.asked_at(env.id, now)))
            for env in silent
            if env.id not in unsure
        }
        self._counts = carried(self._counts, held(counts, now) | nobody, scope.selected())
        if scope.config.spaces.per_space:
            scope.space_guests = Counter(entry.id for row in rows for entry in row.spaces or ())
        scope.guest_hints.clear()
        return errors

    async def _anybody(self, space: str, call: Call) -> bool | None:
        """Whether a space has guests; `None` where the space is gone."""
        try:
            return bool(await self._scope.client.rows(LISTING, {"spaceId": space}, call))
        except NotFound:
            return None

    async def _by_space(self, call: Call) -> Sequence[FlatfileError]:
        scope = self._scope
        began, now = scope.clock.wall(), scope.clock.monotonic()
        hints, elapsed = frozenset(scope.guest_hints), now - self._rotated_at
        due, turns = await asyncio.to_thread(self._due, scope.spaces or {}, hints, elapsed)
        self._rotated_at = now
        if len(due) > MOST_WAITED_FOR:
            call.detach()
            call = replace(call, background=True)
        answered, errors = await self._ask(due, call)
        if not turns:  # all that has been asked was asked just now, however long that took: nothing is due for it
            self._rotated_at = scope.clock.monotonic()
        if any(isinstance(error, NotFound) for error in errors.values()):
            try:
                await scope.again("spaces", call)  # a space that was deleted meanwhile is no failure
            except FlatfileError:
                pass  # counted and logged where it happened; what was listed last holds
            await asyncio.to_thread(self._follow, scope.spaces or {})
            errors = {row: error for row, error in errors.items() if self._book.listed(row)}
        if errors and not any(answered):
            raise next(iter(errors.values()))
        left = {self._book.environment(row) for row, came in zip(due, answered, strict=True) if not came}
        await self._publish(left, began)
        return [*errors.values()]

    def _due(self, spaces: Spaces, hints: Set[str], elapsed: float) -> "tuple[array[int], int]":
        """The book's rows to ask for, spaces that are new, that have changed, or whose turn it is; how many are the latter."""
        self._book = self._book.tidied()
        self._follow(spaces)
        due = self._book.unasked()
        changed = {row for row in map(self._book.find, hints) if row is not None}
        turn = self._book.oldest(elapsed, self._scope.config.guests.full_resync)
        due.extend(changed.difference(due))
        due.extend(row for row in turn if row not in changed)
        return due, len(turn)

    def _follow(self, spaces: Spaces) -> None:
        self._followed = spaces
        self._book.follow({environment: ids.value for environment, ids in spaces.items()})

    def _spaces(self) -> Spaces:
        """The spaces of each environment where that is known and not too old."""
        return self._not_too_old(self._scope.spaces or {})

    def _not_too_old(self, spaces: Spaces) -> Spaces:
        oldest = self._scope.clock.wall() - self._scope.config.collectors["spaces"].max_age
        return {env: ids for env, ids in spaces.items() if ids.at >= oldest}

    def _good_until(self, spaces: Held[Sequence[str]]) -> float:
        """Until when a list of spaces is as new as it is meant to be: numbers that build on it are no newer."""
        return spaces.at + self._scope.config.collectors["spaces"].interval

    def _built_on(self) -> Spaces:
        """The lists that the book follows: as new as the newest ones that say the same."""
        newest = self._scope.spaces or {}
        return {
            env: newest[env] if env in newest and same(newest[env].value, ids.value) else ids
            for env, ids in self._followed.items()
        }

    async def _publish(self, left: Set[str], began: float) -> None:
        """Give out the numbers of the environments whose spaces are all known and have all been asked.

        `left` are environments with spaces that were due and could not be asked. Where a space has changed again since the
        pass `began`, the numbers are as of then.
        """
        scope, book = self._scope, self._book
        counts = await asyncio.to_thread(book.counts, scope.client.session.now, left)
        if scope.config.spaces.per_space:
            scope.space_guests = await asyncio.to_thread(book.by_space)
        now = scope.clock.wall()
        rows = map(book.find, scope.guest_hints)
        changed = {book.environment(row) for row in rows if row is not None}
        whole = {
            env: Held(counts[env], min(self._good_until(spaces), began if env in changed else now))
            for env, spaces in self._not_too_old(self._built_on()).items()
            if env in counts
        }
        self._counts = carried(self._counts, whole, scope.selected())

    async def _ask(self, due: Sequence[int], call: Call) -> tuple[bytearray, dict[int, FlatfileError]]:
        """Ask for the guests of the spaces in these rows, a few side by side: which answered, and what failed by row.

        A refused environment is not asked further, and after several failures in a row nothing is: what is left is due the
        next time.
        """
        book = self._book
        queue = iter(enumerate(due))
        answered = bytearray(len(due))
        errors: dict[int, FlatfileError] = {}
        refused: set[str] = set()
        in_a_row = 0

        async def worker() -> None:
            nonlocal in_a_row
            for place, row in queue:
                space, environment = book.space(row), book.environment(row)
                if environment in refused:
                    continue
                if in_a_row >= MOST_FAILURES_IN_A_ROW:
                    return
                asked_at = self._scope.clock.wall()
                self._scope.guest_hints.discard(space)  # what changes from here on is a new hint
                try:
                    rows = await self._scope.client.rows(LISTING, {"spaceId": space}, call)
                except FlatfileError as error:
                    errors[row] = error
                    self._scope.guest_hints.add(space)
                    if isinstance(error, Forbidden):
                        refused.add(environment)
                    elif not isinstance(error, NotFound):
                        in_a_row = MOST_FAILURES_IN_A_ROW if isinstance(error, Unauthorized) else in_a_row + 1
                else:
                    in_a_row = 0
                    self._account_wide = False
                    book.write(row, rows, asked_at)
                    answered[place] = True

        async with asyncio.TaskGroup() as group:
            for _ in range(self._scope.config.requests.concurrency):
                group.create_task(worker())
        return answered, errors

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the environments' guests."""
        guests: list[Sample] = []
        memberships: list[Sample] = []
        active: list[Sample] = []
        in_space: list[Sample] = []
        of_spaces = self._scope.space_guests or {}
        for environment in self._scope.environments or ():
            found = self._counts.get(environment.id)
            if found is None or not fresh(found.at):
                continue
            counts, labels = found.value, (self._scope.account, *environment.labels)
            guests.append((labels, counts.guests))
            memberships.append((labels, counts.memberships))
            active += [((*labels, window), number) for window, number in counts.active or ()]
            for space in self._scope.single_spaces.get(environment.id, ()):
                with suppress(KeyError):  # not known of this one
                    in_space.append(((*labels, space), of_spaces[space]))
        yield from (
            Family(GUESTS, guests),
            Family(MEMBERSHIPS, memberships),
            Family(ACTIVE, active),
            Family(IN_SPACE, in_space),
        )
