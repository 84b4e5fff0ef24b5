"""POST /auth and the tokens it gives, under each reading."""

import base64
import json
from datetime import datetime
from typing import Any

import httpx
import pytest

from exporter.demo.accounts import SECRET
from exporter.demo.markers import MARKERS
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW, fixed_world

NOW = FIXED_NOW


async def exchange(api: SimulatedServer, body: object) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(api.base_url + "/auth", json=body)


async def status(api: SimulatedServer, token: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(api.base_url + "/environments", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code


async def test_the_plain_answer(api: SimulatedServer, credentials: dict[str, str]) -> None:
    answer = await exchange(api, credentials)
    body = answer.json()
    assert body["expiresIn"] == "86400"
    assert datetime.fromisoformat(body["expires"]).timestamp() == NOW + 86400
    claims = body["accessToken"].split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(claims + "==")) == {"exp": NOW + 86400}
    assert await status(api, body["accessToken"]) == 200
    assert await status(api, "wrong") == 401
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(api.base_url + "/environments")).status_code == 401


async def test_the_wrapped_answer(api: SimulatedServer, credentials: dict[str, str]) -> None:
    api.switches.auth_wrapped = True
    body = (await exchange(api, credentials)).json()
    assert list(body) == ["data"]
    assert await status(api, body["data"]["accessToken"]) == 200


async def test_type_needed(api: SimulatedServer, credentials: dict[str, str]) -> None:
    api.switches.auth_needs_type = True
    assert (await exchange(api, credentials)).status_code == 400
    assert (await exchange(api, credentials | {"type": "apiCredentials"})).status_code == 200


@pytest.mark.parametrize("code", [400, 401, 403, 404])
async def test_wrong_credentials(api: SimulatedServer, credentials: dict[str, str], code: int) -> None:
    api.switches.auth_refusal = code
    answer = await exchange(api, credentials | {"secret": "wrong"})
    assert answer.status_code == code
    assert answer.json()["errors"][0]["message"]
    assert (await exchange(api, credentials)).status_code == 200


@pytest.mark.parametrize("body", [[], {}, {"clientId": 1, "secret": 2}, "text"])
async def test_bodies_that_are_no_credentials(api: SimulatedServer, body: object) -> None:
    assert (await exchange(api, body)).status_code == 400


async def test_a_body_that_is_not_json(api: SimulatedServer) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.post(api.base_url + "/auth", content=b"{")).status_code == 400


@pytest.mark.parametrize(
    ("change", "field", "value"),
    [
        ({"expires_in": "number"}, "expiresIn", 86400),
        ({"expires_in": "junk"}, "expiresIn", "soon"),
        ({"expires_in": "absent"}, "expiresIn", None),
        ({"expires": "junk"}, "expires", "tomorrow"),
        ({"expires": "absent"}, "expires", None),
        ({"token_life": 60.0}, "expiresIn", "60"),
        ({"token_is_jwt": False}, "accessToken", "SECRET-access-token-1"),
    ],
)
async def test_how_the_end_is_told(
    api: SimulatedServer, credentials: dict[str, str], change: dict[str, Any], field: str, value: object
) -> None:
    for name, reading in change.items():
        setattr(api.switches, name, reading)
    assert (await exchange(api, credentials)).json().get(field) == value


async def test_a_token_ends(credentials: dict[str, str]) -> None:
    now = [NOW]
    async with SimulatedServer(fixed_world(lambda: now[0])) as api:
        token = (await exchange(api, credentials)).json()["accessToken"]
        now[0] += 86399
        assert await status(api, token) == 200
        now[0] += 1
        assert await status(api, token) == 401


async def test_tokens_end_early(api: SimulatedServer, credentials: dict[str, str]) -> None:
    api.switches.token_calls = 2
    token = (await exchange(api, credentials)).json()["accessToken"]
    assert [await status(api, token) for _ in range(3)] == [200, 200, 401]
    fresh = (await exchange(api, credentials)).json()["accessToken"]
    assert await status(api, fresh) == 200
    api.invalidate_tokens()
    assert await status(api, fresh) == 401


async def test_a_rotated_secret(api: SimulatedServer, credentials: dict[str, str]) -> None:
    token = (await exchange(api, credentials)).json()["accessToken"]
    api.set_credentials(credentials["clientId"], "new")
    assert (await exchange(api, credentials)).status_code == 400
    assert (await exchange(api, credentials | {"secret": "new"})).status_code == 200
    assert await status(api, token) == 200, "what was given out stays good"


async def test_ready_tokens(api: SimulatedServer) -> None:
    api.switches.ready_tokens = {"pat_1"}
    assert await status(api, "pat_1") == 200
    api.switches.ready_tokens.clear()
    assert await status(api, "pat_1") == 401


def test_the_secret_is_marked() -> None:
    assert any(mark in SECRET for mark in MARKERS)
