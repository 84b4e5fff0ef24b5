"""Typed objects hold what is counted and nothing that is secret or personal."""

from typing import Any

import msgspec
import pytest

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.markers import MARKERS
from exporter.flatfile import models
from exporter.flatfile.client import Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.models import Pagination
from exporter.flatfile.topics import ACTOR_TYPES, KNOWN_TOPICS, actor_type
from tests.flatfile.rig import call, connected, stored
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world, sized_world

LISTS: dict[Endpoint, Any] = {
    Endpoint.ENVIRONMENTS: models.Environment,
    Endpoint.SPACES: models.Space,
    Endpoint.AGENTS: models.Agent,
    Endpoint.USERS: models.User,
    Endpoint.GUESTS: models.Guest,
    Endpoint.EVENTS: models.Event,
}


@pytest.mark.parametrize("endpoint", LISTS, ids=str)
async def test_no_secret_is_kept(endpoint: Endpoint) -> None:
    """The rows as they come are full of marks; in what is left of them there is none."""
    world = fixed_world()
    where = {"environmentId": "us_env_9f2kQw1d", "spaceId": "us_sp_Zr5vB81c", "includeAcknowledged": "true"}
    async with SimulatedServer(world) as api, connected(api) as client:
        raw = await client.rows(Listing(endpoint, dict, lambda row: row["id"]), where, call())
        rows = await client.rows(Listing(endpoint, LISTS[endpoint], identity), where, call())
    assert len(rows) == len(raw) > 0
    if endpoint is not Endpoint.ENVIRONMENTS:
        assert any(mark in str(raw) for mark in MARKERS), "the rows must be worth looking at"
    kept = msgspec.json.encode(rows).decode() + repr(rows)
    assert not [mark for mark in MARKERS if mark in kept]


async def test_no_secret_is_kept_by_what_lives_on() -> None:
    """After reading everything, no object of the client holds a mark in clear, but for the token in its wrapper."""
    async with (
        SimulatedServer(sized_world(lambda: 0.0, environments=1, spaces=3)) as api,
        connected(api, token=None, credentials=(stored(CLIENT_ID), stored(SECRET))) as client,
    ):
        await client.rows(Listing(Endpoint.SPACES, models.Space, identity), {}, call())
        shown = "".join(
            repr(vars(part))
            for part in (client, client.session, *vars(client.session).values())
            if hasattr(part, "__dict__")
        )
    assert shown
    assert not [mark for mark in MARKERS if mark in shown]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (5, 5),
        ("5", 5),
        (5.0, 5),
        (0, 0),
        (-1, None),
        ("x", None),
        ("", None),
        ("9" * 5000, None),
        (float("inf"), None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_totals(number: Any, expected: int | None) -> None:
    assert Pagination(total_count=number).total == expected
    assert Pagination(page_count=number).pages == expected


def test_objects_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        models.Account(id="a").id = "b"  # type: ignore[misc]


def test_null_everywhere_but_the_id() -> None:
    for kind in LISTS.values():
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        row = dict.fromkeys(names) | {"id": "a"}
        assert msgspec.json.decode(msgspec.json.encode(row), type=kind).id == "a"
        assert msgspec.json.decode(b'{"id":"a","unknown":{"x":[1]}}', type=kind).id == "a"


# What the definitions say of events


def test_the_known_topics() -> None:
    assert len(KNOWN_TOPICS) == len(set(KNOWN_TOPICS)) == 82
    assert set(KNOWN_TOPICS) >= {"job:failed", "commit:completed", "data-clip:collaborator-updated", "cron:5-minutes"}


@pytest.mark.parametrize(
    ("actor", "kind"),
    [
        ("us_usr_Kq81mZ4t", "user"),
        ("us_g_Mb3nV4cx", "guest"),
        ("us_ag_Hn3cQ0ye", "agent"),
        ("us_key_Xc1vB2nm", "api_key"),
        ("us_acc_4kQ2m9Xz", "system"),
        ("us_jb_Rt9yU8io", "system"),
        ("eu2_usr_Kq81mZ4t", "user"),
        ("us0_usr_Kq81mZ4t", "user"),
        ("us_zz_Kq81mZ4t", "unknown"),
        ("us_agent_Kq81mZ4t", "unknown"),
        ("somebody", "unknown"),
        ("us_usr", "unknown"),
        ("", "system"),
        (None, "system"),
    ],
)
def test_actors(actor: str | None, kind: str) -> None:
    assert actor_type(actor) == kind
    assert kind in ACTOR_TYPES
