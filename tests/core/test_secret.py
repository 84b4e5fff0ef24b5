"""A secret gives its text to `reveal()` alone."""

import copy
import dataclasses
import json
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.secret import Secret

TEXT = "hunter2"


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        ascii,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>40}",
        lambda secret: f"{secret:>40}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  # the old way of formatting is the point
        lambda secret: "{0} {0!r}".format(secret),  # noqa: UP032
        lambda secret: str([secret, {secret: secret}]),
        lambda secret: str(dir(secret)),
    ],
)
def test_no_way_of_printing_shows_it(show: object) -> None:
    assert callable(show)
    assert TEXT not in show(Secret(TEXT))


def test_only_reveal_gives_the_text() -> None:
    assert Secret(TEXT).reveal() == TEXT


def test_it_has_no_dict_to_dump() -> None:
    assert not hasattr(Secret(TEXT), "__dict__")
    with pytest.raises(TypeError):
        json.dumps(Secret(TEXT))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_it_cannot_be_pickled(protocol: int) -> None:
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps([Secret(TEXT)], protocol)


def test_a_copy_is_the_same_secret() -> None:
    @dataclasses.dataclass(frozen=True)
    class Holder:
        secret: Secret

    secret = Secret(TEXT)
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret
    assert TEXT not in str(dataclasses.asdict(Holder(secret)))


def test_a_traceback_with_locals_does_not_show_it() -> None:
    secret = Secret(TEXT)
    try:
        raise RuntimeError(f"failed with {secret}")
    except RuntimeError as error:
        shown = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = <secret>" in shown
    assert f"secret = {TEXT!r}" not in shown


@given(st.text(), st.text())
def test_secrets_compare_by_value(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert Secret(one) == Secret(one)
    assert hash(Secret(one)) == hash(Secret(one))
    assert Secret(one) != one


def test_any_text_can_be_compared() -> None:
    assert Secret("\ud800") != Secret("x")
