"""Durations and sizes: text to number and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.units import MAX_DURATION, MAX_SIZE, format_duration, format_size, parse_duration, parse_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("30s", 30.0),
        ("5m", 300.0),
        ("1h30m", 5400.0),
        ("90d", 7_776_000.0),
        ("2w", 1_209_600.0),
        ("1w2d3h4m5s6ms", 788_645.006),
        ("90m", 5400.0),
        ("0", 0.0),
        ("0s", 0.0),
        ("36500d", MAX_DURATION),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10", "a unit is missing, write 10s for seconds"),
        ("1.5h", "write 1h30m"),
        ("5 Minutes", "write 5m"),
        ("30m1h", "write 1h30m"),
        ("5M", "write 5m"),
        ("2weeks", "write 14d"),
        ("1h 30min", "write 1h30m"),
        ("0.5ms", "such as 500ms, 30s"),
        ("10:30", "such as 500ms, 30s"),
        ("", "such as 500ms, 30s"),
        ("-5s", "such as 500ms, 30s"),
        ("٣s", "such as 500ms, 30s"),
        ("5y", "such as 500ms, 30s"),
        ("36500d1ms", "is longer than 36500d"),
        ("9" * 40 + "s", "is too long"),
    ],
)
def test_what_is_no_duration_is_refused_with_a_proposal(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (2_592_000, "30d"),
        (5400, "1h30m"),
        (1_209_600, "14d"),
        (86_400, "1d"),
        (0, "0s"),
        (1.5, "1s500ms"),
        (0.25, "250ms"),
    ],
)
def test_a_duration_has_one_canonical_text(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.integers(0, int(MAX_DURATION * 1000)))
def test_a_formatted_duration_reads_back_the_same(milliseconds: int) -> None:
    assert parse_duration(format_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.text(st.sampled_from("0123456789smhdwi .,-"), max_size=12) | st.text(max_size=40))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert 0 <= seconds <= MAX_DURATION


@given(st.text(st.sampled_from("0123456789smhdw ."), max_size=12))
def test_what_is_proposed_for_a_duration_is_accepted(text: str) -> None:
    try:
        parse_duration(text)
    except ValueError as error:
        _, proposes, proposal = str(error).partition(": write ")
        if proposes and not proposal.startswith("whole"):
            parse_duration(proposal)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64MiB", 67_108_864),
        ("10MB", 10_000_000),
        ("512KiB", 524_288),
        ("1kB", 1000),
        ("1KB", 1000),
        ("3GiB", 3 * 2**30),
        ("7B", 7),
        ("4096", 4096),
        ("0", 0),
        ("1024TiB", MAX_SIZE),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("64M", "write 64MiB"),
        ("64 mib", "write 64MiB"),
        ("1.5GiB", "write 1536MiB"),
        ("64mb", "write 64MB"),
        ("a lot", "such as 64MiB"),
        ("", "such as 64MiB"),
        ("-1", "such as 64MiB"),
        ("0.3B", "such as 64MiB"),
        ("1025TiB", "is larger than 1024TiB"),
        ("9" * 40, "is too long"),
    ],
)
def test_what_is_no_size_is_refused_with_a_proposal(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(67_108_864, "64MiB"), (10_000_000, "10MB"), (64_000_000, "64MB"), (1000, "1kB"), (1001, "1001"), (0, "0")],
)
def test_a_size_has_one_canonical_text(size: int, text: str) -> None:
    assert format_size(size) == text


@given(
    st.integers(0, MAX_SIZE) | st.builds(lambda n, unit: n * unit, st.integers(0, 999), st.sampled_from([10**6, 2**20]))
)
def test_a_formatted_size_reads_back_the_same(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.text(st.sampled_from("0123456789KkMmGgTtiB ."), max_size=12) | st.text(max_size=40))
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    try:
        size = parse_size(text)
    except ValueError:
        return
    assert 0 <= size <= MAX_SIZE
