"""Times and globs on the command line."""

import pytest

from exporter.audit.selection import Selection, parse_time
from exporter.config import Globs

NOW = 1763628900.0  # 2025-11-20T08:55:00Z


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("24h", NOW - 86400),
        ("1h30m", NOW - 5400),
        ("0", NOW),
        ("2025-11-20T08:55:00Z", NOW),
        ("2025-11-20t08:55:00z", NOW),
        ("2025-11-20T09:55:00+01:00", NOW),
        ("2025-11-20T08:55:00.500Z", NOW + 0.5),
        ("2025-11-20", NOW - 8 * 3600 - 55 * 60),
    ],
)
def test_a_time_is_a_duration_ago_or_a_time(text: str, at: float) -> None:
    assert parse_time(text, lambda: NOW) == at


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("yesterday", "a time such as 2026-11-01T09:30:00Z"),
        ("24", "write 24s for seconds, or a time"),
        ("", "or a time"),
        ("2025-13-01", "is not a time: write it like 2026-11-01T09:30:00Z"),
        ("2025-11-20T25:00:00Z", "is not a time"),
        ("-1h", "or a time"),
    ],
)
def test_what_is_neither_is_explained(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_time(text)


def test_both_the_configuration_and_the_flags_choose() -> None:
    chosen = Selection(Globs(("prod*", "us_env_2"), ("*-old",)), ("*",))
    assert chosen.environment("us_env_1", "production")
    assert chosen.environment("us_env_2", "staging")
    assert not chosen.environment("us_env_3", "production-old")
    assert not Selection(Globs(("prod*",), ()), ("staging",)).environment("us_env_1", "production")


def test_an_environment_without_a_known_name_is_chosen_by_its_id() -> None:
    assert Selection(Globs(("us_env_*",), ())).environment("us_env_1", None)
    assert not Selection(Globs(("prod*",), ())).environment("us_env_1", None)


def test_topics_are_globs_in_which_case_counts() -> None:
    chosen = Selection(Globs(("*",), ()), topics=("file:*", "job:failed"))
    assert [
        chosen.event("us_env_1", None, topic)
        for topic in ("file:created", "job:failed", "job:ready", "File:created", None)
    ] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert Selection(Globs(("*",), ())).event("us_env_1", None, None)


def test_globs_that_match_no_environment_are_found() -> None:
    chosen = Selection(Globs(("*",), ()), ("prd", "prod*", "us_env_2"))
    assert chosen.unmatched({"us_env_1": "production", "us_env_2": "staging"}) == ["prd"]
