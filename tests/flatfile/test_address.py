"""The other path prefix is tried when, and only when, an answer looks as if from a path that is not there."""

import pytest

from exporter.flatfile.address import RETRY, Address
from exporter.flatfile.transport import Answer
from tests.flatfile.rig import answer

V1, API = "https://flatfile.test/v1", "https://flatfile.test/api/v1"
HTML = answer(200, content_type="text/html; charset=utf-8")
OTHER_STATUSES = (200, 204, 302, 400, 401, 403, 408, 429, 500, 503)


@pytest.mark.parametrize("lost", [answer(404), HTML])
def test_once_and_remembered(lost: Answer) -> None:
    address = Address(V1)
    assert address.instead(V1, lost, 0) == API
    assert address.is_better(API, answer(), 0)
    assert address.base == API
    assert address.instead(API, lost, 1) is None


@pytest.mark.parametrize("status", OTHER_STATUSES)
def test_any_other_answer_is_the_apis_own(status: int) -> None:
    address = Address(V1)
    assert address.instead(V1, answer(status), 0) is None
    assert address.base == V1


def test_not_after_a_success() -> None:
    address = Address(API)
    assert address.instead(API, answer(), 0) is None
    assert address.instead(API, answer(404), 1) is None


def test_an_error_does_not_prove_the_place() -> None:
    address = Address(V1)
    assert address.instead(V1, answer(401), 0) is None
    assert address.instead(V1, answer(404), 0) == API


def test_not_again_before_a_while() -> None:
    address = Address(V1)
    assert address.instead(V1, answer(404), 0) == API
    assert not address.is_better(API, answer(404), 0)
    assert address.instead(V1, answer(404), RETRY - 1) is None
    assert address.instead(V1, answer(404), RETRY) == API


@pytest.mark.parametrize("status", [408, 429, 500])
def test_a_passing_failure_there_says_nothing(status: int) -> None:
    address = Address(V1)
    assert not address.is_better(API, answer(status), 0)
    assert address.instead(V1, answer(404), 1) == API


def test_one_who_asked_the_old_place_is_sent_on() -> None:
    address = Address(V1)
    address.instead(V1, answer(404), 0)
    address.is_better(API, answer(), 0)
    assert address.instead(V1, answer(404), 0) == API


def test_an_address_of_ones_own_has_no_other() -> None:
    assert Address("https://gateway.test/x").instead("https://gateway.test/x", answer(404), 0) is None
