"""People in full, by id, and as hashes that say nothing without the key."""

import re

import pytest
from msgspec import UNSET

from exporter.audit.actors import HASHED, Actor, display
from exporter.flatfile.topics import ACTOR_TYPES

ADA = Actor("user", "us_usr_Kq81mZ4t", "Ada", "Ada@team.test")
KEY = b"0123456789abcdef"


def test_full_says_everything() -> None:
    shown = display("full", b"")(ADA)
    assert (shown.id, shown.name, shown.email) == ("us_usr_Kq81mZ4t", "Ada", "Ada@team.test")


def test_id_has_no_other_keys() -> None:
    shown = display("id", b"")(ADA)
    assert (shown.id, shown.name, shown.email) == ("us_usr_Kq81mZ4t", UNSET, UNSET)


def test_hash_replaces_id_name_and_address_and_nothing_of_them_is_left() -> None:
    shown = display("hash", KEY)(ADA)
    for value in (shown.id, shown.name, shown.email):
        assert re.fullmatch("hmac:[0-9a-f]{32}", str(value))
    assert len({shown.id, shown.name, shown.email}) == 3


def test_the_documented_hash_can_be_made_by_hand() -> None:
    """`printf 'email\\0ada@team.test' | openssl dgst -sha256 -hmac 0123456789abcdef`, its first 32 digits."""
    assert display("hash", KEY)(ADA).email == "hmac:5d7f3d347fc4a43379d8100047cabf2f"


def test_the_same_person_is_recognised_under_one_key_alone() -> None:
    guest = Actor("guest", "us_g_Mb3nV4cx", "Ada L.", "ada@TEAM.test ")
    first, again, other = display("hash", KEY), display("hash", KEY), display("hash", KEY[::-1])
    assert first(ADA) == again(ADA)
    assert first(guest).email == first(ADA).email
    assert first(guest).id != first(ADA).id
    assert other(ADA).email != first(ADA).email


@pytest.mark.parametrize("kind", ACTOR_TYPES)
def test_whoever_may_be_a_person_is_hashed(kind: str) -> None:
    actor = Actor(kind, "us_x_1", None, None)  # type: ignore[arg-type]
    assert (display("hash", KEY)(actor).id == "us_x_1") == (kind in ("agent", "api_key", "system"))
    assert (kind in HASHED) == (kind in ("user", "guest", "unknown"))


def test_what_is_not_known_stays_null() -> None:
    shown = display("hash", KEY)(Actor("user", None, None, None))
    assert (shown.id, shown.name, shown.email) == (None, None, None)
