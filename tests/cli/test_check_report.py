"""What a probe of the API has found out: the arithmetic of it, and that whatever it is can be read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.account.one_shot import Trouble
from exporter.cli.check_report import WIDTH, AccountFacts, CollectorFacts, as_json, text

REFUSED = Trouble("forbidden", "/agents", 403, "status 403")
FAILED = Trouble("server_error", "/agents", 500, "status 500")


def collector(name: str = "agents", **more: Any) -> CollectorFacts:
    return CollectorFacts(**({"collector": name, "interval": 30.0, "max_age": 900.0, "first": 4, "steady": 4} | more))


def account(*collectors: CollectorFacts, limit: float = 10.0) -> AccountFacts:
    return AccountFacts("acme", "https://platform.flatfile.com/v1", limit, collectors)


@pytest.mark.parametrize(
    ("given_", "per_hour"),
    [
        ({}, 480.0),
        ({"interval": 60.0}, 240.0),
        ({"interval": 0.0}, 480.0),
        ({"first": 400, "steady": 0, "resync": 21600.0}, 400 / 6),
        ({"first": 10, "steady": 4, "resync": 3600.0}, 486.0),
        ({"first": 3, "steady": 4, "resync": 3600.0}, 480.0),
        ({"first": 400, "steady": 4}, 480.0),
        ({"first": None}, None),
        ({"steady": None}, None),
    ],
)
def test_requests_an_hour_are_those_of_the_interval_and_of_what_is_asked_anew(
    given_: dict[str, Any], per_hour: float | None
) -> None:
    assert collector(**given_).per_hour == (None if per_hour is None else pytest.approx(per_hour))


@pytest.mark.parametrize(
    ("troubles", "reached", "state", "in_part"),
    [
        ((), True, "allowed", False),
        ((REFUSED,), False, "refused", False),
        ((REFUSED,), True, "refused", True),
        ((FAILED,), False, "failed", False),
        ((REFUSED, FAILED), True, "failed", True),
    ],
)
def test_what_cannot_be_asked_is_refused_or_has_failed(
    troubles: tuple[Trouble, ...], reached: bool, state: str, in_part: bool
) -> None:
    found = collector(troubles=troubles, reached=reached)
    assert (found.state, found.in_part) == (state, in_part)
    assert account(collector(), found).ok == (state == "allowed")


@pytest.mark.parametrize(
    ("limit", "given_", "said"),
    [
        (1.0, {"steady": 23, "first": 23}, []),
        (
            1.0,
            {"steady": 25, "first": 25},
            ["83% of what requests.per_second (1) allows: little is left for busy times"],
        ),
        (1.0, {"steady": 31, "first": 31}, ["data will be older than the intervals"]),
        (10.0, {"first": 9000}, []),
        (
            10.0,
            {"first": 9600},
            ["takes 16m at requests.per_second (10), longer than its max_age (15m)"],
        ),
        (10.0, {"first": None, "steady": None}, []),
    ],
)
def test_what_does_not_fit_is_said(limit: float, given_: dict[str, Any], said: list[str]) -> None:
    warnings = [*account(collector(**given_), limit=limit).warnings()]
    assert len(warnings) == len(said)
    for warning, words in zip(warnings, said, strict=True):
        assert words in warning


TEXTS = st.sampled_from(["", "x" * 120, "some words " * 20, "\x1b[31m\n\u202e", "\ud800 🧪"]) | st.text(max_size=4)
NUMBERS = st.none() | st.integers(0, 10**6)
FACTS = st.builds(
    CollectorFacts,
    st.sampled_from(["environments", "guests"]),
    st.sampled_from([0.0, 60.0, 5400.0]),
    st.just(900.0),
    st.lists(st.builds(Trouble, st.sampled_from(["forbidden", "bad_response"]), TEXTS, NUMBERS, TEXTS), max_size=3),
    st.booleans(),
    st.booleans(),
    NUMBERS,
    st.none() | st.integers(0, 999),
    st.none() | st.just(21600.0),
    st.booleans(),
    NUMBERS,
    st.none() | st.just(86400.0),
    st.lists(st.tuples(TEXTS, TEXTS), max_size=7),
)


@given(
    st.lists(st.builds(AccountFacts, TEXTS, TEXTS, st.just(1.0), st.lists(FACTS, max_size=3), TEXTS, TEXTS), max_size=2)
)
def test_whatever_is_found_out_can_be_read(found: list[AccountFacts]) -> None:
    lines = text(found).split("\n")
    assert all(line.isprintable() for line in lines)
    for line in lines:
        assert len(line) <= WIDTH or line.startswith(("account ", "  in Flatfile: ")) or " " not in line.strip()
    assert json.loads(as_json(found))["ok"] == all(account.ok for account in found)


KEYS = {
    "": {"ok", "assumed_scrape_interval_seconds", "accounts"},
    "accounts": {
        "name",
        "ok",
        "base_url",
        "account_id",
        "account_name",
        "collectors",
        "requests",
        "warnings",
    },
    "accounts.requests": {"first", "per_hour", "complete", "estimated", "limit_per_hour", "limit_used"},
    "accounts.collectors": {
        "collector",
        "state",
        "in_part",
        "finished",
        "count",
        "window_seconds",
        "interval_seconds",
        "requests",
        "troubles",
        "environments_unknown",
    },
    "accounts.collectors.requests": {"first", "steady", "anew_seconds", "per_hour", "estimated"},
    "accounts.collectors.troubles": {"reason", "endpoint", "status", "text", "advice"},
    "accounts.collectors.environments_unknown": {"id", "name"},
}
"""Programs read these: adding one is fine, renaming one is not."""


def test_the_keys_of_the_json_are_stable() -> None:
    found = account(collector(troubles=[REFUSED], unknown=[("us_env_1", "production")]))
    keys: dict[str, set[str]] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict):
            keys.setdefault(path, set()).update(value)
            for key, child in value.items():
                walk(child, f"{path}.{key}".lstrip("."))
        elif isinstance(value, list):
            for child in value:
                walk(child, path)

    walk(json.loads(as_json([found])), "")
    assert keys == KEYS
