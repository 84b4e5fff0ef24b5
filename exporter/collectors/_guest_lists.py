"""Lists of guests as rows of guest, guest_space and membership. All functions run on the account's thread."""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from operator import itemgetter

from exporter.collectors._labels import DAY
from exporter.collectors._position import ON_GUESTS
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.store.database import Connection

NAME = "guests"
LISTING = Listing(Endpoint.GUESTS, models.Guest, identity, paged=False)
WITHIN = ((1, 1), (0, 1), (0, 0))  # within 1 day and 7 days, within 7 days, within 30 days alone
MEMBERSHIPS = """
SELECT environment, sum(number) FROM (SELECT space, count(*) AS number FROM membership GROUP BY space)
JOIN guest_space ON no = space GROUP BY environment"""
ACTIVE = """
SELECT environment, last > :d1, last > :d7
FROM (SELECT guest, max(last_accessed) AS last FROM membership WHERE last_accessed > :d30 GROUP BY guest)
JOIN guest ON no = guest"""
DUE = f"""
SELECT space.id, space.environment_id, asked_at IS NOT NULL AS known FROM space
JOIN environment ON environment.id = space.environment_id AND shown
LEFT JOIN guest_space ON guest_space.id = space.id
WHERE (asked_at IS NULL OR EXISTS (
  SELECT 1 FROM event WHERE event.space_id = space.id AND seen_at >= asked_at
  AND {ON_GUESTS}))
AND (known, space.id) > (?, ?) ORDER BY known, space.id LIMIT ?"""
OLDEST = """
SELECT space.id, space.environment_id, asked_at FROM space
JOIN environment ON environment.id = space.environment_id AND shown
JOIN guest_space ON guest_space.id = space.id
WHERE asked_at IS NOT NULL AND space.environment_id {} ORDER BY asked_at LIMIT ?"""
WHOLE = """
SELECT environment_id FROM known JOIN environment ON environment.id = environment_id AND shown
WHERE collector = 'spaces' AND at >= ? AND NOT EXISTS (
  SELECT 1 FROM space LEFT JOIN guest_space ON guest_space.id = space.id
  WHERE space.environment_id = known.environment_id AND asked_at IS NULL)"""

ENVIRONMENT = "INSERT INTO guest_environment (id) VALUES (?) ON CONFLICT DO NOTHING"
DROP_ENVIRONMENTS = """
DELETE FROM guest_environment WHERE id NOT IN (SELECT id FROM environment)
AND no NOT IN (SELECT environment FROM guest_space) AND no NOT IN (SELECT environment FROM guest)"""
SPACE = """
INSERT INTO guest_space (id, environment, asked_at, told) SELECT ?, no, ?, ? FROM guest_environment WHERE id = ?
ON CONFLICT (id) DO UPDATE
SET (environment, asked_at, told) = (excluded.environment, coalesce(excluded.asked_at, asked_at), excluded.told)
WHERE (environment, told) <> (excluded.environment, excluded.told) OR excluded.asked_at IS NOT NULL"""
GUEST = """
INSERT INTO guest (id, environment) SELECT ?, no FROM guest_environment WHERE id = ? ON CONFLICT (id) DO UPDATE
SET environment = excluded.environment WHERE environment <> excluded.environment"""
MEMBERSHIP = """
INSERT INTO membership SELECT ?, no, ? FROM guest WHERE id = ? ON CONFLICT DO UPDATE
SET last_accessed = excluded.last_accessed WHERE last_accessed IS NOT excluded.last_accessed"""


def count(db: Connection) -> dict[str, tuple[int, int]]:
    """Return how many guests and memberships each environment has.

    Where hundreds of thousands of rows are counted by environment, that is done here: SQLite sorts them all for it.
    """
    guests = Counter(no for (no,) in db.execute("SELECT environment FROM guest"))
    memberships = dict(db.execute(MEMBERSHIPS).fetchall())
    return {id_: (guests[no], memberships.get(no, 0)) for no, id_ in _environments(db)}


def active(db: Connection, now: float) -> dict[str, tuple[int, int, int]]:
    """Return how many guests of each environment were active within 1, 7 and 30 days."""
    numbers = Counter(db.execute(ACTIVE, {f"d{days}": now - days * DAY for days in (1, 7, 30)}))
    return {
        id_: (numbers[no, 1, 1], numbers[no, 1, 1] + numbers[no, 0, 1], sum(numbers[no, *each] for each in WITHIN))
        for no, id_ in _environments(db)
    }


def untold(db: Connection) -> frozenset[str]:
    """Return the environments in which it is not known when some guests were active."""
    query = "SELECT id FROM guest_environment WHERE no IN (SELECT environment FROM guest_space WHERE NOT told)"
    return frozenset(id_ for (id_,) in db.execute(query))


def _environments(db: Connection) -> list[tuple[int, str]]:
    return db.execute("SELECT no, id FROM guest_environment").fetchall()


def oldest(db: Connection, number: int, never: Collection[str], once: Collection[str]) -> list[tuple[str, str]]:
    """Return (id, environment id) of the spaces whose turn it is; of environments in `never` none, in `once` one of each."""
    single = {*once}.difference(never)
    found = [row for env in single for row in db.execute(OLDEST.format("= ?"), (env, 1))]
    others = OLDEST.format(f"NOT IN ({', '.join('?' * len({*never, *once}))})")
    found += db.execute(others, (*{*never, *once}, number))
    return [(space, environment) for space, environment, _ in sorted(found, key=itemgetter(2))[:number]]


def write_account(db: Connection, rows: Sequence[models.Guest], keep: Collection[str]) -> bool:
    """Make the tables what an account-wide list says, but for the environments to `keep`; return whether that is a change."""
    by_space: defaultdict[str, list[models.Guest]] = defaultdict(list)
    for row in rows:
        for entry in row.spaces or ():
            by_space[entry.id].append(row)
    changed = [write_space(db, space, own[0].environment_id or "", own, None) for space, own in by_space.items()]
    before = db.total_changes
    db.executemany(ENVIRONMENT, [(row.environment_id or "",) for row in rows])
    db.executemany(GUEST, [(row.id, row.environment_id or "") for row in rows])
    kept = {no for no, id_ in _environments(db) if id_ in keep}
    spaces = db.execute("SELECT no, id, environment FROM guest_space").fetchall()
    gone = [(no,) for no, id_, environment in spaces if id_ not in by_space and environment not in kept]
    db.executemany("DELETE FROM membership WHERE space = ?", gone)
    listed, guests = {row.id for row in rows}, db.execute("SELECT no, id, environment FROM guest").fetchall()
    gone = [(no,) for no, id_, environment in guests if id_ not in listed and environment not in kept]
    db.executemany("DELETE FROM guest WHERE no = ?", gone)
    db.execute(DROP_ENVIRONMENTS)
    return any(changed) or db.total_changes > before


def write_space(
    db: Connection, space: str, environment: str, rows: Sequence[models.Guest], asked_at: float | None
) -> bool:
    """Make the guests of one space what a list says; return whether that is a change. `asked_at`: of its own list."""
    own = {row.id: next((entry for entry in row.spaces or () if entry.id == space), None) for row in rows}
    db.execute(ENVIRONMENT, (environment,))
    db.execute(SPACE, (space, asked_at, None not in own.values(), environment))
    (no,) = db.execute("SELECT no FROM guest_space WHERE id = ?", (space,)).fetchone()
    before = db.total_changes
    db.executemany(GUEST, [(guest, environment) for guest in own])
    known = db.execute("SELECT id, guest FROM membership JOIN guest ON no = guest WHERE space = ?", (no,)).fetchall()
    gone = [(no, guest) for id_, guest in known if id_ not in own]
    db.executemany("DELETE FROM membership WHERE space = ? AND guest = ?", gone)
    db.executemany(MEMBERSHIP, [(no, _last_accessed(entry) if entry else None, id_) for id_, entry in own.items()])
    return db.total_changes > before


def _last_accessed(entry: models.GuestSpace) -> int | None:
    """Return whole unix seconds, which SQLite keeps in half the bytes."""
    at = times.unix(entry.last_accessed)
    return None if at is None else math.floor(at)


def drop_gone(db: Connection, *, guests: bool) -> bool:
    """Forget spaces that are not listed any more, and guests who are in no space; return whether there were any.

    `guests`: look for these even if no space has gone.
    """
    before = db.total_changes
    db.execute("DELETE FROM guest_space WHERE id NOT IN (SELECT id FROM space)")
    if guests or db.total_changes > before:
        db.execute("DELETE FROM membership WHERE space NOT IN (SELECT no FROM guest_space)")
        db.execute("DELETE FROM guest WHERE no NOT IN (SELECT guest FROM membership)")
        db.execute(DROP_ENVIRONMENTS)
    return db.total_changes > before


def spaces_known(db: Connection, oldest: float) -> dict[str, float]:
    """Return when the spaces of each environment were read, where that is not before `oldest`."""
    query = (
        "SELECT environment_id, at FROM known JOIN environment ON id = environment_id AND shown "
        "WHERE collector = 'spaces' AND at >= ?"
    )
    return dict(db.execute(query, (oldest,)).fetchall())


def has_spaces(db: Connection, environment: str | None = None) -> bool:
    """Whether any space is known, of an environment or at all."""
    query = "SELECT 1 FROM space WHERE ? IS NULL OR environment_id = ? LIMIT 1"
    return db.execute(query, (environment, environment)).fetchone() is not None
