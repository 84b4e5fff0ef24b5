"""What has been counted of an account's events, and where reading has come to. Pure; can be kept over a restart.

Where reading has come to and the counts change together, and are kept together: whichever of the kept states a restart goes on
from, what happened after it is read again and counted once.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from exporter.config import EventsConfig
from exporter.flatfile.tail import Happened, Mark, Tail
from exporter.flatfile.topics import ACTOR_TYPES, KNOWN_TOPICS, actor_type

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


class Tally(msgspec.Struct):
    """What has been counted of one environment, and the newest event's time."""

    totals: dict[str, int] = {}
    actors: dict[str, int] = {}
    last: float | None = None

    def count(self, event: Happened, topic: str) -> None:
        """One event more."""
        actor = actor_type(event.actor_id)
        self.totals[topic] = self.totals.get(topic, 0) + 1
        self.actors[actor] = self.actors.get(actor, 0) + 1


class StreamState(msgspec.Struct, frozen=True):
    """A stream, as kept: it was read completely at `read_to`; what was created before `began` is not counted."""

    mark: Mark
    began: float
    read_to: float


class State(msgspec.Struct, frozen=True):
    """All that is kept. `environments` are those that were listed; `include` and `exclude` chose what was counted."""

    account_wide: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    environments: tuple[str, ...]
    topics: tuple[str, ...]
    account: StreamState
    streams: dict[str, StreamState]
    tallies: dict[str, Tally]

    @property
    def read_to(self) -> float:
        """When events were read last, by the server's clock."""
        if self.account_wide:
            return self.account.read_to
        return max((stream.read_to for stream in self.streams.values()), default=self.account.read_to)


@dataclass(slots=True)
class _Stream:
    """`look_back`: the first pass must go back to here, for what happened within the window. `told`: counted by a run before."""

    tail: Tail
    began: float
    read_to: float
    look_back: float = float("inf")
    told: frozenset[str] = frozenset()

    @classmethod
    def fresh(cls, config: EventsConfig, began: float, asked_at: float) -> Self:
        """Begins to count at `began`, and looks back over the window."""
        return cls(Tail(min(began, asked_at - config.window), config.overlap), began, asked_at)

    @classmethod
    def going_on(cls, state: StreamState, config: EventsConfig, asked_at: float) -> Self:
        return cls(Tail.at(state.mark, config.overlap), state.began, state.read_to, asked_at - config.window)

    def branch(self) -> Self:
        return type(self)(self.tail.branch(), self.began, self.read_to, self.look_back, self.told)

    @property
    def since(self) -> float:
        return min(self.tail.since, self.look_back)

    @property
    def state(self) -> StreamState:
        return StreamState(self.tail.mark, self.began, self.read_to)

    def take(self, events: Sequence[Happened], asked_at: float) -> list[Happened]:
        """Give the events that this run has not given before."""
        self.read_to = max(self.read_to, asked_at)
        new = self.tail.take(events, asked_at)
        ids = {event.id for event in new}
        before = [event for event in events if event.at >= self.look_back and event.id not in ids]
        self.told, self.look_back = frozenset(event.id for event in before), float("inf")
        return before + new


class Counts:
    """Streams of events, and what was counted of each environment. All times are unix seconds by the server's clock."""

    def __init__(self, config: EventsConfig, began: float, asked_at: float) -> None:
        """Begin to count at `began`; it is `asked_at` now."""
        self._account_wide = True
        self._config = config
        self._streams = {ACCOUNT_WIDE: _Stream.fresh(config, began, asked_at)}
        self._tallies: dict[str, Tally] = {}
        self._recent: dict[str, list[tuple[float, str]]] = defaultdict(list)  # (createdAt, topic) within the window
        self._listed: frozenset[str] = frozenset()
        self._known = tuple(topic for topic in KNOWN_TOPICS if config.topics.match(topic))
        self._topics = set(self._known)  # those that are counted under their own name
        self._seen_topics: dict[str, None] = {}

    @classmethod
    def going_on(
        cls, state: State, config: EventsConfig, began: float, asked_at: float
    ) -> tuple[Self, tuple[str, ...]]:
        """Go on from a state that nothing speaks against (`obstacle`).

        Also returns the environments that begin anew at `began`, because they could not be read for too long.
        """
        counts = cls(config, began, asked_at)
        counts._account_wide = state.account_wide
        counts._listed = frozenset(state.environments)
        counts._seen_topics = dict.fromkeys(state.topics)
        counts._topics |= counts._seen_topics.keys() - {OTHER}
        counts._tallies = dict(state.tallies)
        counts._streams |= {name: _Stream.going_on(stream, config, asked_at) for name, stream in state.streams.items()}
        anew: tuple[str, ...] = ()
        if state.account_wide:
            counts._streams[ACCOUNT_WIDE] = _Stream.going_on(state.account, config, asked_at)
        else:
            earliest = asked_at - config.max_catch_up
            unread = [name for name, stream in state.streams.items() if stream.read_to < earliest]
            for name in unread:
                counts._streams[name] = _Stream.fresh(config, began, asked_at)
                counts._tallies.pop(name, None)
            anew = tuple(name for name in unread if name in counts._listed)
            # where environments begin that nobody has read yet
            counts._streams[ACCOUNT_WIDE] = _Stream.fresh(config, max(state.account.began, earliest), asked_at)
        return counts, anew

    @property
    def state(self) -> State:
        """All that must be kept to go on from here; to be encoded at once, since the counts go on in it."""
        return State(
            account_wide=self._account_wide,
            include=self._config.topics.include,
            exclude=self._config.topics.exclude,
            environments=tuple(sorted(self._listed)),
            topics=tuple(self._seen_topics),
            account=self._streams[ACCOUNT_WIDE].state,
            streams={name: stream.state for name, stream in self._streams.items() if name != ACCOUNT_WIDE},
            tallies=self._tallies,
        )

    @property
    def account_wide(self) -> bool:
        """Whether there is one stream of the whole account's events, else one of each environment's."""
        return self._account_wide

    def separate(self, environments: Iterable[str]) -> None:
        """Each environment has a stream of its own from now on, that goes on from where the account's stands."""
        if self._account_wide:
            self._account_wide = False
            for environment in {*environments, *self._tallies}:
                self._branch(environment)

    def _branch(self, stream: str) -> None:
        if stream not in self._streams:
            self._streams[stream] = self._streams[ACCOUNT_WIDE].branch()

    def since(self, stream: str) -> float:
        """From when on to ask for a stream's events; a new stream goes on from where the account's stands."""
        return self._streams.get(stream, self._streams[ACCOUNT_WIDE]).since

    def take(self, stream: str, events: Sequence[Happened], asked_at: float) -> list[Happened]:
        """Give the events of a complete pass that were not given before. Each must be given to `add` or passed over at once."""
        self._branch(stream)
        return self._streams[stream].take(events, asked_at)

    def add(self, event: Happened, environment: str, stream: str) -> None:
        """Count an event of an environment that `take` gave of a stream, if its topic is to be counted."""
        if not self._config.topics.match(event.topic):
            return
        topic, tally, source = self._admitted(event.topic), self._tally(environment), self._streams[stream]
        self._recent[environment].append((event.at, topic))
        tally.last = event.at if tally.last is None else max(tally.last, event.at)
        if event.at >= source.began and event.id not in source.told:
            tally.count(event, topic)

    def _tally(self, environment: str) -> Tally:
        return self._tallies.setdefault(environment, Tally())

    def _admitted(self, topic: str) -> str:
        """The topic under which to count: its own name, or `other` when there are too many."""
        if topic not in self._topics:
            if len(self._topics) >= self._config.max_topics:
                topic = OTHER
            else:
                self._topics.add(topic)
        self._seen_topics.setdefault(topic)
        return topic

    def leave_window(self, asked_at: float) -> None:
        """Drop what is older than the window."""
        start = asked_at - self._config.window
        for environment, recent in self._recent.items():
            self._recent[environment] = [(at, topic) for at, topic in recent if at > start]

    def snapshot(self, environment: str, asked_at: float) -> Snapshot:
        """One environment's events up to now."""
        tally, window = self._tally(environment), self._config.window
        in_window = Counter(topic for at, topic in self._recent[environment] if at <= asked_at)
        return Snapshot(
            rates={topic: in_window[topic] / window for topic in self._seen_topics},
            totals={topic: tally.totals.get(topic, 0) for topic in dict.fromkeys((*self._known, *self._seen_topics))},
            actors={actor: tally.actors.get(actor, 0) for actor in ACTOR_TYPES},
            last=tally.last,
        )

    def forget(self, listed: Collection[str], asked_at: float) -> None:
        """Drop what is kept of environments that were listed once and are not any more.

        What is kept of one that has never been listed goes when it was not read for `events.max_catch_up`: each stream holds
        the ids of many events, and none of them ends by itself.
        """
        now = frozenset(listed)
        for gone in self._listed - now:
            self._drop(gone)
        self._listed = now
        earliest = asked_at - self._config.max_catch_up
        for stray in (self._tallies.keys() | self._streams.keys()) - now - {ACCOUNT_WIDE}:
            stream = self._streams.get(stray)
            old = stream is not None and stream.read_to < earliest
            if old or len(self._tallies) > len(now) + MOST_STRAYS:
                self._drop(stray)

    def _drop(self, environment: str) -> None:
        self._streams.pop(environment, None)
        self._tallies.pop(environment, None)
        self._recent.pop(environment, None)


def obstacle(state: State, config: EventsConfig, asked_at: float, listed: Collection[str]) -> str | None:
    """Say why counting cannot go on from a kept state; `None` where it can."""
    if (state.include, state.exclude) != (config.topics.include, config.topics.exclude):
        return "events.include or events.exclude is another than it was"
    if state.environments and listed and not {*state.environments} & {*listed}:
        return "it is of another account: none of its environments is listed"
    behind = asked_at - state.read_to
    if abs(behind) > config.max_catch_up:
        when = f"{behind:.0f} s ago" if behind > 0 else f"{-behind:.0f} s from now"
        return f"events were read last {when}, and events.max_catch_up is {config.max_catch_up:g} s"
    return None
