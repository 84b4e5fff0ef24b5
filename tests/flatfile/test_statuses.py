"""What statuses and headers mean."""

import os
import time
from collections.abc import Iterator
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile.errors import (
    ADVICE,
    REASONS,
    BadResponse,
    ConnectionFailed,
    FlatfileError,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    TooLarge,
    Unauthorized,
)
from exporter.flatfile.statuses import (
    MAX_PAUSE,
    UNNAMED_PAUSE,
    failure,
    other_prefix,
    pause,
    retry_after,
)
from exporter.flatfile.times import http_date
from tests.flatfile.rig import EPOCH, answer


@pytest.fixture
def new_york() -> Iterator[None]:
    """A host whose own time zone is not UTC."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "America/New_York"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, BadResponse),
        (304, BadResponse),
        (400, BadResponse),
        (401, Unauthorized),
        (403, Forbidden),
        (404, NotFound),
        (408, Timeout),
        (418, BadResponse),
        (422, BadResponse),
        (429, RateLimited),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_failures(status: int, kind: type[FlatfileError]) -> None:
    error = failure(answer(status), "/spaces", EPOCH)
    assert type(error) is kind
    assert (error.status, error.endpoint, str(error)) == (status, "/spaces", f"status {status}")


@pytest.mark.parametrize(("header", "kind"), [("60", RateLimited), ("soon", Forbidden), (None, Forbidden)])
def test_a_403_that_says_when_to_ask_again_is_a_rate_limit(header: str | None, kind: type[FlatfileError]) -> None:
    headers = {} if header is None else {"retry_after": header}
    assert type(failure(answer(403, **headers), "/spaces", EPOCH)) is kind


def test_a_part_is_not_the_whole_answer() -> None:
    assert type(failure(answer(206), "/spaces", EPOCH)) is BadResponse


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_successes(status: int) -> None:
    assert failure(answer(status), "/spaces", EPOCH) is None


def test_each_error_has_a_reason_of_its_own() -> None:
    kinds = (
        Unauthorized, Forbidden, NotFound, RateLimited, Timeout, ConnectionFailed, ServerError, BadResponse, TooLarge,
        FlatfileError,
    )  # fmt: skip
    assert tuple(kind.reason for kind in kinds) == REASONS


def test_each_reason_has_advice() -> None:
    assert tuple(ADVICE) == REASONS


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, True),
        (403, True),
        (404, True),
        (405, True),
        (422, True),
        (500, False),
        (401, False),
        (429, False),
        (503, False),
    ],
)
def test_refused_questions_may_be_asked_otherwise(status: int, expected: bool) -> None:
    error = failure(answer(status), "/spaces", EPOCH)
    assert error is not None
    assert error.is_request_rejected is expected


@pytest.mark.parametrize("status", [400, 403, 404])
def test_refused_credentials_are_no_refused_question(status: int) -> None:
    assert not Unauthorized("no", status=status).is_request_rejected


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("2.5", 2.5),
        ("000000000000000012", 12),
        ("899", 899),
        ("901", MAX_PAUSE),
        ("9" * 5000, MAX_PAUSE),
        (formatdate(EPOCH + 30, usegmt=True), 30),
        (formatdate(EPOCH + 30, usegmt=True).removesuffix(" GMT"), 30),
        (formatdate(EPOCH - 30, usegmt=True), 0),
        (formatdate(EPOCH + 1e6, usegmt=True), MAX_PAUSE),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("٣", None),
        ("1e3", None),
        ("Thu, 99 Nov 2025 99:99:99 GMT", None),
        (None, None),
    ],
)
@pytest.mark.usefixtures("new_york")
def test_retry_after(text: str | None, seconds: float | None) -> None:
    assert retry_after(text, EPOCH) == seconds


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{1,3} [A-Z][a-z]{2} [0-9]{1,5} [0-9:]{0,12} ?[A-Z+\-0-9]{0,8}"))
def test_no_header_is_too_strange(text: str) -> None:
    seconds = retry_after(text, EPOCH)
    assert seconds is None or 0 <= seconds <= MAX_PAUSE


@pytest.mark.parametrize("text", ["Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 1900 00:00:00 GMT", "junk", "", None])
def test_absurd_dates_are_none(text: str | None) -> None:
    assert http_date(text) is None


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [
        (429, "7", 7),
        (429, None, UNNAMED_PAUSE),
        (429, "soon", UNNAMED_PAUSE),
        (503, "7", 7),
        (503, None, None),
        (500, "7", 7),
        (403, "60", 60),
        (403, None, None),
        (302, "7", 7),
        (200, "7", None),
    ],
)
def test_pauses(status: int, header: str | None, expected: float | None) -> None:
    headers = {} if header is None else {"retry_after": header}
    assert pause(answer(status, **headers), EPOCH) == expected


def test_a_date_to_wait_for_is_by_the_clock_of_the_answer() -> None:
    headers = {"date": formatdate(EPOCH - 9999, usegmt=True), "retry_after": formatdate(EPOCH - 9999 + 30, usegmt=True)}
    assert pause(answer(429, **headers), EPOCH) == 30


@pytest.mark.parametrize(
    ("base", "other"),
    [
        ("https://platform.flatfile.com/v1", "https://platform.flatfile.com/api/v1"),
        ("https://platform.flatfile.com/api/v1", "https://platform.flatfile.com/v1"),
        ("https://gateway.test/flatfile", None),
    ],
)
def test_the_other_prefix(base: str, other: str | None) -> None:
    assert other_prefix(base) == other
