"""How long a scrape may take, and the point in time that follows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile.deadline import Deadline
from exporter.web.timeout import DEFAULT_TIMEOUT, MAX_TIMEOUT, scrape_timeout

TIMEOUTS = [
    # What Prometheus sends, less the offset.
    ("10", 0.5, 9.5),
    ("10.000000", 0.5, 9.5),
    ("60", 2, 58),
    ("0.1", 0.01, 0.09),
    (" 10 ", 0.5, 9.5),
    ("1e1", 0.5, 9.5),
    ("10.", 0.5, 9.5),
    ("10", 0, 10),
    # Never more than a tenth.
    ("5", 0.5, 4.5),
    ("1", 0.5, 0.9),
    (".5", 0.5, 0.45),
    ("10", 30, 9),
    # At most five minutes.
    ("300", 0.5, 299.5),
    ("301", 0.5, 300),
    ("3600", 0.5, 300),
    ("1e300", 0.5, 300),
    # Not a number above 0: as if it were not there.
    (None, 0.5, 10),
    ("", 0.5, 10),
    ("  ", 0.5, 10),
    ("0", 0.5, 10),
    ("0.0", 0.5, 10),
    ("-1", 0.5, 10),
    ("-0", 0.5, 10),
    ("+5", 0.5, 10),
    ("nan", 0.5, 10),
    ("NaN", 0.5, 10),
    ("inf", 0.5, 10),
    ("Infinity", 0.5, 10),
    ("1e999", 0.5, 10),
    ("1e-999", 0.5, 10),
    ("5s", 0.5, 10),
    ("5,0", 0.5, 10),
    ("1_0", 0.5, 10),
    ("5 6", 0.5, 10),
    ("0x10", 0.5, 10),
    ("\u0665", 0.5, 10),
    ("9" * 100_000, 0.5, 10),
]


@pytest.mark.parametrize(("header", "offset", "seconds"), TIMEOUTS)
def test_timeout(header: str | None, offset: float, seconds: float) -> None:
    assert scrape_timeout(header, offset) == pytest.approx(seconds)


offsets = st.floats(1e-3, 1e6)


@given(st.floats(1e-3, 1e300), offsets)
def test_the_answer_comes_before_the_scraper_hangs_up(header: float, offset: float) -> None:
    seconds = scrape_timeout(repr(header), offset)
    assert 0 < seconds < header
    assert seconds <= MAX_TIMEOUT
    assert seconds >= min(header * 0.9, MAX_TIMEOUT) * (1 - 1e-9)
    assert seconds >= min(header - offset, MAX_TIMEOUT)


numberlike = st.text("0123456789.eE+-_ \tnaifx\u0665", max_size=12)


@given(st.one_of(st.text(), numberlike, st.floats().map(repr)), offsets)
def test_no_header_is_an_error(header: str, offset: float) -> None:
    assert 0 < scrape_timeout(header, offset) <= MAX_TIMEOUT


def test_the_default_is_prometheus_own() -> None:
    assert DEFAULT_TIMEOUT == 10


class Clock:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_deadline_comes_nearer_and_passes() -> None:
    clock = Clock(100.0)
    deadline = Deadline(110.0, clock)
    assert (deadline.at, deadline.left()) == (110.0, 10.0)
    clock.now = 109.5
    assert deadline.left() == 0.5
    clock.now = 110.0
    assert deadline.left() == 0.0
    clock.now = 500.0
    assert deadline.left() == 0.0


def test_a_deadline_that_passed_can_be_moved_on() -> None:
    clock = Clock(120.0)
    deadline = Deadline(110.0, clock)
    deadline.extend(125.0)
    assert deadline.left() == 5.0


@given(st.floats(-1e9, 1e9), st.lists(st.floats(-1e9, 1e9)))
def test_a_deadline_never_moves_earlier(at: float, later: list[float]) -> None:
    deadline = Deadline(at, Clock(0.0))
    for point in later:
        before = deadline.at
        deadline.extend(point)
        assert deadline.at == max(before, point)
    assert deadline.left() == max(0.0, at, *later)
    assert math.isfinite(deadline.left())
