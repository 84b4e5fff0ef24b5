"""Tokens: both shapes of the answer, renewal in time, one exchange for all, and no hammering. Time is virtual."""

import asyncio
import base64
import json
import logging
import os
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.secret import Secret
from exporter.flatfile.auth import (
    MAX_LIFE,
    MIN_LIFE,
    ExchangedToken,
    ReadyToken,
    Stored,
    credentials,
    lifetime,
)
from exporter.flatfile.decoding import decode
from exporter.flatfile.errors import Timeout, Unauthorized
from exporter.flatfile.models import AccessToken
from exporter.flatfile.times import iso
from tests.flatfile.rig import EPOCH, assert_clean, clock, file_of, stored, virtually

DAY = 86400.0


def jwt(claims: Any, *, parts: int = 3) -> str:
    middle = base64.urlsafe_b64encode(claims if isinstance(claims, bytes) else json.dumps(claims).encode())
    return ".".join(["eyJhbGciOiJIUzI1NiJ9", middle.decode().rstrip("="), "sig"][:parts])


# How long a token lives

IN_AN_HOUR = iso(EPOCH + 3600)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        ({"expires": IN_AN_HOUR}, 3600),
        ({"expires": IN_AN_HOUR, "expires_in": "60"}, 3600),
        ({"expires": iso(EPOCH - 3600), "expires_in": "7200"}, 7200),
        ({"expires": "tomorrow", "expires_in": "7200"}, 7200),
        ({"expires": 1763632500000, "expires_in": "7200"}, 3600),
        ({"expires": formatdate(EPOCH + 7200, usegmt=True)}, 7200),
        ({"expires": "Thu, 99 Nov 2025 99:99:99 GMT", "expires_in": 60}, 60),
        ({"expires": None, "expires_in": 7200}, 7200),
        ({"expires_in": 7200.5}, 7200.5),
        ({"expires_in": " 7200 "}, 7200),
        ({"expires_in": "soon"}, DAY),
        ({"expires_in": "nan"}, DAY),
        ({"expires_in": "inf"}, DAY),
        ({"expires_in": "0"}, DAY),
        ({"expires_in": -5}, DAY),
        ({"expires_in": True}, DAY),
        ({"expires_in": {"seconds": 5}}, DAY),
        ({"expires_in": 10**400}, DAY),
        ({"expires_in": "604800"}, DAY),
        ({"expires": iso(EPOCH + 7 * DAY)}, DAY),
        ({"expires": iso(EPOCH + 1)}, MIN_LIFE),
        ({"expires_in": "1"}, MIN_LIFE),
        ({"access_token": jwt({"exp": EPOCH + 1800})}, 1800),
        ({"access_token": jwt({"exp": str(EPOCH + 1800)})}, 1800),
        ({"access_token": jwt({"exp": EPOCH - 1800})}, DAY),
        ({"access_token": jwt({"exp": 10**400})}, DAY),
        ({"access_token": jwt({"exp": [1]})}, DAY),
        ({"access_token": jwt({})}, DAY),
        ({"access_token": jwt([1])}, DAY),
        ({"access_token": jwt(b"\xff\xfe")}, DAY),
        ({"access_token": jwt(b"[" * 100_000)}, DAY),
        ({"access_token": jwt({"exp": EPOCH + 1800}, parts=2)}, DAY),
        ({"access_token": "a.ü.c"}, DAY),
        ({"access_token": "pat_opaque"}, DAY),
        ({}, DAY),
    ],
)
def test_lifetime(answer: dict[str, Any], seconds: float) -> None:
    assert lifetime(AccessToken(**answer), EPOCH) == pytest.approx(seconds)


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)


@given(anything, anything | st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat), st.none() | st.text())
def test_no_answer_is_too_strange(expires_in: Any, expires: Any, token: str | None) -> None:
    body = msgspec.json.encode({"accessToken": token, "expiresIn": expires_in, "expires": expires})
    life = lifetime(decode(AccessToken, body), EPOCH)
    assert MIN_LIFE <= life <= MAX_LIFE


# What is sent


def test_credentials() -> None:
    body = credentials(Secret("id"), Secret('s"e'), typed=False)
    assert json.loads(body.reveal()) == {"clientId": "id", "secret": 's"e'}
    body = credentials(Secret("id"), Secret("s"), typed=True)
    assert json.loads(body.reveal()) == {"type": "apiCredentials", "clientId": "id", "secret": "s"}


def test_credentials_that_no_json_can_hold() -> None:
    secret = Secret("".join(("SECRET", "-\udcff")))
    with pytest.raises(Unauthorized, match="cannot be sent") as caught:
        credentials(Secret("id"), secret, typed=False)
    assert_clean(caught.value)


# Exchange and renewal


class Exchange:
    """A server that takes a second for each exchange; `outcome` gives a lifetime, or raises."""

    def __init__(self, outcome: Callable[[int], float] = lambda number: DAY) -> None:
        self.outcome = outcome
        self.at: list[float] = []
        self.pairs: list[tuple[str, str]] = []

    async def __call__(self, client_id: Secret, secret: Secret) -> tuple[Secret, float]:
        loop = asyncio.get_running_loop()
        number = len(self.at) + 1
        self.at.append(loop.time() - 1000.0)
        self.pairs.append((client_id.reveal(), secret.reveal()))
        await asyncio.sleep(1)
        return Secret(f"token-{number}"), self.outcome(number)


def exchanged(exchange: Exchange, client_id: Stored | None = None, secret: Stored | None = None) -> ExchangedToken:
    return ExchangedToken(client_id or stored("id"), secret or stored("s"), exchange, clock())


def refused(number: int) -> float:
    raise Unauthorized("the credentials were refused with status 400", endpoint="/auth", status=400)


def test_twenty_callers_share_one_exchange() -> None:
    async def main() -> None:
        exchange = Exchange()
        bearer = exchanged(exchange)
        tokens = await asyncio.gather(*(bearer.get() for _ in range(20)))
        assert {token.reveal() for token in tokens} == {"token-1"}
        assert len(exchange.at) == 1
        assert bearer.expiry == pytest.approx(EPOCH + 1 + DAY)

    virtually(main())


def test_renewal_at_four_fifths_while_the_old_one_serves() -> None:
    async def main() -> None:
        exchange = Exchange(lambda number: 1000.0)
        bearer = exchanged(exchange)
        seen: dict[float, str] = {}
        for second in range(0, 2000, 5):
            asked = asyncio.get_running_loop().time()
            seen[second] = (await bearer.get()).reveal()
            waited = asyncio.get_running_loop().time() - asked
            assert waited == (1 if second == 0 else 0), "nobody waits for a renewal"
            await asyncio.sleep(5 - waited)
        assert exchange.at == [0, 805, 1610]  # a call comes each 5 s
        assert seen[805] == "token-1"
        assert seen[810] == "token-2"

    virtually(main())


def test_nothing_is_renewed_while_nobody_asks() -> None:
    async def main() -> None:
        exchange = Exchange(lambda number: 1000.0)
        bearer = exchanged(exchange)
        await bearer.get()
        await asyncio.sleep(100_000)
        assert exchange.at == [0]
        assert (await bearer.get()).reveal() == "token-2"

    virtually(main())


def test_a_renewal_that_fails_waits_and_hurts_nobody(caplog: pytest.LogCaptureFixture) -> None:
    def outcome(number: int) -> float:
        if number > 1:
            raise Timeout("no complete answer", endpoint="/auth")
        return 1000.0

    async def main() -> None:
        exchange = Exchange(outcome)
        bearer = exchanged(exchange)
        for _ in range(1000):
            assert (await bearer.get()).reveal() == "token-1"
            await asyncio.sleep(1 if asyncio.get_running_loop().time() < 1999 else 0.001)
        assert exchange.at[1] == pytest.approx(801, abs=1)
        gaps = [later - earlier for earlier, later in zip(exchange.at[1:], exchange.at[2:], strict=False)]
        assert all(gap >= 8 for gap in gaps)
        assert gaps == sorted(gaps)
        await asyncio.sleep(10)
        with pytest.raises(Timeout):
            await bearer.get()

    with caplog.at_level(logging.WARNING):
        virtually(main())
    assert {record.message for record in caplog.records} == {"cannot renew the access token yet"}


def test_wrong_credentials_back_off_from_ten_seconds_to_five_minutes() -> None:
    async def main() -> None:
        exchange = Exchange(refused)
        bearer = exchanged(exchange)
        for _ in range(3600):
            with pytest.raises(Unauthorized, match="refused with status 400") as caught:
                await bearer.get()
            assert (caught.value.endpoint, caught.value.status) == ("/auth", 400)
            await asyncio.sleep(1)
        gaps = [later - earlier for earlier, later in zip(exchange.at, exchange.at[1:], strict=False)]
        for gap, full in zip(gaps, [10, 20, 40, 80, 160, *[300] * 20], strict=False):
            assert 0.8 * full <= gap <= full + 3
        assert len(exchange.at) < 20

    virtually(main())


def test_the_refusal_of_one_is_not_the_error_of_another() -> None:
    async def main() -> None:
        bearer = exchanged(Exchange(refused))
        with pytest.raises(Unauthorized):
            await bearer.get()
        errors = await asyncio.gather(bearer.get(), bearer.get(), return_exceptions=True)
        assert errors[0] is not errors[1]

    virtually(main())


def test_a_failure_other_than_a_refusal_keeps_nobody_from_trying() -> None:
    def outcome(number: int) -> float:
        if number == 1:
            raise Timeout("no complete answer", endpoint="/auth")
        return DAY

    async def main() -> None:
        bearer = exchanged(Exchange(outcome))
        with pytest.raises(Timeout):
            await bearer.get()
        assert (await bearer.get()).reveal() == "token-2"

    virtually(main())


def test_a_token_that_is_refused_is_replaced_once_for_all() -> None:
    async def main() -> None:
        exchange = Exchange()
        bearer = exchanged(exchange)
        old = await bearer.get()
        new = await asyncio.gather(*(bearer.replace(old) for _ in range(20)))
        late = await bearer.replace(old)
        assert {token.reveal() for token in (*new, late)} == {"token-2"}
        assert len(exchange.at) == 2

    virtually(main())


def test_who_goes_away_takes_the_exchange_from_nobody() -> None:
    async def main() -> None:
        exchange = Exchange()
        bearer = exchanged(exchange)
        first, second = asyncio.create_task(bearer.get()), asyncio.create_task(bearer.get())
        await asyncio.sleep(0.5)
        first.cancel()
        assert (await second).reveal() == "token-1"
        assert len(exchange.at) == 1

    virtually(main())


def test_closing_ends_an_exchange_under_way() -> None:
    async def main() -> None:
        bearer = exchanged(Exchange())
        waiting = asyncio.create_task(bearer.get())
        await asyncio.sleep(0.5)
        await bearer.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await exchanged(Exchange()).aclose()

    virtually(main())


# Files


def in_file(path: Path, text: str) -> Stored:
    path.write_text(text)
    return file_of(path)


def test_files_are_read_at_each_exchange(tmp_path: Path) -> None:
    async def main() -> None:
        exchange = Exchange(lambda number: 1000.0)
        secret = in_file(tmp_path / "secret", "old\n")
        bearer = exchanged(exchange, in_file(tmp_path / "id", "id\r\n"), secret)
        token = await bearer.get()
        in_file(tmp_path / "secret", "new")
        assert await bearer.is_rotated()
        await bearer.get()
        await bearer.replace(token)
        assert exchange.pairs == [("id", "old"), ("id", "new")]
        assert not await bearer.is_rotated()

    virtually(main())


@pytest.mark.parametrize("renewal", [False, True])
def test_a_rotated_file_cuts_the_back_off_short(tmp_path: Path, renewal: bool) -> None:
    def outcome(number: int) -> float:
        if (tmp_path / "secret").read_text() == "wrong":
            refused(number)
        return 1000.0

    async def main() -> None:
        loop = asyncio.get_running_loop()
        exchange = Exchange(outcome)
        bearer = exchanged(exchange, None, in_file(tmp_path / "secret", "right" if renewal else "wrong"))
        if renewal:
            await bearer.get()
            await asyncio.sleep(850)
            in_file(tmp_path / "secret", "wrong")
            assert (await bearer.get()).reveal() == "token-1"
            await asyncio.sleep(2)
        else:
            with pytest.raises(Unauthorized):
                await bearer.get()
        number = len(exchange.at)
        for wait in (0.1, 0.1):
            await asyncio.sleep(wait)
            if not renewal:
                with pytest.raises(Unauthorized):
                    await bearer.get()
            else:
                await bearer.get()
        assert len(exchange.at) == number
        in_file(tmp_path / "secret", "changed")
        at = loop.time() - 1000.0
        await bearer.get()
        await asyncio.sleep(2)
        assert exchange.at[number:] == [pytest.approx(at)]
        assert (await bearer.get()).reveal() == f"token-{number + 1}"

    virtually(main())


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (None, "cannot read .*secret: No such file"),
        (b"", "must not be empty"),
        (b"\n", "must not be empty"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x\n\n", "one line"),
        (b"x ", "end with a space"),
        (b'"x"\n', "must not be in quotes"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: bytes | None, match: str) -> None:
    async def main() -> None:
        path = tmp_path / "secret"
        if content is not None:
            path.write_bytes(content)
        exchange = Exchange()
        bearer = exchanged(exchange, None, file_of(path))
        with pytest.raises(Unauthorized, match=match):
            await bearer.get()
        with pytest.raises(Unauthorized, match=match):
            await ReadyToken(file_of(path)).get()
        assert exchange.at == []
        path.write_text("there now")
        assert (await bearer.get()).reveal() == "token-1"

    virtually(main())


async def test_what_is_no_regular_file_is_no_secret(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(Unauthorized, match="Is a directory"):
        await Stored(None, tmp_path).read()
    with pytest.raises(Unauthorized, match="it is a FIFO, not a regular file"):
        await Stored(None, tmp_path / "fifo").read()
    with pytest.raises(Unauthorized, match="it is a device, not a regular file"):
        await Stored(None, Path("/dev/zero")).read()
    with pytest.raises(Unauthorized, match="no secret is configured"):
        await Stored(None, None).read()


# Ready tokens


async def test_a_ready_token() -> None:
    bearer = ReadyToken(stored("pat"))
    assert (await bearer.get()).reveal() == "pat"
    assert bearer.expiry is None
    assert not await bearer.is_rotated()
    with pytest.raises(Unauthorized, match="refused") as caught:
        await bearer.replace(await bearer.get())
    assert caught.value.status == 401
    await bearer.aclose()


async def test_a_ready_token_that_is_rotated(tmp_path: Path) -> None:
    bearer = ReadyToken(in_file(tmp_path / "pat", "old"))
    old = await bearer.get()
    in_file(tmp_path / "pat", "new")
    assert (await bearer.get()).reveal() == "old"
    assert await bearer.is_rotated()
    assert (await bearer.replace(old)).reveal() == "new"
    assert (await bearer.replace(old)).reveal() == "new"
    (tmp_path / "pat").unlink()
    assert not await bearer.is_rotated()
    with pytest.raises(Unauthorized, match="cannot read"):
        await bearer.replace(await bearer.get())


def test_nothing_shows_a_token() -> None:
    async def main() -> None:
        bearer = exchanged(Exchange(), None, stored("SECRET-value"))
        await bearer.get()
        assert "token-1" not in repr(vars(bearer))
        assert "SECRET-" not in repr(vars(bearer))
        assert "SECRET-" not in repr(AccessToken(access_token="SECRET-x", data=AccessToken(access_token="SECRET-y")))

    virtually(main())
