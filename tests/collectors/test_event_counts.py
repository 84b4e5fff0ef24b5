"""Counts of events over restarts: each event once, wherever the exporter was killed and whatever it had saved."""

from dataclasses import dataclass, field, replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.collectors._event_counts import ACCOUNT_WIDE, MOST_STRAYS, Counts, Snapshot, State, obstacle
from exporter.config import EventsConfig, Globs
from exporter.flatfile.tail import Happened

START = 1_763_628_900.0
LATEST = 60.0  # seconds after its time that an event may become visible
CONFIG = EventsConfig(
    window=100.0, overlap=LATEST, max_catch_up=3600.0, topics=Globs(("*",), ("no:*",)), max_topics=1000
)
ENVIRONMENTS = ("us_env_1", "us_env_2", "us_env_3")


@dataclass(frozen=True)
class Told:
    """An event as the server knows it."""

    event: Happened
    visible: float


@dataclass
class Life:
    """One account, followed by one run of the exporter after the other."""

    events: list[Told] = field(default_factory=list)
    saved: bytes = b""
    config: EventsConfig = CONFIG
    began: float = START
    now: float = START
    counts: Counts | None = None

    def run(self) -> Counts:
        if self.counts is None:
            state = self.state()
            self.counts = (
                Counts(self.config, self.began, self.now)
                if state is None
                else Counts.going_on(state, self.config, self.now, self.now)[0]
            )
        return self.counts

    def state(self) -> State | None:
        return msgspec.json.decode(self.saved, type=State) if self.saved else None

    def refresh(self, answering: tuple[str, ...], *, separate: bool = False) -> dict[str, Snapshot]:
        """A refresh as the collector does it: the account's stream, else those of the environments that answer."""
        counts = self.run()
        if separate:
            counts.separate(ENVIRONMENTS)
        streams = (ACCOUNT_WIDE,) if counts.account_wide else answering
        for stream in streams:
            since = counts.since(stream)
            rows = [
                told.event
                for told in self.events
                if told.visible <= self.now and told.event.at >= since and stream in ("", told.event.environment_id)
            ]
            for event in counts.take(stream, rows, self.now):
                counts.add(event, event.environment_id or "", stream)
        counts.leave_window(self.now)
        counts.forget(ENVIRONMENTS, self.now)
        read = ENVIRONMENTS if counts.account_wide else answering
        return {environment: counts.snapshot(environment, self.now) for environment in read}

    def save(self) -> None:
        self.saved = msgspec.json.encode(self.run().state)

    def truth(self, environment: str) -> tuple[int, int]:
        """How many events an environment has had since the start, and how many within the window."""
        here = [t.event for t in self.events if t.event.environment_id == environment and t.visible <= self.now]
        recent = [event for event in here if self.now - self.config.window < event.at <= self.now]
        return sum(event.at >= self.began for event in here), len(recent)


@st.composite
def streams(draw: st.DrawFn) -> list[Told]:
    # a coarse grid, so that many have the same time or are just the overlap apart
    offsets = st.tuples(st.integers(-4, 40), st.sampled_from([0.0, 0.25])).map(lambda pair: pair[0] * 15 + pair[1])
    found = []
    for number, at in enumerate(draw(st.lists(offsets, max_size=40))):
        environment = draw(st.sampled_from(ENVIRONMENTS))
        topic = draw(st.sampled_from(["job:failed", "tea:made", "tea:spilt"]))
        event = Happened(f"e{number}", START + at, topic, environment, None, None)
        found.append(Told(event, event.at + draw(st.sampled_from([0.0, 0.25, 30.0, LATEST]))))
    return found


@dataclass(frozen=True)
class Step:
    """After `gap` seconds a refresh; then maybe its state is saved, and maybe the exporter is killed."""

    gap: float
    saves: bool
    dies: bool
    separate: bool
    answering: tuple[str, ...]
    overlap: float
    window: float


steps = st.builds(
    Step,
    gap=st.integers(1, 400).map(lambda quarters: quarters / 4),
    saves=st.booleans(),
    dies=st.booleans(),
    separate=st.booleans(),
    answering=st.sampled_from([ENVIRONMENTS, ENVIRONMENTS[:2], ENVIRONMENTS[2:], ()]),
    overlap=st.sampled_from([LATEST, LATEST + 0.25, 4 * LATEST]),
    window=st.sampled_from([30.0, 100.0, 450.0]),
)


@given(streams(), st.lists(steps, max_size=12))
def test_each_event_counts_once_wherever_it_was_killed(events: list[Told], life_of_steps: list[Step]) -> None:
    life = Life(events)
    life.refresh(ENVIRONMENTS)
    life.save()
    for step in [*life_of_steps, the_last()]:
        life.now += step.gap
        for environment, snapshot in life.refresh(step.answering, separate=step.separate).items():
            total, recent = life.truth(environment)
            assert sum(snapshot.totals.values()) == sum(snapshot.actors.values()) == total
            assert round(sum(snapshot.rates.values()) * life.config.window) == recent
        if step.saves:
            life.save()
        if step.dies:
            life.counts = None
            life.config = replace(CONFIG, overlap=step.overlap, window=step.window)


def the_last() -> Step:
    """The last refresh, when all that happened has become visible."""
    return Step(900.0, False, False, False, ENVIRONMENTS, LATEST, 100.0)


# What is gone on from, and what not


def life(*ats: float) -> Life:
    """An account whose events at these seconds after the start, one in each environment, were counted and saved."""
    made = Life()
    for number, at in enumerate(ats):
        made.events += [
            Told(Happened(f"e{number}-{env}", START + at, "tea:made", env, None, None), START + at)
            for env in ENVIRONMENTS
        ]
    made.refresh(ENVIRONMENTS)
    made.now = START + max(ats, default=0.0) + 1
    made.refresh(ENVIRONMENTS)
    made.save()
    made.counts = None
    return made


def test_up_to_the_limit_and_no_further() -> None:
    state = life(10).state()
    assert state is not None
    limit = START + 11 + CONFIG.max_catch_up
    assert obstacle(state, CONFIG, limit, ENVIRONMENTS) is None
    late = obstacle(state, CONFIG, limit + 1, ENVIRONMENTS)
    assert late == "events were read last 3601 s ago, and events.max_catch_up is 3600 s"
    early = obstacle(state, CONFIG, START - 3600, ENVIRONMENTS)
    assert early == "events were read last 3611 s from now, and events.max_catch_up is 3600 s"
    assert obstacle(state, CONFIG, START, ENVIRONMENTS) is None, "a clock that goes back a little is none"


@pytest.mark.parametrize(
    ("listed", "same"),
    [(ENVIRONMENTS, True), (("us_env_1", "new"), True), (("other", "another"), False), ((), True)],
)
def test_an_account_is_known_by_its_environments(listed: tuple[str, ...], same: bool) -> None:
    state = life(10).state()
    assert state is not None
    why = obstacle(state, CONFIG, START + 20, listed)
    assert (why is None) is same
    assert same or "another account" in str(why)


@pytest.mark.parametrize("topics", [Globs(("*",), ()), Globs(("tea:*",), ("no:*",))])
def test_counts_of_other_topics_are_other_counts(topics: Globs) -> None:
    state = life(10).state()
    assert state is not None
    assert "events.include or events.exclude" in str(
        obstacle(state, replace(CONFIG, topics=topics), START + 20, ENVIRONMENTS)
    )


def test_an_environment_that_could_not_be_read_for_too_long_begins_anew_alone() -> None:
    there = life(10)
    there.refresh(ENVIRONMENTS, separate=True)
    there.now += CONFIG.max_catch_up + 1
    there.refresh(ENVIRONMENTS[:2])
    there.save()
    state = there.state()
    assert state is not None
    assert obstacle(state, CONFIG, there.now + 1, ENVIRONMENTS) is None
    there.now += 1
    missed = Happened("missed", there.now - 2, "tea:made", ENVIRONMENTS[2], None, None)
    there.events += [Told(replace(missed, id=env, environment_id=env), there.now) for env in ENVIRONMENTS]
    there.counts, anew = Counts.going_on(state, CONFIG, there.now - 1, there.now)
    assert anew == ENVIRONMENTS[2:]
    shown = there.refresh(ENVIRONMENTS)
    assert [shown[env].totals.get("tea:made") for env in ENVIRONMENTS] == [2, 2, 0]
    assert [shown[env].rates["tea:made"] for env in ENVIRONMENTS] == [1 / 100] * 3


def test_an_environment_that_never_answered_by_itself_goes_on_from_the_account_s_stream() -> None:
    there = life(10)
    there.refresh(ENVIRONMENTS[:2], separate=True)
    there.save()
    there.counts = None
    assert there.refresh(ENVIRONMENTS)["us_env_3"].totals["tea:made"] == 1


def test_an_environment_that_was_listed_late_goes_on_too() -> None:
    there = life(10)
    there.events.append(Told(Happened("new", there.now, "tea:made", "us_env_new", None, None), there.now))
    there.now += 1
    there.refresh(ENVIRONMENTS)
    there.refresh(ENVIRONMENTS, separate=True)
    there.save()
    there.counts = None
    assert there.refresh((*ENVIRONMENTS, "us_env_new"))["us_env_new"].totals["tea:made"] == 1


def test_an_environment_made_while_nobody_looked_is_counted_from_its_beginning() -> None:
    for separate in (False, True):
        there = life(10)
        there.refresh(ENVIRONMENTS, separate=separate)
        there.save()
        there.counts = None
        there.events.append(Told(Happened("new", there.now + 5, "tea:made", "us_env_new", None, None), there.now + 5))
        there.now += 1000
        shown = there.refresh((*ENVIRONMENTS, "us_env_new"))
        new = shown.get("us_env_new") or there.run().snapshot("us_env_new", there.now)
        assert new.totals["tea:made"] == 1


def test_what_is_kept_of_an_environment_that_was_never_listed_goes() -> None:
    there = life(10)
    there.events.append(Told(Happened("stray", there.now, "tea:made", "us_env_stray", None, None), there.now))
    there.now += 1
    there.refresh(ENVIRONMENTS)
    there.refresh(ENVIRONMENTS, separate=True)
    for passed, kept in ((0.0, {*ENVIRONMENTS, "us_env_stray"}), (CONFIG.max_catch_up + 1, {*ENVIRONMENTS})):
        there.now += passed
        there.refresh(ENVIRONMENTS)
        there.save()
        state = there.state()
        assert state is not None
        assert state.streams.keys() == state.tallies.keys() == kept


def test_an_environment_deleted_while_nobody_looked_is_forgotten() -> None:
    there = life(10)
    there.run().forget(ENVIRONMENTS[:2], there.now)
    there.save()
    state = there.state()
    assert state is not None
    assert {*state.tallies} == {*state.environments} == {*ENVIRONMENTS[:2]}


def test_topics_keep_their_names() -> None:
    config = replace(CONFIG, max_topics=len(Counts(CONFIG, START, START).snapshot("", START).totals) + 1)
    first = Counts(config, START, START)
    for number in range(3):
        event = Happened(f"e{number}", START + 1, f"tea:{number}", "us_env_1", None, None)
        (new,) = first.take(ACCOUNT_WIDE, [event], START + 2)
        first.add(new, "us_env_1", ACCOUNT_WIDE)
    state = msgspec.json.decode(msgspec.json.encode(first.state), type=State)
    second, _ = Counts.going_on(state, config, START + 3, START + 3)
    for number in (2, 0):
        event = Happened(f"f{number}", START + 3, f"tea:{number}", "us_env_1", None, None)
        (new,) = second.take(ACCOUNT_WIDE, [event], START + 9)
        second.add(new, "us_env_1", ACCOUNT_WIDE)
    totals = second.snapshot("us_env_1", START + 9).totals
    assert {topic: value for topic, value in totals.items() if value} == {"tea:0": 2, "other": 3}


def test_an_attempt_that_nobody_answers_leaves_the_streams_together() -> None:
    """Each environment was asked by itself once, in vain; later the account's list worked, and is then refused for good."""
    there = life(10)
    for environment in ENVIRONMENTS:
        there.run().since(environment)
    there.events.append(Told(Happened("e", there.now, "tea:made", "us_env_1", None, None), there.now))
    there.now += 1
    assert there.refresh(ENVIRONMENTS)["us_env_1"].totals["tea:made"] == 2
    assert there.refresh(ENVIRONMENTS, separate=True)["us_env_1"].totals["tea:made"] == 2


def test_environments_that_nobody_lists_are_bounded() -> None:
    counts = Counts(CONFIG, START, START)
    strays = [Happened(f"e{n}", START + 1, "tea:made", f"stray-{n}", None, None) for n in range(MOST_STRAYS + 50)]
    for event in counts.take(ACCOUNT_WIDE, strays, START + 2):
        counts.add(event, event.environment_id or "", ACCOUNT_WIDE)
    counts.forget(ENVIRONMENTS, START)
    assert len(counts.state.tallies) == MOST_STRAYS + len(ENVIRONMENTS)
