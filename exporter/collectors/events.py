"""Events of each environment, each counted once: rates, totals, who caused them."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from exporter.collectors._labels import ENVIRONMENT
from exporter.collectors._silence import Silence
from exporter.families import Desc, Family, Sample
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError
from exporter.flatfile.session import Call
from exporter.flatfile.tail import Before, Happened, Tail, happened
from exporter.flatfile.times import iso
from exporter.flatfile.topics import ACTOR_TYPES, GUEST_TOPICS, KNOWN_TOPICS, actor_type
from exporter.freshness import Freshness
from exporter.scope import Held, Scope

PER_SECOND = Desc(
    "flatfile_events_per_second",
    "gauge",
    "Events created within the last events.window (5m unless configured), by their own createdAt, over its seconds. "
    "A series for each topic seen since the start (GET /events).",
    (*ENVIRONMENT, "topic"),
)
TOTAL = Desc(
    "flatfile_events_total",
    "counter",
    "Events created since the exporter started, each counted once by its id, acknowledged ones too. Known topics start at 0.",
    (*ENVIRONMENT, "topic"),
)
BY_ACTOR = Desc(
    "flatfile_events_by_actor_total",
    "counter",
    "The events of flatfile_events_total by who caused them, as the kind of id in the event tells; system where it names nobody.",
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
ACCOUNT_WIDE = ""  # the name of the one stream that holds all environments' events
OTHER = "other"
MOST_STRAYS = 1000  # environments whose events are kept though they are not listed


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One environment's events: rates by topic over the window, totals, and the newest event's time."""

    rates: Mapping[str, float]
    totals: Mapping[str, int]
    actors: Mapping[str, int]
    last: float | None


@dataclass(slots=True)
class Tally:
    """What has been counted of one environment since the start."""

    totals: Counter[str] = field(default_factory=Counter)
    actors: Counter[str] = field(default_factory=Counter)
    recent: list[tuple[float, str]] = field(default_factory=list)  # (createdAt, topic) within the window
    last: float | None = None


class Collector:
    """Follows the events of the whole account, or of each environment where the API does not give that."""

    requires: tuple[str, ...] = ("environments",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._config = scope.config.events
        self._started = scope.clock.monotonic()
        self._began = 0.0  # the start by the server's clock
        self._tails: dict[str, Tail] = {}
        self._account_wide = True
        self._silence = Silence(scope.config.collectors["events"].max_age / 3)
        self._unsure: set[str] = set()  # environments that could not be asked by themselves the last time
        self._tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._known = tuple(topic for topic in KNOWN_TOPICS if self._config.topics.match(topic))
        self._topics = set(self._known)  # those that are counted under their own name
        self._seen_topics: dict[str, None] = {}
        self._hinting = scope.config.collectors["guests"].enabled
        self._snapshots: dict[str, Held[Snapshot]] = {}

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read the events since the last complete pass."""
        scope, now = self._scope, self._scope.clock.wall()
        asked_at = scope.client.session.now
        if not self._tails:
            self._began = asked_at - (scope.clock.monotonic() - self._started)
            self._tails[ACCOUNT_WIDE] = Tail(min(self._began, asked_at - self._config.window), self._config.overlap)
        passes, errors = await self._passes(call)
        unusable = 0
        for stream, rows in passes.items():
            events = [happened(row) for row in rows]
            readable = [event for event in events if event is not None]
            unusable += len(events) - len(readable)
            self._count(self._tail(stream).take(readable, asked_at), stream)
        for tally in self._tallies.values():
            tally.recent = [(at, topic) for at, topic in tally.recent if at > asked_at - self._config.window]
        for environment in scope.selected():
            if (ACCOUNT_WIDE in passes and environment.id not in self._unsure) or environment.id in passes:
                at = now if environment.id in passes else self._silence.asked_at(environment.id, now)
                self._snapshots[environment.id] = Held(self._snapshot(environment.id, asked_at), at)
                scope.happenings.follow(environment.id, asked_at)
        self._forget()
        if unusable:
            error = BadResponse(
                f"{unusable} events without a time that can be read are not counted", endpoint="/events"
            )
            return [*errors, error]
        return errors

    async def _passes(self, call: Call) -> tuple[Mapping[str, list[models.Event]], Sequence[FlatfileError]]:
        """Read what is new in each stream: the account's, else each environment's."""
        if self._account_wide:
            try:
                rows = await self._since(ACCOUNT_WIDE, {}, call)
            except FlatfileError as error:
                if not error.concerns_the_question:
                    raise
            else:
                if all(_environment(row) for row in rows):
                    whole, errors = await self._whole(rows, call)
                    if whole is not None:
                        return {ACCOUNT_WIDE: whole}, errors
        self._unsure = set()
        found, errors = await self._scope.each(
            self._scope.selected(), lambda env: self._since(env.id, {"environmentId": env.id}, call), call
        )
        if found:
            self._account_wide = False
        return found, errors

    async def _whole(
        self, rows: list[models.Event], call: Call
    ) -> tuple[list[models.Event] | None, Sequence[FlatfileError]]:
        """Make sure that the account's list hides no environment's events; `None` where it does.

        An environment that it is silent about is asked by itself now and then: nothing happened there, or is it hidden?
        """
        scope, now = self._scope, self._scope.clock.wall()
        self._silence.believe({_environment(row) for row in rows}, now)
        doubtful = self._silence.doubtful(scope.selected(), now)
        answers, errors = await scope.some(
            doubtful, lambda env: self._since(ACCOUNT_WIDE, {"environmentId": env.id}, call), call
        )
        self._unsure = {environment.id for environment in doubtful} - answers.keys()
        since = self._tail(ACCOUNT_WIDE).since
        own = {
            row.id
            for env, found in answers.items()
            for row in found
            if _environment(row) in ("", env) and (times.unix(row.created_at) or 0.0) >= since
        }
        if own - {row.id for row in rows}:
            rows = await self._since(ACCOUNT_WIDE, {}, call)  # may have happened in between
        if own - {row.id for row in rows} or any(error.concerns_the_question for error in errors):
            return None, ()
        self._silence.believe(answers, now)
        return rows, errors

    async def _since(self, stream: str, where: dict[str, str], call: Call) -> list[models.Event]:
        since = self._tail(stream).since
        params = {**where, "since": iso(since), "includeAcknowledged": "true"}
        return await self._scope.client.rows(LISTING, params, call, stop=Before(since))

    def _tail(self, stream: str) -> Tail:
        """The stream's own tail; a new stream goes on from where the account's stands."""
        if stream not in self._tails:
            self._tails[stream] = self._tails[ACCOUNT_WIDE].branch()
        return self._tails[stream]

    def _count(self, events: Iterable[Happened], stream: str) -> None:
        passed_over = {environment.id for environment in self._scope.passed_over}
        for event in sorted(events, key=attrgetter("at")):
            environment = event.environment_id or stream
            if stream not in (ACCOUNT_WIDE, environment) or environment in passed_over:
                continue  # of another environment than was asked for, or than the configuration selects
            self._scope.happenings.note(environment, event.id, event.at)
            if event.topic in GUEST_TOPICS and event.space_id and self._hinting:
                self._scope.guest_hints.add(event.space_id)
            if not self._config.topics.match(event.topic):
                continue
            topic = self._admitted(event.topic)
            tally = self._tallies[environment]
            tally.recent.append((event.at, topic))
            tally.last = event.at if tally.last is None else max(tally.last, event.at)
            if event.at >= self._began:
                tally.totals[topic] += 1
                tally.actors[actor_type(event.actor_id)] += 1

    def _admitted(self, topic: str) -> str:
        """The topic under which to count: its own name, or `other` when there are too many."""
        if topic not in self._topics:
            if len(self._topics) >= self._config.max_topics:
                topic = OTHER
            else:
                self._topics.add(topic)
        self._seen_topics.setdefault(topic)
        return topic

    def _snapshot(self, environment: str, asked_at: float) -> Snapshot:
        tally, window = self._tallies[environment], self._config.window
        in_window = Counter(topic for at, topic in tally.recent if at <= asked_at)
        return Snapshot(
            rates={topic: in_window[topic] / window for topic in self._seen_topics},
            totals={topic: tally.totals[topic] for topic in dict.fromkeys((*self._known, *self._seen_topics))},
            actors={actor: tally.actors[actor] for actor in ACTOR_TYPES},
            last=tally.last,
        )

    def _forget(self) -> None:
        """Drop what is kept of environments that were listed once and are not any more."""
        listed = {env.id for env in (*self._scope.selected(), *self._scope.passed_over)}
        for gone in self._snapshots.keys() - listed:
            del self._snapshots[gone]
            self._tallies.pop(gone, None)
            self._tails.pop(gone, None)
        for stray in self._tallies.keys() - listed:  # of an environment that is not listed yet, or never will be
            if len(self._tallies) > len(listed) + MOST_STRAYS:
                del self._tallies[stray]

    def families(self, fresh: Freshness) -> Iterator[Family]:
        """Give the environments' events."""
        samples: dict[Desc, list[Sample]] = {desc: [] for desc in FAMILIES}
        for environment in self._scope.environments or ():
            held = self._snapshots.get(environment.id)
            if held is None or not fresh(held.at):
                continue
            snapshot, labels = held.value, (self._scope.account, *environment.labels)
            for desc, values in ((PER_SECOND, snapshot.rates), (TOTAL, snapshot.totals), (BY_ACTOR, snapshot.actors)):
                samples[desc].extend(((*labels, key), value) for key, value in values.items())
            if snapshot.last is not None:
                samples[LAST].append((labels, snapshot.last))
        yield from (Family(desc, found) for desc, found in samples.items())


def _environment(row: models.Event) -> str:
    """The environment that an event names, an empty text where it names none."""
    return (row.context.environment_id if row.context else None) or ""
