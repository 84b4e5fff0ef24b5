"""Flatfile's times, and the server's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile.server_time import TOLERANCE, ServerTime
from exporter.flatfile.times import iso, unix

NOON = 1763640000.0  # 2025-11-20T12:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2025-11-20T12:00:00.000Z", NOON),
        ("2025-11-20T12:00:00Z", NOON),
        ("2025-11-20T12:00:00.123456789Z", NOON + 0.123456),
        ("2025-11-20T12:00:00", NOON),
        ("2025-11-20T13:00:00+01:00", NOON),
        ("2025-11-20T07:00:00-0500", NOON),
        ("2025-11-20 12:00", NOON),
        ("2025-11-20", NOON - 12 * 3600),
        ("2025-11-31", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        ("0000-00-00T00:00:00Z", None),
        ("٢٠٢٥-١١-٢٠", None),
    ],
)
def test_reading(text: str | None, seconds: float | None) -> None:
    assert unix(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


@given(st.text() | st.datetimes().map(str))
def test_no_text_is_too_strange(text: str) -> None:
    unix(text)


@given(st.floats(0, 4e9))
def test_written_times_are_never_later(seconds: float) -> None:
    text = iso(seconds)
    back = unix(text)
    assert back is not None
    assert seconds - 0.001001 <= back <= seconds + 1e-6
    assert len(text) == len("2025-11-20T12:00:00.000Z")


# The server's clock


@given(st.floats(-1e8, 1e8), st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1)), min_size=1))
def test_the_servers_clock(ahead: float, answers: list[tuple[float, float]]) -> None:
    """Whatever the answers take and whenever in between their header was written: off by what cannot be known at most."""
    ours = NOON
    time = ServerTime(lambda: ours)
    for took, written in answers:
        asked = ours
        ours += took
        time.note(float(int(asked + took * written + ahead)), asked, ours)
        assert abs(time.now - (ours + ahead)) <= took + 1 + TOLERANCE


def test_a_clock_that_agrees_is_left_alone() -> None:
    time = ServerTime(lambda: NOON)
    time.note(NOON - 8, NOON - 9, NOON)  # eight seconds of reading a long body
    assert time.now == NOON


def test_what_is_known_stays_while_it_agrees() -> None:
    time = ServerTime(lambda: NOON)
    time.note(NOON + 3600, NOON, NOON)
    known = time.now
    assert known == pytest.approx(NOON + 3600, abs=1)
    time.note(NOON + 3595, NOON - 5, NOON)
    assert time.now == known
    time.note(NOON, NOON, NOON)  # somebody has put our clock right
    assert time.now == NOON
