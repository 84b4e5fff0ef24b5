"""The accounts of one scrape begin one after the other, in time for all of them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from exporter.web.stagger import MAX_SHARE, STEP, offsets

lefts = st.floats(-5, 300, allow_subnormal=False)


def test_one_account_does_not_wait() -> None:
    assert offsets(1, 9.5) == [0.0]
    assert offsets(0, 9.5) == []


def test_a_few_begin_closely_after_each_other_and_many_share_the_time_there_is() -> None:
    assert offsets(3, 9.5) == [0.0, STEP, 2 * STEP]
    many = offsets(200, 9.5)
    assert (many[0], round(many[-1], 9)) == (0.0, 9.5 * MAX_SHARE)


@given(st.integers(1, 1000), lefts)
def test_they_are_spread_evenly_and_leave_most_of_the_time(accounts: int, left: float) -> None:
    found = offsets(accounts, left)
    assert len(found) == accounts
    assert found == sorted(found)
    assert 0 <= found[-1] <= max(left, 0) * MAX_SHARE + 1e-9
    steps = [later - sooner for sooner, later in itertools.pairwise(found)]
    assert not steps or max(steps) - min(steps) < 1e-9


@given(st.integers(2, 1000), st.floats(0.1, 300))
def test_no_second_has_much_more_than_its_share(accounts: int, left: float) -> None:
    found = offsets(accounts, left)
    span = max(found[-1], 1.0)
    busiest = max(sum(1 for other in found if at <= other < at + 1) for at in found[:: max(1, accounts // 50)])
    assert busiest <= accounts / span + 2
