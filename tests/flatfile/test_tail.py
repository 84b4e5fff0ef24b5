"""The tail of events: each once, under every reading of what the API leaves open."""

import math
from dataclasses import dataclass
from zlib import crc32

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile import models
from exporter.flatfile.models import EventContext
from exporter.flatfile.tail import EVIDENCE, SLACK, Before, Happened, Mark, Tail, happened
from exporter.flatfile.times import iso, unix

OVERLAP = 60.0
START = 1_763_628_900.0


@dataclass(frozen=True)
class Told:
    """An event in the server's memory. Times in seconds after START."""

    id: str
    at: float
    visible: float


@st.composite
def streams(draw: st.DrawFn) -> list[Told]:
    # a coarse grid, so that many have the same time or are just the overlap apart
    offsets = st.tuples(st.integers(-4, 20), st.sampled_from([0.0, 0.25])).map(lambda pair: pair[0] * 15 + pair[1])
    ats = draw(st.lists(offsets, max_size=30))
    lateness = st.sampled_from([0.0, 0.25, 30.0, OVERLAP - 0.25, OVERLAP])
    return [Told(f"e{i}", at, at + draw(lateness)) for i, at in enumerate(ats)]


@given(
    streams(),
    st.lists(st.integers(1, 800).map(lambda n: n / 4), min_size=1, max_size=8),
    st.sampled_from(["inclusive", "exclusive", "day", "ignored"]),
    st.sampled_from(["asc", "desc", "shuffled"]),
    st.integers(1, 5),
    st.sampled_from([0.0, 0.25, 5.0]),
    st.sampled_from([-SLACK, 0.0, SLACK]),
)
def test_each_event_once(
    stream: list[Told],
    gaps: list[float],
    reading: str,
    order: str,
    page_size: int,
    page_takes: float,
    misjudged: float,
) -> None:
    """A server that tells events page by page while they go on becoming visible, asked at any times."""
    tail = Tail(START, OVERLAP)
    told: list[Happened] = []
    now = 0.0
    for gap in [*gaps, 600.0, 1.0]:
        now += gap
        asked_at = START + now + misjudged
        since = unix(iso(tail.since)) or math.nan
        seen: dict[str, Happened] = {}
        page = 0
        while True:
            listed = [event for event in stream if event.visible <= now and _after(START + event.at, since, reading)]
            listed.sort(key=lambda event: (event.at, event.id), reverse=order == "desc")
            if order == "shuffled":
                listed.sort(key=lambda event: crc32(event.id.encode()))
            rows = listed[page * page_size : (page + 1) * page_size]
            new = [event for event in rows if event.id not in seen]
            seen |= {event.id: Happened(event.id, START + event.at, "t", None, None, None) for event in new}
            page += 1
            now += page_takes if order == "asc" else 0.0
            if not new:
                break
        told += tail.take(seen.values(), asked_at)
    ids = [event.id for event in told]
    assert len(ids) == len(set(ids))
    wanted = {event.id for event in stream if event.at >= 0 and event.visible <= now - page_takes}
    assert wanted <= set(ids)
    assert all(event.at >= START - OVERLAP for event in told)


def _after(at: float, since: float, reading: str) -> bool:
    if reading == "ignored":
        return True
    if reading == "day":
        return at >= since - since % 86400
    return at > since if reading == "exclusive" else at >= since


def test_the_servers_time_may_be_misjudged() -> None:
    """Oldest first, page by page: "late" is not there yet when its page is read, "last" happens before the last page is."""
    tail = Tail(START, OVERLAP)
    late, last = event("late", START + 100), event("last", START + 100 + OVERLAP + 0.9)
    began = START + 100 + OVERLAP - 0.1  # "late" becomes visible a moment after
    tail.take([last], began + SLACK)
    assert tail.since <= late.at


def test_an_event_from_the_future_hides_nothing() -> None:
    tail = Tail(START, OVERLAP)
    assert tail.take([event("far", 9e9)], START + 10) == [event("far", 9e9)]
    assert tail.since <= START + 10 - OVERLAP
    assert tail.take([event("far", 9e9), event("a", START + 11)], START + 20) == [event("a", START + 11)]


def test_what_is_kept_is_bounded_by_the_overlap() -> None:
    tail = Tail(START, OVERLAP)
    for i in range(1000):
        tail.take([event(f"e{i}", START + i)], START + i + SLACK)
    assert len(vars(tail)["_seen"]) <= OVERLAP + 1


def test_a_clock_that_goes_back_moves_nothing_back() -> None:
    tail = Tail(START, OVERLAP)
    tail.take([event("a", START + 100)], START + 200)
    tail.take([], START - 1000)
    assert tail.since == START + 100 - OVERLAP


def test_a_branch_goes_on_by_itself() -> None:
    tail = Tail(START, OVERLAP)
    tail.take([event("a", START + 100)], START + 200)
    other = tail.branch()
    assert other.since == tail.since
    assert other.take([event("a", START + 100), event("b", START + 101)], START + 300) == [event("b", START + 101)]
    assert tail.take([event("b", START + 101)], START + 300) == [event("b", START + 101)]


@given(
    streams(), st.lists(st.tuples(st.integers(1, 800).map(lambda n: n / 4), st.sampled_from([0.0, 30.0, 60.0, 300.0])))
)
def test_a_tail_goes_on_from_a_mark_whatever_the_overlap(stream: list[Told], steps: list[tuple[float, float]]) -> None:
    """Each step goes on from the mark of the one before, with another overlap: nothing twice, and what came in time once."""
    tail = Tail(START, OVERLAP)
    told: list[str] = []
    now = 0.0
    for gap, overlap in [*steps, (600.0, OVERLAP)]:
        now += gap
        rows = [Happened(e.id, START + e.at, "t", None, None, None) for e in stream if e.visible <= now]
        told += [event.id for event in tail.take(rows, START + now)]
        tail = Tail.at(msgspec.json.decode(msgspec.json.encode(tail.mark), type=Mark), overlap)
    assert len(told) == len(set(told))
    if all(overlap >= OVERLAP for _, overlap in steps):
        assert {event.id for event in stream if event.at >= 0} <= {*told}


def event(id_: str, at: float) -> Happened:
    return Happened(id_, at, "t", None, None, None)


# Reading rows


def test_reading_an_event() -> None:
    context = EventContext(environment_id="us_env_1", space_id="us_sp_1", actor_id="us_g_1")
    row = models.Event(id="e", topic="a:b", type="c:d", created_at=iso(START), context=context)
    assert happened(row) == Happened("e", START, "a:b", "us_env_1", "us_sp_1", "us_g_1")


def test_an_event_by_type() -> None:
    row = models.Event(id="e", type="c:d", created_at=iso(START))
    assert happened(row) == Happened("e", START, "c:d", None, None, None)


def test_an_event_without_anything() -> None:
    assert happened(models.Event(id="e")) is None
    assert happened(models.Event(id="e", created_at="soon")) is None
    assert happened(models.Event(id="e", created_at=iso(START))) == Happened("e", START, "unknown", None, None, None)


# Stopping early


def rows(*ats: float) -> list[models.Event]:
    return [models.Event(id=str(at), created_at=iso(START + at)) for at in ats]


def test_newest_first_ends_where_it_is_older() -> None:
    before = Before(START)
    assert not before(rows(*range(100, 90, -1)))
    assert not before(rows(5, 4, 3, 2, 1, 0, -1))
    assert before(rows(-2, -2, -3))


def test_the_first_page_may_be_enough() -> None:
    assert Before(START)(rows(*range(-1, -2 - EVIDENCE, -1)))


def test_oldest_first_goes_on() -> None:
    before = Before(START)
    assert not any(before(rows(*range(at, at + 10))) for at in range(-100, 100, 10))


def test_equal_times_show_no_order() -> None:
    before = Before(START)
    assert not before(rows(*[-50.0] * 100))
    assert not before(rows(*[-50.0] * 100))
    assert not before(rows(10, 20))


def test_one_step_up_is_enough_to_go_on() -> None:
    before = Before(START)
    assert not before(rows(*range(-1, -12, -1), -5))
    assert not before(rows(*range(-100, -120, -1)))


def test_unreadable_times_are_passed_over() -> None:
    before = Before(START)
    odd = [models.Event(id="x", created_at="soon"), models.Event(id="y")]
    assert before([*odd, *rows(*range(-1, -12, -1)), *odd])
    assert not Before(START)(odd)
    assert not Before(START)([])


@given(st.lists(st.integers(-50, 50), max_size=40), st.integers(1, 12), st.sampled_from(["asc", "desc"]))
def test_nothing_new_is_ever_after_the_stop(ats: list[int], page_size: int, order: str) -> None:
    listed = sorted(ats, reverse=order == "desc")
    before = Before(START)
    for page in range(0, len(listed), page_size):
        if before(rows(*listed[page : page + page_size])):
            assert all(at < 0 for at in listed[page + page_size :])
            break
