"""Lists of guests as rows of guest, guest_space and membership. All functions run on the account's thread."""

from collections import Counter
from collections.abc import Sequence

from exporter.flatfile import models, times
from exporter.store.database import Connection

DAY = 86400.0
WITHIN = ((1, 1), (0, 1), (0, 0))  # within 1 day and 7 days, within 7 days, within 30 days alone
MEMBERSHIPS = """
SELECT environment_id, sum(number) FROM (SELECT space, count(*) AS number FROM membership GROUP BY space)
JOIN guest_space ON no = space GROUP BY environment_id"""
ACTIVE = """
SELECT environment_id, last > :d1, last > :d7
FROM (SELECT guest, max(last_accessed) AS last FROM membership WHERE last_accessed > :d30 GROUP BY guest)
JOIN guest ON no = guest"""
DUE = """
SELECT space.id, space.environment_id, asked_at IS NOT NULL AS known FROM space
JOIN environment ON environment.id = space.environment_id AND shown
LEFT JOIN guest_space ON guest_space.id = space.id
WHERE (asked_at IS NULL OR EXISTS (
  SELECT 1 FROM event WHERE event.space_id = space.id AND seen_at >= asked_at
  AND topic IN ('space:guestAdded', 'space:guestRemoved')))
AND (known, space.id) > (?, ?) ORDER BY known, space.id LIMIT ?"""
OLDEST = """
SELECT space.id, space.environment_id FROM space
JOIN environment ON environment.id = space.environment_id AND shown
JOIN guest_space ON guest_space.id = space.id
WHERE asked_at IS NOT NULL ORDER BY asked_at"""
WHOLE = """
SELECT environment_id FROM known JOIN environment ON environment.id = environment_id AND shown
WHERE collector = 'spaces' AND at >= ? AND NOT EXISTS (
  SELECT 1 FROM space LEFT JOIN guest_space ON guest_space.id = space.id
  WHERE space.environment_id = known.environment_id AND asked_at IS NULL)"""


def count(db: Connection) -> dict[str, tuple[int, int]]:
    """Return how many guests and memberships each environment has.

    Where hundreds of thousands of rows are counted by environment, that is done here: SQLite sorts them all for it.
    """
    guests = Counter(environment for (environment,) in db.execute("SELECT environment_id FROM guest"))
    memberships = dict(db.execute(MEMBERSHIPS).fetchall())
    return {env: (guests[env], memberships.get(env, 0)) for env in guests.keys() | memberships.keys()}


def active(db: Connection, now: float) -> dict[str, tuple[int, int, int]]:
    """Return how many guests of each environment were active within 1, 7 and 30 days."""
    numbers = Counter(db.execute(ACTIVE, {f"d{days}": now - days * DAY for days in (1, 7, 30)}))
    return {
        env: (numbers[env, 1, 1], numbers[env, 1, 1] + numbers[env, 0, 1], sum(numbers[env, *each] for each in WITHIN))
        for env in {env for env, _, _ in numbers}
    }


def write_account(db: Connection, rows: Sequence[models.Guest], keep: Sequence[str]) -> bool:
    """Make the tables what an account-wide list says, but for the environments to `keep`; return whether that is a change."""
    before = db.total_changes
    db.execute("CREATE TEMP TABLE IF NOT EXISTS pass_guest (id PRIMARY KEY, environment_id) WITHOUT ROWID")
    db.execute(
        "CREATE TEMP TABLE IF NOT EXISTS pass_membership (guest, space, last_accessed, PRIMARY KEY (guest, space)) WITHOUT ROWID"
    )
    db.execute("DELETE FROM pass_guest")
    db.execute("DELETE FROM pass_membership")
    db.executemany("INSERT OR IGNORE INTO pass_guest VALUES (?, ?)", ((row.id, row.environment_id) for row in rows))
    db.executemany(
        "INSERT OR REPLACE INTO pass_membership VALUES (?, ?, ?)",
        ((row.id, entry.id, times.unix(entry.last_accessed)) for row in rows for entry in row.spaces or ()),
    )
    before = db.total_changes
    marks = ", ".join("?" * len(keep))
    db.execute(
        "INSERT INTO guest (id, environment_id) SELECT id, environment_id FROM pass_guest WHERE true "
        "ON CONFLICT (id) DO UPDATE SET environment_id = excluded.environment_id WHERE environment_id <> excluded.environment_id"
    )
    db.execute(
        "INSERT INTO guest_space (id, environment_id, told) SELECT space, min(environment_id), 1 FROM pass_membership "
        "JOIN pass_guest ON id = guest WHERE true GROUP BY space ON CONFLICT (id) DO UPDATE "
        "SET environment_id = excluded.environment_id, told = 1 WHERE environment_id <> excluded.environment_id OR NOT told"
    )
    db.execute(
        "INSERT INTO membership SELECT guest_space.no, guest.no, last_accessed FROM pass_membership "
        "JOIN guest ON guest.id = guest JOIN guest_space ON guest_space.id = space WHERE true "
        "ON CONFLICT DO UPDATE SET last_accessed = excluded.last_accessed WHERE last_accessed IS NOT excluded.last_accessed"
    )
    db.execute(
        "DELETE FROM membership WHERE NOT EXISTS (SELECT 1 FROM guest_space s JOIN guest g JOIN pass_membership p "
        "ON p.guest = g.id AND p.space = s.id WHERE s.no = membership.space AND g.no = membership.guest) "
        f"AND space NOT IN (SELECT no FROM guest_space WHERE environment_id IN ({marks}))",
        keep,
    )
    db.execute(
        f"DELETE FROM guest WHERE id NOT IN (SELECT id FROM pass_guest) AND environment_id NOT IN ({marks})",
        keep,
    )
    changed = db.total_changes > before
    db.execute("DELETE FROM pass_guest")
    db.execute("DELETE FROM pass_membership")
    return changed


def write_space(db: Connection, space: str, environment: str, rows: Sequence[models.Guest], at: float) -> bool:
    """Make the guests of one space what its own list says; return whether that is a change."""
    own = {row.id: next((entry for entry in row.spaces or () if entry.id == space), None) for row in rows}
    told = None not in own.values()
    db.execute(
        "INSERT INTO guest_space (id, environment_id, asked_at, told) VALUES (?, ?, ?, ?) ON CONFLICT (id) "
        "DO UPDATE SET environment_id = excluded.environment_id, asked_at = excluded.asked_at, told = excluded.told",
        (space, environment, at, told),
    )
    (no,) = db.execute("SELECT no FROM guest_space WHERE id = ?", (space,)).fetchone()
    before = db.total_changes
    db.executemany(
        "INSERT INTO guest (id, environment_id) VALUES (?, ?) ON CONFLICT (id) "
        "DO UPDATE SET environment_id = excluded.environment_id WHERE environment_id <> excluded.environment_id",
        [(guest, environment) for guest in own],
    )
    known = dict(
        db.execute("SELECT id, guest FROM membership JOIN guest ON no = guest WHERE space = ?", (no,)).fetchall()
    )
    db.executemany(
        "DELETE FROM membership WHERE space = ? AND guest = ?",
        [(no, guest) for id_, guest in known.items() if id_ not in own],
    )
    db.executemany(
        "INSERT INTO membership SELECT ?, no, ? FROM guest WHERE id = ? "
        "ON CONFLICT DO UPDATE SET last_accessed = excluded.last_accessed WHERE last_accessed IS NOT excluded.last_accessed",
        [(no, times.unix(entry.last_accessed) if entry else None, id_) for id_, entry in own.items()],
    )
    return db.total_changes > before


def drop_gone(db: Connection) -> bool:
    """Forget spaces that are not listed any more, and guests who are in no space; return whether there were any."""
    before = db.total_changes
    db.execute("DELETE FROM guest_space WHERE id NOT IN (SELECT id FROM space)")
    db.execute("DELETE FROM membership WHERE space NOT IN (SELECT no FROM guest_space)")
    db.execute("DELETE FROM guest WHERE no NOT IN (SELECT guest FROM membership)")
    return db.total_changes > before
