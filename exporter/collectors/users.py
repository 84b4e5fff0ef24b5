"""Users of the account: its team. Customers are guests."""

from collections.abc import Iterator, Sequence

from msgspec import UNSET

from exporter.collectors._context import WHOLE_ACCOUNT, Context, known_at, mark_known
from exporter.collectors._incremental import IncrementalList
from exporter.collectors._labels import ACCOUNT, WINDOWS
from exporter.collectors._staged import ListTable
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.session import Call
from exporter.store.database import Connection

NAME = "users"
USERS = Desc("flatfile_users", "gauge", "Users of the account (GET /users).", ACCOUNT)
USERS_ACTIVE = Desc(
    "flatfile_users_active",
    "gauge",
    "Users whose lastSeenAt lies within the window. Absent where Flatfile gives no user's lastSeenAt.",
    (*ACCOUNT, "window"),
)
FAMILIES = (USERS, USERS_ACTIVE)

FULL_RESYNC = 3600.0  # seconds within which the whole list is read


def values(user: models.User, _: str) -> tuple[object, ...]:
    """Read a row as (id, created, activity, told)."""
    told = user.last_seen_at is not UNSET
    activity = None if user.last_seen_at is UNSET else times.unix(user.last_seen_at)
    return (user.id, times.unix(user.created_at), activity, int(told))


TABLE = ListTable(
    "user",
    ("created", "activity", "told"),
    Listing(Endpoint.USERS, models.User, identity),
    ({},),
    {"activity": "last_seen_at", "created": "created_at"},
    values,
)


class Collector:
    """Follows the list of users."""

    requires = ()
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        max_pause = context.config.collectors[NAME].max_age / 3
        self._list = IncrementalList(context, TABLE, full_resync=FULL_RESYNC, max_pause=max_pause)

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read which users were seen, have come and have gone."""
        reading = await self._list.read(WHOLE_ACCOUNT, {}, call)
        if reading is not None:

            def write(db: Connection) -> None:
                self._list.rows.merge(db, reading)
                mark_known(db, NAME, [WHOLE_ACCOUNT], reading.began)

            await self._context.database.run(write)
        return []

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Count the users, and those seen lately: an older definition of the API has no lastSeenAt."""
        at = known_at(db, NAME)
        if at is None or not fresh(at):
            return
        account = self._context.account
        (users,) = db.execute("SELECT count(*) FROM user").fetchone()
        yield Family(USERS, [((account,), users)])
        numbers = active(db, self._context.client.session.objects_now)
        if numbers is not None:
            yield Family(USERS_ACTIVE, [((account, window), number) for window, number in numbers])


def active(db: Connection, now: float) -> list[tuple[str, int]] | None:
    """Count the users seen within each window; `None` where no row says when its user was seen."""
    if db.execute("SELECT count(*) > 0 AND total(told) = 0 FROM user").fetchone()[0]:
        return None
    query = "SELECT count(*) FROM user WHERE activity > ?"
    return [(window, db.execute(query, (now - seconds,)).fetchone()[0]) for window, seconds in WINDOWS]
