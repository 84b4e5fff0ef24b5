"""Where reading of events has come to, and what is kept so that each is counted once.

The API documents neither the order of events, nor whether `since` includes its own moment, nor how late an event may become
visible. So each reading goes back `events.overlap` seconds before the newest event read, and ids tell what is new.
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import msgspec

from exporter.collectors._context import WHOLE_ACCOUNT
from exporter.config import EventsConfig
from exporter.core.logs import fields
from exporter.store.database import Connection

log = logging.getLogger(__name__)

SLACK = 2.0  # seconds by which the server's time may be misjudged
KEEP = 3600.0  # seconds for which events are kept, for other collectors
KEEP_GUESTS = 86400.0  # the same for events on guests of a space that was not asked for its guests since
MAX_EVENTS = 50_000  # that are kept for so long; with more, only those that are needed to count
ON_GUESTS = "topic IN ('space:guestAdded', 'space:guestRemoved')"
TABLES = ("event", "event_position", "event_count", "event_actor_count", "event_last")


@dataclass(frozen=True, slots=True)
class Position:
    """A row of `event_position`; unix seconds by the server's clock."""

    newest: float
    known_since: float
    began: float
    read_at: float

    def since(self, overlap: float) -> float:
        """Return the moment from which the next reading must ask."""
        return max(self.newest - overlap, self.known_since)


def load(db: Connection) -> Mapping[str, Position]:
    """Return the positions by environment; one that has none begins where the account stands."""
    query = "SELECT environment_id, newest, known_since, began, read_at FROM event_position"
    found = {environment: Position(*row) for environment, *row in db.execute(query)}
    for (environment,) in db.execute("SELECT id FROM environment"):
        found.setdefault(environment, found[WHOLE_ACCOUNT])
    return found


def environments(db: Connection) -> set[str]:
    """Return the environments that were read at least once."""
    return {environment for (environment,) in db.execute("SELECT environment_id FROM event_position")}


def resume(db: Connection, config: EventsConfig, account: str, asked_at: float) -> bool:
    """Keep what an earlier run of the exporter has left if counting can go on from it; return whether it can."""
    chosen = msgspec.json.encode((config.topics.include, config.topics.exclude)).decode()
    before = db.execute("SELECT value FROM meta WHERE name = 'events.topics'").fetchone()
    query = "SELECT max(read_at) FROM event_position"
    (read_at,) = db.execute(query).fetchone()
    about = {"account": account, "collector": "events"}
    why: str | None = ""
    if read_at is not None:
        why = _why_not_resumable(db, config, before == (chosen,), asked_at - read_at)
        if why is None:
            log.info("resuming event counts", extra=fields(**about, behind=f"{asked_at - read_at:.1f}s"))
            _drop_stale(db, asked_at - config.max_catch_up, about)
        else:
            log.warning("event counts restart at 0", extra=fields(**about, reason=why))
            for table in TABLES:
                db.execute(f"DELETE FROM {table}")
    db.execute("INSERT OR REPLACE INTO meta VALUES ('events.topics', ?)", (chosen,))
    return why is None


def begin(db: Connection, config: EventsConfig, started: float, asked_at: float) -> None:
    """Begin to count at `started`, where nothing has been read yet."""
    start = min(started, asked_at - config.window)
    values = (WHOLE_ACCOUNT, start, start - config.overlap, started, asked_at)
    db.execute("DELETE FROM event_position")
    db.execute("INSERT INTO event_position VALUES (?, ?, ?, ?, ?)", values)


def step_back(db: Connection, config: EventsConfig, started: float, asked_at: float) -> None:
    """Correct the positions where the clock turns out to have been ahead before."""
    query = "SELECT 1 FROM event_position WHERE read_at > ?"
    if not db.execute(query, (asked_at + SLACK,)).fetchone():
        return
    if not db.execute("SELECT 1 FROM event").fetchone():
        begin(db, config, started, asked_at)
    db.execute(
        "UPDATE event_position SET newest = min(newest, :at), read_at = min(read_at, :at), began = min(began, :started)",
        {"at": asked_at, "started": started},
    )


def _why_not_resumable(db: Connection, config: EventsConfig, same_topics: bool, behind: float) -> str | None:
    if not same_topics:
        return "events.include or events.exclude has changed"
    query = (
        "SELECT count(*), count(id) FROM event_position LEFT JOIN environment ON id = environment_id "
        "WHERE environment_id <> ''"
    )
    counted, listed = db.execute(query).fetchone()
    if counted and not listed and db.execute("SELECT 1 FROM environment").fetchone():
        return "the state is of another account: none of its environments is listed"
    if abs(behind) > config.max_catch_up:
        when = f"{behind:.0f} s ago" if behind > 0 else f"{-behind:.0f} s from now"
        return f"events were read last {when}, and events.max_catch_up is {config.max_catch_up:g} s"
    return None


def _drop_stale(db: Connection, earliest: float, about: Mapping[str, object]) -> None:
    """Begin again with environments that could not be read for too long."""
    query = "SELECT environment_id FROM event_position WHERE environment_id <> '' AND read_at < ?"
    stale = [environment for (environment,) in db.execute(query, (earliest,))]
    for environment in stale:
        for table in TABLES:
            db.execute(f"DELETE FROM {table} WHERE environment_id = ?", (environment,))
    if stale:
        log.warning(
            "event counts of environments restart at 0: they were not read for longer than events.max_catch_up",
            extra=fields(**about, environments=",".join(stale)),
        )


def advance(db: Connection, scope: str, position: Position, newest: float, asked_at: float) -> None:
    """Move a position after a complete reading that began at `asked_at` and whose newest event is `newest`, if any.

    An event from later, which a page read towards the end may hold, does not move it past what may still become visible
    among what was read before.
    """
    reached = max(position.newest, min(newest, asked_at - SLACK))
    values = (scope, reached, position.known_since, position.began, asked_at)
    db.execute("INSERT OR REPLACE INTO event_position VALUES (?, ?, ?, ?, ?)", values)


def unknown(db: Connection, events: Collection[str]) -> set[str]:
    """Return those of the events that were not read before."""
    return {event for event in events if not db.execute("SELECT 1 FROM event WHERE id = ?", (event,)).fetchone()}


def purge(db: Connection, config: EventsConfig, asked_at: float, *, account_wide: bool) -> None:
    """Forget what is not needed any more: events that no reading asks for again, and environments that are gone."""
    (number,) = db.execute("SELECT count(*) FROM event").fetchone()
    least = max(config.window, 2 * config.overlap) + SLACK
    cutoff = asked_at - (max(KEEP, least) if number <= MAX_EVENTS else least)
    guests_since = asked_at - KEEP_GUESTS if number <= MAX_EVENTS else asked_at
    named = {"cutoff": cutoff, "overlap": config.overlap, "guests_since": guests_since}
    if account_wide:
        query = "SELECT max(newest - :overlap, known_since) FROM event_position WHERE environment_id = ''"
        named["cutoff"] = min(cutoff, db.execute(query, named).fetchone()[0])
    db.execute(
        "DELETE FROM event WHERE created < :cutoff AND created < coalesce((SELECT max(newest - :overlap, known_since) "
        "FROM event_position p WHERE p.environment_id = event.environment_id), :cutoff) AND NOT ("
        f"{ON_GUESTS} AND created > :guests_since "
        "AND EXISTS (SELECT 1 FROM guest_space WHERE guest_space.id = space_id AND asked_at <= seen_at))",
        named,
    )
    db.execute("UPDATE event_position SET known_since = max(known_since, :cutoff) WHERE environment_id = ''", named)
    db.execute("DELETE FROM event_position WHERE environment_id NOT IN (SELECT id FROM environment UNION SELECT '')")
    for table in ("event_count", "event_actor_count", "event_last"):
        db.execute(
            f"DELETE FROM {table} WHERE environment_id NOT IN (SELECT id FROM environment) "
            "AND environment_id NOT IN (SELECT environment_id FROM event)"
        )
