"""Events of each environment, each counted once: rates, totals, who caused them."""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.collectors import _position
from exporter.collectors._context import (
    WHOLE_ACCOUNT,
    Context,
    Environment,
    fresh_environments,
    mark_known,
    mark_verified,
    needs_check,
    not_counted,
)
from exporter.collectors._labels import ENVIRONMENT, family
from exporter.collectors._position import Position
from exporter.collectors._way import Way
from exporter.exposition.families import Desc, Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError
from exporter.flatfile.events import EventRecord, event_record
from exporter.flatfile.order import Before
from exporter.flatfile.session import Call
from exporter.flatfile.times import iso
from exporter.flatfile.topics import ACTOR_TYPES, KNOWN_TOPICS, actor_type
from exporter.store.database import Connection

NAME = "events"
PER_SECOND = Desc(
    "flatfile_events_per_second",
    "gauge",
    "Events created within events.window (5m unless configured), by createdAt, over its seconds (GET /events).",
    (*ENVIRONMENT, "topic"),
)
TOTAL = Desc(
    "flatfile_events_total",
    "counter",
    "Events created since counting began, each counted once by its id, acknowledged ones too (GET /events).",
    (*ENVIRONMENT, "topic"),
)
BY_ACTOR = Desc(
    "flatfile_events_by_actor_total",
    "counter",
    "The events of flatfile_events_total by the kind of who caused them; system where the event names nobody.",
    (*ENVIRONMENT, "actor_type"),
)
LAST = Desc(
    "flatfile_event_last_timestamp_seconds",
    "gauge",
    "When the newest event seen was created, in unix seconds. Absent while none has been seen.",
    ENVIRONMENT,
)
FAMILIES = (PER_SECOND, TOTAL, BY_ACTOR, LAST)

LISTING = Listing(Endpoint.EVENTS, models.Event, identity)
OTHER = "other"
MAX_AHEAD = 86400.0  # seconds: an event from further in the future does not move flatfile_event_last_timestamp_seconds

RATES = """
SELECT environment_id, topic, count(*) FROM event JOIN event_position USING (environment_id)
WHERE counted AND created > read_at - ? AND created <= read_at GROUP BY 1, 2"""


class _ClockMoved(Exception):
    """While events were read the time turned out to be another one."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Events that were read since a time, of one environment or ('') of the account."""

    scope: str
    since: float
    events: Sequence[EventRecord]


class Collector:
    """Follows the events of the whole account, or of each environment where the API does not give that."""

    requires = ("environments",)
    triggers = ()

    def __init__(self, context: Context) -> None:
        self._context = context
        self._config = context.config.events
        self._started = context.clock.monotonic()
        self._resumed: bool | None = None  # from what an earlier run has left; `None`: not looked at yet
        self._begun = self._clock_checked = False
        self._account_wide = Way(context.clock.monotonic)
        self._unusable = 0
        self._topics = self._config.topics
        self._known_topics = [topic for topic in KNOWN_TOPICS if self._topics.match(topic)]

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read the events since the last complete reading; the first time once more where that showed the clock to be wrong."""
        self._clock_checked = self._begun
        try:
            errors = await self._refresh(call)
        except _ClockMoved:
            errors = await self._refresh(call)
        self._begun = True
        return [*errors, *not_counted(self._unusable, "events without a readable time", Endpoint.EVENTS)]

    async def _refresh(self, call: Call) -> Sequence[FlatfileError]:
        context, at, asked_at = self._context, self._context.clock.steady(), self._context.client.session.objects_now
        environments, positions = await context.environments(), await self._positions(asked_at)
        self._unusable = 0
        if self._account_wide.open:
            try:
                errors = await self._read_account(environments, positions, asked_at, at, call)
            except FlatfileError as error:
                if not context.client.session.is_rejection(error):
                    raise
                errors = None
            if errors is not None:
                self._account_wide.works()
                return errors
            self._account_wide.refused()
        found, errors = await context.gather(
            environments, lambda env: self._read(env.id, positions[env.id].since(self._config.overlap), call), call
        )
        self._check_clock(asked_at - at)
        await context.database.run(lambda db: self._write(db, [*found.values()], found, asked_at, at))
        return errors

    async def _positions(self, asked_at: float) -> Mapping[str, Position]:
        """Return where reading has come to: as an earlier run of the exporter has left it, or at its start."""
        context, config = self._context, self._config
        started = asked_at - (context.clock.monotonic() - self._started)  # by the server's clock

        def load(db: Connection) -> Mapping[str, Position]:
            if self._resumed is None:
                self._resumed = _position.resume(db, config, context.account, asked_at)
            if not self._resumed and not self._begun:
                _position.begin(db, config, started, asked_at)
            _position.step_back(db, config, started, asked_at)
            return _position.load(db)

        return await context.database.run(load)

    def _check_clock(self, ahead: float) -> None:
        """Raise _ClockMoved, once at most, if the server's clock is not so far ahead of ours as it was taken for."""
        context, checked = self._context, self._clock_checked
        self._clock_checked = True
        now_ahead = context.client.session.objects_now - context.clock.steady()
        if not checked and abs(now_ahead - ahead) > _position.SLACK:
            raise _ClockMoved

    async def _read(self, scope: str, since: float, call: Call) -> Reading:
        """Read the events of an environment, or of the account, since a time."""
        params = {"since": iso(since), "includeAcknowledged": "true", **({"environmentId": scope} if scope else {})}
        rows = await self._context.client.rows(LISTING, params, call, stop=Before(since))
        events = [event_record(row) for row in rows]
        self._unusable += events.count(None)
        return Reading(scope, since, [event for event in events if event is not None and event.at >= since])

    async def _read_account(
        self,
        environments: Sequence[Environment],
        positions: Mapping[str, Position],
        asked_at: float,
        at: float,
        call: Call,
    ) -> Sequence[FlatfileError] | None:
        """Read the account's events in one list; `None` where that list does not hold them all.

        Environments that it did not mention for a while are asked by themselves: did nothing happen there, or is it hidden?
        So are those that could not be read for longer than ids are kept.
        """
        context, overlap = self._context, self._config.overlap
        account = await self._read(WHOLE_ACCOUNT, positions[WHOLE_ACCOUNT].since(overlap), call)
        mentioned = {event.environment_id or "" for event in account.events}
        if "" in mentioned:
            return None
        ids_since = positions[WHOLE_ACCOUNT].known_since + overlap
        behind = [env for env in environments if positions[env.id].read_at < ids_since]
        quiet = [env for env in environments if env.id not in mentioned and env not in behind]
        verified_since = at - context.config.collectors[NAME].max_age / 3
        read = await context.database.run(_position.environments)
        unread = [env for env in environments if self._begun and env.id in mentioned and env.id not in read]
        silent = await context.database.run(lambda db: needs_check(db, NAME, quiet, verified_since))
        asked = [*dict.fromkeys([*behind, *unread, *silent])]
        since = {env.id: positions[env.id].since(overlap) for env in asked}
        since |= {env.id: positions[env.id].known_since for env in unread}
        found, errors = await context.gather_partial(asked, lambda env: self._read(env.id, since[env.id], call), call)
        late = {env.id for env in behind + unread}
        own = {
            event.id
            for reading in found.values()
            for event in reading.events
            if reading.scope not in late and (event.environment_id or reading.scope) == reading.scope
        }
        missing = await context.database.run(
            lambda db: _position.unknown(db, own - {event.id for event in account.events})
        )
        if missing:
            account = await self._read(WHOLE_ACCOUNT, account.since, call)  # they may have happened in between
            if missing - {event.id for event in account.events}:
                return None
        covered = ({env.id for env in environments} & mentioned | found.keys()) - (
            {env.id for env in asked} - found.keys()
        )

        self._check_clock(asked_at - at)
        readings = [account, *found.values()]
        await context.database.run(lambda db: self._write(db, readings, covered, asked_at, at, account_wide=True))
        return errors

    def _write(
        self,
        db: Connection,
        readings: Sequence[Reading],
        covered: Collection[str],
        asked_at: float,
        at: float,
        *,
        account_wide: bool = False,
    ) -> None:
        """Count what is new, and move the positions of the environments that were `covered`, in one transaction."""
        positions = _position.load(db)
        not_covered = {id_ for (id_,) in db.execute("SELECT id FROM environment WHERE shown")}.difference(covered)
        new = [
            (event.environment_id or reading.scope, event)
            for reading in readings
            for event in reading.events
            if reading.scope in ("", event.environment_id or reading.scope) and event.environment_id not in not_covered
        ]
        self._count(db, sorted(new, key=lambda each: each[1].at), positions, asked_at, at)
        newest = {reading.scope: max((event.at for event in reading.events), default=-math.inf) for reading in readings}
        if account_wide:
            newest = dict.fromkeys((*covered, WHOLE_ACCOUNT), max(newest.values()))
        for scope, moment in newest.items():
            _position.advance(db, scope, positions[scope], moment, asked_at)
        # what an environment's own list says is not compared with the account's
        mark = mark_verified if account_wide else mark_known
        mark(db, NAME, covered, at)
        _position.purge(db, self._config, asked_at, account_wide=account_wide)

    def _count(
        self,
        db: Connection,
        events: Sequence[tuple[str, EventRecord]],
        positions: Mapping[str, Position],
        asked_at: float,
        at: float,
    ) -> None:
        not_selected = {id_ for (id_,) in db.execute("SELECT id FROM environment WHERE NOT shown")}
        topics = {*self._known_topics, *(topic for (topic,) in db.execute("SELECT DISTINCT topic FROM event_count"))}
        counts: Counter[tuple[str, str]] = Counter()
        actors: Counter[tuple[str, str]] = Counter()
        last: dict[str, float] = {}
        for environment, event in events:
            counted, topic = self._topics.match(event.topic), event.topic
            if counted and topic not in topics:
                if len(topics) >= self._config.max_topics:
                    topic = OTHER
                topics.add(topic)
            values = (event.id, environment, topic, counted, event.space_id, event.at, at)
            new = db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?, ?, ?, ?)", values).rowcount
            if not new or not counted or environment in not_selected:
                continue
            if event.at <= asked_at + MAX_AHEAD:
                last[environment] = max(last.get(environment, event.at), event.at)
            counts[environment, topic] += 0  # seen, whether it is counted or happened before counting began
            if event.at >= positions.get(environment, positions[WHOLE_ACCOUNT]).began:
                counts[environment, topic] += 1
                actors[environment, actor_type(event.actor_id)] += 1
        for table, numbers in (("event_count", counts), ("event_actor_count", actors)):
            db.executemany(
                f"INSERT INTO {table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                [(*key, number) for key, number in numbers.items()],
            )
        db.executemany(
            "INSERT INTO event_last VALUES (?, ?) ON CONFLICT DO UPDATE SET created = max(created, excluded.created)",
            last.items(),
        )

    def families(self, db: Connection, fresh: Freshness) -> Iterator[Family]:
        """Return rates, totals and the newest event of each environment."""
        labels = fresh_environments(db, self._context.account, NAME, fresh)
        seen = [topic for (topic,) in db.execute("SELECT DISTINCT topic FROM event_count ORDER BY topic")]
        queries = (
            (PER_SECOND, seen, RATES, (self._config.window,), self._config.window),
            (TOTAL, dict.fromkeys([*self._known_topics, *seen]), "SELECT * FROM event_count", (), 1),
            (BY_ACTOR, ACTOR_TYPES, "SELECT * FROM event_actor_count", (), 1),
        )
        for desc, keys, query, parameters, divisor in queries:
            values = {(environment, key): 0.0 for environment in labels for key in keys}
            values.update(
                ((environment, key), number / divisor) for environment, key, number in db.execute(query, parameters)
            )
            yield family(desc, labels, ((*by, value) for by, value in values.items()))
        yield family(LAST, labels, db.execute("SELECT environment_id, created FROM event_last ORDER BY 1"))
