"""Ids as numbers, and the table of them."""

from hypothesis import given
from hypothesis import strategies as st

from exporter.core.identities import Rows, number


@given(st.text())
def test_a_number_fits_64_bits_and_is_never_0(identity: str) -> None:
    assert 0 < number(identity) < 1 << 64
    assert number(identity) == number(identity)


def test_numbers_do_not_depend_on_the_process() -> None:
    assert number("us_sp_Zr5vB81c") == 12610955492769809365


@given(st.lists(st.integers(1, 40) | st.integers(1, (1 << 64) - 1), max_size=300))
def test_each_key_gets_the_next_row_once(keys: list[int]) -> None:
    """Keys that fall on the same place too, and over every growth."""
    rows = Rows()
    expected: dict[int, int] = {}
    for key in keys:
        assert rows.find(key) == expected.get(key)
        assert rows.row(key) == expected.setdefault(key, len(expected))
        assert len(rows) == len(expected)
    assert {key: rows.find(key) for key in keys} == expected
