"""A pass over a paged list: complete exactly when it is, whatever the server makes of pages and totals."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.flatfile.models import Pagination
from exporter.flatfile.pages import Pass

MOST_PAGES = 200


@dataclass(frozen=True)
class Row:
    id: str


def rows(*numbers: int) -> list[Row]:
    return [Row(f"r{number}") for number in numbers]


def said(total: object = None, pages: object = None) -> Pagination:
    return Pagination(total_count=total, page_count=pages)  # type: ignore[arg-type]


class Reading(Pass[Row]):
    """A pass that keeps what was new."""

    def __init__(self) -> None:
        super().__init__(lambda row: row.id)
        self.rows: list[Row] = []

    def read(self, rows: list[Row], pagination: Pagination | None) -> bool:
        """Take a page in and tell whether the list is whole with it."""
        self.rows += self.add(rows, pagination)
        return self.whole


def new() -> Reading:
    return Reading()


@settings(max_examples=400)
@given(
    st.permutations(range(25)),
    st.integers(0, 25),
    st.integers(1, 12),
    st.integers(0, 3),
    st.sampled_from(["right", "absent", "zero", "empty", "text", "pages alone", "too small", "too big", "stale"]),
    st.integers(1, 30),
)
def test_no_row_lost_and_none_twice(
    order: list[int], length: int, cap: int, overlap: int, reading: str, off: int
) -> None:
    """Pages of at most `cap` rows, of which each repeats the last `overlap` of the one before."""
    listed = rows(*order[:length])
    step = max(1, cap - overlap)
    done = new()
    told: list[int] = []
    for page in range(MOST_PAGES):
        cut = listed[page * step : page * step + cap]
        pages = -(-length // step)
        pagination = {
            "right": said(length, pages),
            "absent": None,
            "zero": said(length, 0),
            "empty": said(),
            "text": said(str(length), str(pages)),
            "pages alone": said(None, pages),
            "too small": said(max(0, length - off), max(0, length - off) // step),
            "too big": said(length + off, pages),
            "stale": said(max(0, length - 1), -(-max(0, length - 1) // step)),
        }[reading]
        if pagination is not None and pagination.total is not None:
            told.append(pagination.total)
        if done.read(cut, pagination):
            break
    else:
        raise AssertionError("it goes on for ever")
    found = done.rows
    assert found == listed[: len(found)], "in the order in which they came, none twice"
    if len(found) < length:  # then the server itself has said that this is all
        assert reading in ("too small", "stale")
        assert len(found) == told[-1]
    if told and min(told) > len(found):
        assert done.missing == min(told) - len(found), "never complete while the server tells of more"
    assert done.counted is bool(told)
    if reading == "right" and step == cap:
        assert done.pages == max(1, -(-length // cap)), "not a page more than it takes"


@given(st.integers(0, 30), st.integers(1, 8), st.lists(st.integers(0, 3), max_size=40), st.booleans(), st.booleans())
def test_a_list_that_grows_while_it_is_read(
    length: int, cap: int, growth: list[int], at_front: bool, counted: bool
) -> None:
    """Whatever was there at the start is found, wherever new rows come in, as long as they are fewer than a page holds."""
    listed = rows(*range(length))
    fresh = iter(range(1000, 9999))
    done = new()
    for page in range(MOST_PAGES):
        pagination = said(len(listed), -(-len(listed) // cap)) if counted else None
        if done.read(listed[page * cap : (page + 1) * cap], pagination):
            break
        more = rows(*(next(fresh) for _ in range(min(growth.pop() if growth else 0, cap - 1))))
        listed = [*more, *listed] if at_front else [*listed, *more]
    assert {row.id for row in rows(*range(length))} <= {row.id for row in done.rows}
    assert done.missing == 0 or at_front


@pytest.mark.parametrize("same", [True, False])
def test_a_server_that_repeats_itself_ends_the_list(same: bool) -> None:
    done = new()
    assert not done.read(rows(1, 2, 3), None)
    assert done.read(rows(1, 2, 3) if same else rows(3, 2), None)
    assert done.pages == 2


def test_a_short_page_is_not_the_end() -> None:
    done = new()
    assert not done.read(rows(1, 2, 3), None)
    assert not done.read(rows(4), None)
    assert not done.read(rows(5, 6), None)
    assert done.read([], None)


def test_a_list_that_breaks_off_is_missing_rows() -> None:
    done = new()
    assert not done.read(rows(1, 2), said(5, 3))
    assert done.read([], said(5, 3))
    assert done.missing == 3


def test_an_empty_page_past_the_end_that_counts_its_own_rows_hides_nothing() -> None:
    done = new()
    done.read(rows(1, 2), said(5, 3))
    assert done.read([], said(0, 0))
    assert done.missing == 3


def test_a_list_that_shrinks_is_not_missing_what_is_gone() -> None:
    done = new()
    assert not done.read(rows(1, 2), said(4, 2))
    assert done.read(rows(3), said(3, 2))
    assert done.missing == 0


def test_an_empty_list() -> None:
    for pagination in (None, said(0, 0), said(0, 1)):
        done = new()
        assert done.read([], pagination)
        assert done.missing == 0
        assert done.pages == 1


def test_an_empty_first_page_of_a_list_that_is_not_empty() -> None:
    done = new()
    assert done.read([], said(3, 1))
    assert done.missing == 3


def test_a_total_that_fits_is_not_the_end_while_there_are_pages() -> None:
    done = new()
    assert not done.read(rows(1, 2), said(2, 2))
    assert not done.read(rows(3, 4), said(2, 2))
    assert done.read([], said(2, 2))


def test_rows_without_an_id_that_are_alike_on_one_page_are_different_ones() -> None:
    done: Pass[Row] = Pass(lambda row: row.id, alike=True)
    assert done.add(rows(1, 1, 2), said(4, 2)) == rows(1, 1, 2)
    assert not done.whole
    assert done.add(rows(2, 3), said(4, 2)) == rows(3), "what an earlier page had may have slipped here"
    assert done.whole
    assert done.missing == 0


def test_rows_with_an_id_that_come_twice_are_one() -> None:
    done = new()
    assert done.read(rows(1, 1, 2), said(2, 1))
    assert done.rows == rows(1, 2)
