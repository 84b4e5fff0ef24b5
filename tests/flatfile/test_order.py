"""Lists that come newest first: where reading may end early, and where it may not."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile import models
from exporter.flatfile.order import EVIDENCE, Before
from exporter.flatfile.times import iso

START = 1_700_000_000.0


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
