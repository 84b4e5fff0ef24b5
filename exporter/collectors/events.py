"""Events of each environment, each counted once: rates, totals, who caused them."""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter

from exporter.collectors._context import Held, Scope
from exporter.collectors._event_counts import ACCOUNT_WIDE, Counts, Snapshot, State, obstacle
from exporter.collectors._labels import ENVIRONMENT
from exporter.collectors._silence import Silence
from exporter.core.logs import fields
from exporter.exposition.families import Desc, Family, Sample
from exporter.exposition.freshness import Freshness
from exporter.flatfile import models, times
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError
from exporter.flatfile.session import Call
from exporter.flatfile.tail import Before, Happened, happened
from exporter.flatfile.times import iso
from exporter.flatfile.topics import GUEST_TOPICS

log = logging.getLogger(__name__)

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
    "Events created since counting began, each counted once by its id, acknowledged ones too. Known topics start at 0. Counting "
    "begins when the exporter starts; with --storage.path it goes on over restarts.",
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
NAME = "events"
KEEP_EVERY = 60.0  # seconds after which it is noted how far events were read, though nothing happened


class Collector:
    """Follows the events of the whole account, or of each environment where the API does not give that."""

    requires: tuple[str, ...] = ("environments",)

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._config = scope.config.events
        self._started = scope.clock.monotonic()
        self._counts: Counts | None = None
        self._kept_at = float("-inf")
        self._silence = Silence(scope.config.collectors["events"].max_age / 3)
        self._unsure: set[str] = set()  # environments that could not be asked by themselves the last time
        self._hinting = scope.config.collectors["guests"].enabled
        self._snapshots: dict[str, Held[Snapshot]] = {}

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        """Read the events since the last complete pass."""
        scope, now = self._scope, self._scope.clock.wall()
        asked_at = scope.client.session.now
        counts = self._counts = self._counts or await self._begun(asked_at)
        passes, errors = await self._passes(counts, call)
        unusable = counted = 0
        for stream, rows in passes.items():
            events = [happened(row) for row in rows]
            readable = [event for event in events if event is not None]
            unusable += len(events) - len(readable)
            new = counts.take(stream, readable, asked_at)
            counted += len(new)
            self._count(counts, new, stream)
        counts.leave_window(asked_at)
        for environment in scope.selected():
            if (ACCOUNT_WIDE in passes and environment.id not in self._unsure) or environment.id in passes:
                at = now if environment.id in passes else self._silence.asked_at(environment.id, now)
                self._snapshots[environment.id] = Held(counts.snapshot(environment.id, asked_at), at)
                scope.happenings.follow(environment.id, asked_at)
        listed = self._listed()
        counts.forget(listed, asked_at)
        for gone in self._snapshots.keys() - listed:
            del self._snapshots[gone]
        self._keep(counts, asked_at, anyway=counted > 0)
        if unusable:
            error = BadResponse(
                f"{unusable} events without a time that can be read are not counted", endpoint="/events"
            )
            return [*errors, error]
        return errors

    async def _begun(self, asked_at: float) -> Counts:
        """Begin to count where the exporter's last run has left off, else at the start of this one."""
        scope = self._scope
        began = asked_at - (scope.clock.monotonic() - self._started)  # the start by the server's clock
        state = None if scope.store is None else await scope.store.load(NAME, State)
        if state is None:
            return Counts(self._config, began, asked_at)
        about = {"account": scope.account, "collector": NAME}
        why = obstacle(state, self._config, asked_at, self._listed())
        if why is not None:
            log.warning("counts begin anew: what was kept cannot be gone on from", extra=fields(**about, reason=why))
            return Counts(self._config, began, asked_at)
        counts, anew = Counts.going_on(state, self._config, began, asked_at)
        if anew:
            log.warning(
                "counts of some environments begin anew: they were not read for longer than events.max_catch_up",
                extra=fields(**about, environments=",".join(anew)),
            )
        log.info("counts go on", extra=fields(**about, behind=f"{asked_at - state.read_to:.1f}s"))
        return counts

    def _listed(self) -> frozenset[str]:
        """The ids of all environments that there are, also of those that the configuration passes over."""
        return frozenset(env.id for env in (*self._scope.selected(), *self._scope.passed_over))

    def _keep(self, counts: Counts, asked_at: float, *, anyway: bool) -> None:
        """Keep what was counted, if there is anything new to keep."""
        store = self._scope.store
        often = min(KEEP_EVERY, self._config.max_catch_up / 10)
        if store is not None and (anyway or asked_at >= self._kept_at + often):
            store.save(NAME, counts.state)
            self._kept_at = asked_at

    async def _passes(
        self, counts: Counts, call: Call
    ) -> tuple[Mapping[str, list[models.Event]], Sequence[FlatfileError]]:
        """Read what is new in each stream: the account's, else each environment's."""
        if counts.account_wide:
            try:
                rows = await self._since(counts, ACCOUNT_WIDE, {}, call)
            except FlatfileError as error:
                if not error.concerns_the_question:
                    raise
            else:
                if all(_environment(row) for row in rows):
                    whole, errors = await self._whole(counts, rows, call)
                    if whole is not None:
                        return {ACCOUNT_WIDE: whole}, errors
        self._unsure = set()
        found, errors = await self._scope.each(
            self._scope.selected(), lambda env: self._since(counts, env.id, {"environmentId": env.id}, call), call
        )
        if found:
            counts.separate(environment.id for environment in self._scope.selected())
        return found, errors

    async def _whole(
        self, counts: Counts, rows: list[models.Event], call: Call
    ) -> tuple[list[models.Event] | None, Sequence[FlatfileError]]:
        """Make sure that the account's list hides no environment's events; `None` where it does.

        An environment that it is silent about is asked by itself now and then: nothing happened there, or is it hidden?
        """
        scope, now = self._scope, self._scope.clock.wall()
        self._silence.believe({_environment(row) for row in rows}, now)
        doubtful = self._silence.doubtful(scope.selected(), now)
        answers, errors = await scope.some(
            doubtful, lambda env: self._since(counts, ACCOUNT_WIDE, {"environmentId": env.id}, call), call
        )
        self._unsure = {environment.id for environment in doubtful} - answers.keys()
        since = counts.since(ACCOUNT_WIDE)
        own = {
            row.id
            for env, found in answers.items()
            for row in found
            if _environment(row) in ("", env) and (times.unix(row.created_at) or 0.0) >= since
        }
        if own - {row.id for row in rows}:
            rows = await self._since(counts, ACCOUNT_WIDE, {}, call)  # may have happened in between
        if own - {row.id for row in rows} or any(error.concerns_the_question for error in errors):
            return None, ()
        self._silence.believe(answers, now)
        return rows, errors

    async def _since(self, counts: Counts, stream: str, where: dict[str, str], call: Call) -> list[models.Event]:
        since = counts.since(stream)
        params = {**where, "since": iso(since), "includeAcknowledged": "true"}
        return await self._scope.client.rows(LISTING, params, call, stop=Before(since))

    def _count(self, counts: Counts, events: Iterable[Happened], stream: str) -> None:
        passed_over = {environment.id for environment in self._scope.passed_over}
        for event in sorted(events, key=attrgetter("at")):
            environment = event.environment_id or stream
            if stream not in (ACCOUNT_WIDE, environment) or environment in passed_over:
                continue  # of another environment than was asked for, or than the configuration selects
            self._scope.happenings.note(environment, event.id, event.at)
            self._scope.space_hints.note(event.topic, event.space_id, environment)
            if event.topic in GUEST_TOPICS and event.space_id and self._hinting:
                self._scope.guest_hints.add(event.space_id)
            counts.add(event, environment, stream)

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
