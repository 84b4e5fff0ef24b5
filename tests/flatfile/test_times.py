"""Flatfile's times, and the server's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.clock import Clock
from exporter.flatfile.server_time import MIN_ANSWERS, MIN_FIRST, MIN_SECONDS, TOLERANCE, ServerTime
from exporter.flatfile.times import MIN_TIME, is_set, iso, unix

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
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00.000Z", None),
        ("1999-12-31T23:59:59Z", None),
        (NOON, NOON),
        (int(NOON) * 1000, NOON),
        (NOON * 1000 + 123, NOON + 0.123),
        (0, None),
        (-5, None),
        (1e300, 1e297),
        (10**400, None),
        (float("inf"), None),
        ("٢٠٢٥-١١-٢٠", None),
    ],
)
def test_reading(text: str | float | None, seconds: float | None) -> None:
    assert unix(text) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-11-20", True),
        (NOON, True),
        ("last year", True),
        ("0001-01-01T00:00:00Z", False),
        ("1970-01-01", False),
        ("", False),
        (0, False),
        (None, False),
    ],
)
def test_whether_there_is_a_time(value: str | float | None, expected: bool) -> None:
    assert is_set(value) is expected


@given(st.text() | st.datetimes().map(str))
def test_no_text_is_too_strange(text: str) -> None:
    unix(text)


@given(st.floats(MIN_TIME + 1, 4e9))
def test_written_times_are_never_later(seconds: float) -> None:
    text = iso(seconds)
    back = unix(text)
    assert back is not None
    assert seconds - 0.001001 <= back <= seconds + 1e-6
    assert len(text) == len("2025-11-20T12:00:00.000Z")


# The server's clock


class Answers:
    """A server's answers, each of which takes a second. `now`: our time, which does not jump."""

    def __init__(self) -> None:
        self.now = NOON
        self.time = ServerTime(lambda: self.now)

    def come(self, ahead: float, number: int = 1, *, every: float = 1.0) -> None:
        for _ in range(number):
            self.now += every
            self.time.note(float(int(self.now + ahead)), self.now - 1.0, self.now)

    @property
    def ahead(self) -> float:
        return self.time.now - self.now


@given(st.floats(-1e8, 1e8), st.lists(st.tuples(st.floats(0, 30), st.floats(0, 1)), min_size=MIN_FIRST))
def test_the_servers_clock(ahead: float, answers: list[tuple[float, float]]) -> None:
    """Whatever the answers take and whenever in between their header was written: off by what cannot be known at most."""
    ours = NOON
    time = ServerTime(lambda: ours)
    for took, written in answers:
        asked = ours
        ours += took
        time.note(float(int(asked + took * written + ahead)), asked, ours)
    assert abs(time.now - (ours + ahead)) <= max(took for took, _ in answers) + 1 + 2 * TOLERANCE


def test_a_clock_that_agrees_is_left_alone() -> None:
    time = ServerTime(lambda: NOON)
    time.note(NOON - 8, NOON - 9, NOON)  # eight seconds of reading a long body
    assert time.now == NOON


def test_what_is_known_stays_while_it_agrees() -> None:
    server = Answers()
    server.come(3600, MIN_FIRST)
    known = server.ahead
    assert known == pytest.approx(3600, abs=1.5)
    server.come(3600.4, 20)
    assert server.ahead == known


@pytest.mark.parametrize("ahead", [3600, -3600, 365 * 86400])
def test_a_few_answers_of_another_time_change_nothing(ahead: float) -> None:
    server = Answers()
    server.come(ahead, MIN_FIRST - 1)
    assert server.ahead == 0, "not at the start"
    server.come(0)
    for _ in range(20):
        server.come(ahead, 50)  # at once
        assert server.ahead == 0
        server.come(0, every=100)
        server.come(ahead, MIN_ANSWERS - 1, every=100)
        assert server.ahead == 0
        server.come(0)


@pytest.mark.parametrize("ahead", [3600, -3600])
def test_answers_that_agree_for_a_while_are_believed(ahead: float) -> None:
    server = Answers()
    server.come(0)
    server.come(ahead, MIN_ANSWERS + 1, every=MIN_SECONDS / MIN_ANSWERS)
    assert server.ahead == pytest.approx(ahead, abs=1.5)
    server.come(0, 3)
    assert server.ahead == pytest.approx(ahead, abs=1.5)
    server.come(0, MIN_ANSWERS, every=MIN_SECONDS)
    assert server.ahead == pytest.approx(0, abs=1.5)


def test_answers_that_do_not_agree_with_one_another_are_not_believed() -> None:
    server = Answers()
    server.come(0)
    for ahead in range(100, 100_000, 100):
        server.come(ahead, every=30)
        assert server.ahead == 0


def test_a_clock_that_is_set_changes_nothing() -> None:
    wall, passed = NOON, 0.0
    clock = Clock(wall=lambda: wall, monotonic=lambda: passed)
    time = ServerTime(clock.steady)
    for step in (400.0, -86400.0, 1e8):
        wall += step
        passed += 1.0
        assert time.now == NOON + passed
        time.note(NOON + passed, clock.steady(), clock.steady())
        assert time.now == NOON + passed
