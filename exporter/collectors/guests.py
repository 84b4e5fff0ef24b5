"""Guests of each environment: for the whole account where the API gives that, else space by space."""

import asyncio
import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from exporter.collectors import _guest_lists, _single_spaces
from exporter.collectors._asked import Asked, Space
from exporter.collectors._context import Context, fresh_environments, mark_known
from exporter.collectors._guest_account import AccountList
from exporter.collectors._guest_lists import LISTING, NAME
from exporter.collectors._labels import ENVIRONMENT, SPACE, WINDOWS, family
from exporter.collectors._memo import Memo
from exporter.collectors._way import Way
from exporter.core.malloc import return_freed
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.errors import FlatfileError, NotFound, TooLarge
from exporter.flatfile.session import Call
from exporter.store.database import Connection

GUESTS = Desc(
    "flatfile_guests",
    "gauge",
    "Different guests of the environment, each counted once however many spaces it is in (GET /guests).",
    ENVIRONMENT,
)
MEMBERSHIPS = Desc("flatfile_guest_memberships", "gauge", "Pairs of a guest and a space that it is in.", ENVIRONMENT)
ACTIVE = Desc(
    "flatfile_guests_active",
    "gauge",
    "Guests whose latest lastAccessed lies within the window. Absent where Flatfile does not tell it.",
    (*ENVIRONMENT, "window"),
)
IN_SPACE = Desc("flatfile_space_guests", "gauge", "Guests of the space. Only with spaces.per_space.", SPACE)
FAMILIES = (GUESTS, MEMBERSHIPS, ACTIVE, IN_SPACE)

BATCH = 10_000  # spaces that are due, at a time: a list of all may be long
MANY = 20_000  # guests, whose numbers take megabytes for a moment
MAX_WAITED_FOR = 20  # spaces in one pass; a scrape does not wait for a longer one

Counts = tuple[Mapping[str, tuple[int, int]], Mapping[str, tuple[int, int, int]], frozenset[str]]


class Collector:
    """Counts guests. A first pass over many spaces takes many scrapes; an environment's numbers wait until it is whole."""

    requires = ("environments", "spaces")
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._spaces = context.config.collectors["spaces"]
        self._account_wide = Way(context.clock.monotonic)
        self._account_list = AccountList(context, self._note_change)
        self._rotated_at = context.clock.monotonic()
        self._refused: frozenset[str] = frozenset()
        self._counts: Memo[Counts] = Memo(context.clock.monotonic)
        self._has_changed = True  # some guests may be in no space now; so may those that another process has left

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Ask for all guests, or for those of the spaces that are new, have changed, or whose turn it is."""
        if self._account_wide.open and not self._account_list.is_contradicted:
            try:
                errors = await self._account_list.read(call)
            except FlatfileError as error:
                rejected = self._context.client.session.is_rejection(error) or isinstance(error, TooLarge)
                if not rejected or self._account_wide.refused():  # asking every space costs too much for a hiccup
                    raise
            else:
                if errors is not None:
                    self._account_wide.works()
                    return errors
                self._account_wide.refused()
        return await self._by_space(call)

    async def _by_space(self, call: Call) -> Sequence[FlatfileError]:
        context, began, now = self._context, self._context.clock.steady(), self._context.clock.monotonic()
        elapsed = now - self._rotated_at
        self._rotated_at = now
        turns = await context.database.run(lambda db: self._turns(db, elapsed))
        asked, call = await self._ask_due(call)
        number = turns + len(asked.errors)
        spaces = await context.database.run(lambda db: _guest_lists.oldest(db, number, asked.refused, self._refused))
        oldest = [space for space in spaces if space not in asked.errors][:turns]
        if oldest:
            call = _detached(call, len(oldest))
            await self._ask(oldest, asked, call)
        else:  # all that was due has been asked just now, however long that took: nothing else is
            self._rotated_at = context.clock.monotonic()
        self._refused = frozenset(asked.refused)
        errors = asked.errors
        if any(isinstance(error, NotFound) for error in errors.values()):
            try:
                await context.refresh_now("spaces", call)  # a space that was deleted meanwhile is not a failure
            except FlatfileError:
                pass  # counted and logged where it happened
            listed = await context.database.run(
                lambda db: {id_ for (id_,) in db.execute("SELECT id FROM space")}.intersection(
                    space for space, _ in errors
                )
            )
            errors = {space: error for space, error in errors.items() if space[0] in listed}
        if errors and not asked.answered:
            raise next(iter(errors.values()))

        def publish(db: Connection) -> None:
            if _guest_lists.drop_gone(db, guests=self._has_changed):
                self._counts.clear()
            oldest = context.clock.steady() - self._spaces.max_age
            spaces_at = _guest_lists.spaces_known(db, oldest)
            for (environment,) in db.execute(_guest_lists.WHOLE, (oldest,)).fetchall():
                if environment not in asked.left:
                    mark_known(db, NAME, [environment], min(began, spaces_at[environment] + self._spaces.interval))

        await context.database.run(publish)
        self._has_changed = False
        return [*errors.values()]

    def _turns(self, db: Connection, elapsed: float) -> int:
        """Return how many spaces are due by rotation."""
        number: int = db.execute("SELECT count(*) FROM guest_space WHERE asked_at IS NOT NULL").fetchone()[0]
        return math.ceil(number * min(1.0, elapsed / self._context.config.guests.full_resync))

    async def _ask_due(self, call: Call) -> tuple[Asked, Call]:
        """Ask for the spaces that are new, then for those that have changed, some thousands at a time."""
        asked, after = Asked(), (0, "")
        while due := await self._context.database.run(
            lambda db, after=after: db.execute(_guest_lists.DUE, (*after, BATCH)).fetchall()  # type: ignore[misc]
        ):
            call = _detached(call, len(due))
            await self._ask([(space, environment) for space, environment, _ in due], asked, call)
            after = (due[-1][2], due[-1][0])
        return asked, call

    async def _ask(self, due: Sequence[Space], asked: Asked, call: Call) -> None:
        """Ask for the guests of these spaces, a few side by side, and note what came of it.

        A refused environment is not asked further, and after several failures in a row nothing is: what is left is due the
        next time.
        """
        context, queue = self._context, iter(due)
        answered: set[str] = set()

        async def worker() -> None:
            for space, environment in queue:
                if environment in asked.refused:
                    continue
                if asked.gave_up:
                    return
                at = context.clock.steady()
                try:
                    rows = await context.client.rows(LISTING, {"spaceId": space}, call)
                except FlatfileError as error:
                    asked.fail(space, environment, error)
                    continue
                asked.failed_in_a_row = 0
                await context.database.run(partial(self._write, space=space, environment=environment, rows=rows, at=at))
                answered.add(space)

        async with asyncio.TaskGroup() as group:
            for _ in range(context.config.requests.concurrency):
                group.create_task(worker())
        asked.answered += len(answered)
        asked.left.update(environment for space, environment in due if space not in answered)

    def _write(self, db: Connection, space: str, environment: str, rows: Sequence[models.Guest], at: float) -> None:
        if _guest_lists.write_space(db, space, environment, rows, at):
            self._note_change()

    def _note_change(self) -> None:
        """Note, on the account's thread, that a row has changed: nothing is missed where a refresh is cancelled."""
        self._counts.clear()
        self._has_changed = True

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Return the environments' guests."""
        context = self._context
        labels = fresh_environments(db, context.account, NAME, fresh)
        counts, active, silent = self._counts.get(lambda: self._count(db))
        numbers = {env: counts.get(env, (0, 0)) for env in labels}
        yield family(GUESTS, labels, ((env, guests) for env, (guests, _) in numbers.items()))
        yield family(MEMBERSHIPS, labels, ((env, pairs) for env, (_, pairs) in numbers.items()))
        windows = [window for window, _ in WINDOWS]
        within = {env: zip(windows, active.get(env, (0, 0, 0)), strict=True) for env in labels if env not in silent}
        yield family(ACTIVE, labels, ((env, *each) for env, found in within.items() for each in found))
        if context.config.spaces.per_space:
            query = "SELECT count(*) FROM membership JOIN guest_space ON no = space WHERE id = ?"
            spaces = _single_spaces.shown(db, context.config.spaces.max_series)
            rows = ((env, space, *db.execute(query, (space,)).fetchone()) for space, env in spaces)
            yield family(IN_SPACE, labels, rows)

    def _count(self, db: Connection) -> Counts:
        counts, active = _guest_lists.count(db), _guest_lists.active(db, self._context.client.session.objects_now)
        if sum(guests for guests, _ in counts.values()) > MANY:
            return_freed()  # what SQLite sorted them in
        return counts, active, _guest_lists.untold(db)


def _detached(call: Call, spaces: int) -> Call:
    """Return the call for so many spaces: in the background where a scrape does not wait for them."""
    return call.detached() if spaces > MAX_WAITED_FOR else call
