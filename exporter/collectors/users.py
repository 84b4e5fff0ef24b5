"""Users of the account: its team. Customers are guests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from exporter.collectors._book import NEVER, Book, Entry
from exporter.collectors._context import Held, Scope
from exporter.collectors._labels import ACCOUNT, WINDOWS
from exporter.collectors._survey import Question, Survey
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call

USERS = Desc("flatfile_users", "gauge", "Users of the account (GET /users).", ACCOUNT)
USERS_ACTIVE = Desc(
    "flatfile_users_active",
    "gauge",
    "Users whose lastSeenAt lies within the window. Absent where Flatfile gives no user's lastSeenAt.",
    (*ACCOUNT, "window"),
)
FAMILIES = (USERS, USERS_ACTIVE)

FULL_RESYNC = 3600.0  # seconds within which the whole list is read, whatever changes show

TOLD, UNTOLD = 0, 1  # states of a book's row: whether Flatfile knows the field lastSeenAt at all
ALL = 1  # the one list


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How many users there are, and how many were seen lately by window; `None` where that is not known."""

    users: int
    active: tuple[tuple[str, int], ...] | None


class Collector:
    """Follows the list of users."""

    requires: tuple[str, ...] = ()

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._snapshot: Held[Snapshot] | None = None
        self._survey: Survey[models.User] = Survey(
            scope.client,
            scope.clock,
            Question(
                Listing(Endpoint.USERS, models.User, identity),
                ({},),
                {"activity": "last_seen_at", "created": "created_at"},
                entry,
            ),
            {},
            full_resync=FULL_RESYNC,
            longest_pause=scope.config.collectors["users"].max_age / 3,
        )

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Find out which users have been seen, have come and have gone."""
        asked_at = self._scope.clock.wall()
        if await self._survey.refresh(call):
            self._snapshot = Held(counted(self._survey.book, self._scope.client.session.now), asked_at)
        return []

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the counts of users."""
        if self._snapshot is None or not fresh(self._snapshot.at):
            return
        account, snapshot = self._scope.account, self._snapshot.value
        yield Family(USERS, [((account,), snapshot.users)])
        if snapshot.active is not None:
            yield Family(USERS_ACTIVE, [((account, window), number) for window, number in snapshot.active])


def entry(user: models.User) -> Entry:
    """Read a row."""
    created = times.unix(user.created_at)
    seen = None if user.last_seen_at is UNSET else times.unix(user.last_seen_at)
    return Entry(
        user.id,
        "",
        UNTOLD if user.last_seen_at is UNSET else TOLD,
        NEVER if created is None else created,
        NEVER if seen is None else seen,
    )


def counted(book: Book, now: float) -> Snapshot:
    """Count users. An older definition of the API has no `lastSeenAt`: where no row has it, who is active is not known."""
    users = book.members(ALL)
    if users and all(book.state(row) == UNTOLD for row in book.ids("").rows):
        return Snapshot(users, None)
    active = ((window, len(book.between(ALL, "activity", now - seconds, float("inf")))) for window, seconds in WINDOWS)
    return Snapshot(users, tuple(active))
