"""The other path prefix is tried when, and only when, an answer looks as if from a path that is not there."""

import pytest

from exporter.flatfile.address import RETRY, Address
from exporter.flatfile.transport import Answer
from tests.flatfile.rig import answer

V1, API = "https://flatfile.test/v1", "https://flatfile.test/api/v1"
HTML = {"content_type": "text/html; charset=utf-8"}
WRONG = [
    answer(404),
    answer(405),
    answer(301),
    answer(302),
    answer(308),
    answer(200, "<html>", **HTML),
    answer(401, **HTML),
    answer(403, **HTML),
]
DOUBTFUL = [answer(400, content_type="text/plain"), answer(401, content_type=""), answer(200, "OK", content_type="")]
RIGHT = [*map(answer, (200, 204, 400, 401, 403, 408, 429, 500, 503)), answer(503, **HTML), answer(429, **HTML)]


@pytest.mark.parametrize("first", WRONG + DOUBTFUL, ids=repr)
def test_once_and_remembered(first: Answer) -> None:
    address = Address(V1)
    assert address.alternative(V1, first, 0) == API
    assert address.prefer(API, answer(), first, 0)
    assert address.base == API
    assert address.alternative(API, first, 1) is None
    assert not address.is_wrong(first)


@pytest.mark.parametrize("other", RIGHT, ids=repr)
def test_any_other_answer_is_the_apis_own(other: Answer) -> None:
    address = Address(V1)
    assert address.alternative(V1, other, 0) is None
    assert not address.is_wrong(other)
    assert address.base == V1


def test_not_after_a_success() -> None:
    address = Address(API)
    assert address.alternative(API, answer(), 0) is None
    assert address.alternative(API, answer(404), 1) is None
    assert not address.is_wrong(answer(404))


@pytest.mark.parametrize("first", WRONG, ids=repr)
def test_where_neither_is_right_the_address_may_be_wrong(first: Answer) -> None:
    address = Address(V1)
    assert not address.prefer(API, answer(404), first, 0)
    assert address.base == V1
    assert address.is_wrong(first)


def test_a_refusal_that_is_no_json_stays_a_refusal_where_the_other_prefix_is_wrong() -> None:
    address, refusal = Address(V1), answer(401, content_type="")
    assert not address.prefer(API, answer(404), refusal, 0)
    assert not address.is_wrong(refusal)


def test_the_apis_own_refusal_shows_the_place() -> None:
    """As wrong credentials do, at the right prefix."""
    address = Address(V1)
    assert address.prefer(API, answer(400), answer(405), 0)
    assert address.base == API


def test_an_error_does_not_prove_the_place() -> None:
    address = Address(V1)
    assert address.alternative(V1, answer(401), 0) is None
    assert address.alternative(V1, answer(404), 0) == API


def test_not_again_before_a_while() -> None:
    address = Address(V1)
    assert address.alternative(V1, answer(404), 0) == API
    assert not address.prefer(API, answer(404), answer(404), 0)
    assert address.alternative(V1, answer(404), RETRY - 1) is None
    assert address.alternative(V1, answer(404), RETRY) == API


@pytest.mark.parametrize("status", [408, 429, 500])
def test_a_passing_failure_there_says_nothing(status: int) -> None:
    address = Address(V1)
    assert not address.prefer(API, answer(status), answer(404), 0)
    assert address.alternative(V1, answer(404), 1) == API


def test_one_who_asked_the_old_place_is_sent_on() -> None:
    address = Address(V1)
    address.alternative(V1, answer(404), 0)
    address.prefer(API, answer(), answer(404), 0)
    assert address.alternative(V1, answer(404), 0) == API


def test_an_address_of_ones_own_has_no_other() -> None:
    assert Address("https://gateway.test/x").alternative("https://gateway.test/x", answer(404), 0) is None
