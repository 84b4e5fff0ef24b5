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
    LONGEST_PAUSE,
    UNNAMED_PAUSE,
    failure,
    http_date,
    other_prefix,
    pause,
    retry_after,
)
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
    error = failure(answer(status), "/spaces")
    assert type(error) is kind
    assert (error.status, error.endpoint, str(error)) == (status, "/spaces", f"status {status}")


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_successes(status: int) -> None:
    assert failure(answer(status), "/spaces") is None


def test_each_error_has_a_reason_of_its_own() -> None:
    kinds = (
        Unauthorized, Forbidden, NotFound, RateLimited, Timeout, ConnectionFailed, ServerError, BadResponse, TooLarge,
        FlatfileError,
    )  # fmt: skip
    assert tuple(kind.reason for kind in kinds) == REASONS


def test_each_reason_has_advice() -> None:
    assert tuple(ADVICE) == REASONS


@pytest.mark.parametrize(
    ("status", "expected"), [(400, True), (403, True), (404, True), (422, True), (401, False), (500, False)]
)
def test_refused_questions_may_be_asked_otherwise(status: int, expected: bool) -> None:
    error = failure(answer(status), "/spaces")
    assert error is not None
    assert error.concerns_the_question is expected


@pytest.mark.parametrize("status", [400, 403, 404])
def test_refused_credentials_are_no_refused_question(status: int) -> None:
    assert not Unauthorized("no", status=status).concerns_the_question


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("2.5", 2.5),
        ("000000000000000012", 12),
        ("899", 899),
        ("901", LONGEST_PAUSE),
        ("9" * 5000, LONGEST_PAUSE),
        (formatdate(EPOCH + 30, usegmt=True), 30),
        (formatdate(EPOCH + 30, usegmt=True).removesuffix(" GMT"), 30),
        (formatdate(EPOCH - 30, usegmt=True), 0),
        (formatdate(EPOCH + 1e6, usegmt=True), LONGEST_PAUSE),
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
    assert seconds is None or 0 <= seconds <= LONGEST_PAUSE


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
        (500, "7", None),
    ],
)
def test_pauses(status: int, header: str | None, expected: float | None) -> None:
    headers = {} if header is None else {"retry_after": header}
    assert pause(answer(status, **headers), EPOCH) == expected


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
