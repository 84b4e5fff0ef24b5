"""Users of the account: its team. Customers are guests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from exporter.collectors._labels import ACCOUNT, WINDOWS
from exporter.families import Desc, Family
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call
from exporter.freshness import Freshness
from exporter.scope import Held, Scope

USERS = Desc("flatfile_users", "gauge", "Users of the account (GET /users).", ACCOUNT)
USERS_ACTIVE = Desc(
    "flatfile_users_active",
    "gauge",
    "Users whose lastSeenAt lies within the window. Absent where Flatfile gives no user's lastSeenAt.",
    (*ACCOUNT, "window"),
)
FAMILIES = (USERS, USERS_ACTIVE)

LISTING = Listing(Endpoint.USERS, models.User, identity)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How many users there are, and how many were seen lately by window; `None` where that is not known."""

    users: int
    active: tuple[tuple[str, int], ...] | None


class Collector:
    """Lists the users."""

    requires: tuple[str, ...] = ()

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._snapshot: Held[Snapshot] | None = None

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """List all users."""
        asked_at = self._scope.clock.wall()
        rows = await self._scope.client.rows(LISTING, {}, call)
        self._snapshot = Held(counted(rows, self._scope.client.session.now), asked_at)
        return []

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the counts of users."""
        if self._snapshot is None or not fresh(self._snapshot.at):
            return
        account, snapshot = self._scope.account, self._snapshot.value
        yield Family(USERS, [((account,), snapshot.users)])
        if snapshot.active is not None:
            yield Family(USERS_ACTIVE, [((account, window), number) for window, number in snapshot.active])


def counted(rows: Sequence[models.User], now: float) -> Snapshot:
    """Count users. An older definition of the API has no `lastSeenAt`: where no row has it, who is active is not known."""
    if rows and all(row.last_seen_at is UNSET for row in rows):
        return Snapshot(len(rows), None)
    seen = [times.unix(row.last_seen_at) for row in rows if isinstance(row.last_seen_at, str)]
    active = tuple((window, sum(at is not None and at > now - seconds for at in seen)) for window, seconds in WINDOWS)
    return Snapshot(len(rows), active)
