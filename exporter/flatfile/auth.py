"""Bearers: credentials exchanged for a token that is renewed in time, or a token that is used as it is."""

import asyncio
import base64
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from exporter.config.files import read_secret_file
from exporter.config.schema import Kind
from exporter.config.values import SECRET
from exporter.core.clock import Clock
from exporter.core.logs import fields
from exporter.core.secret import Secret
from exporter.flatfile import times
from exporter.flatfile.decoding import Undecodable, decode
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, Unauthorized
from exporter.flatfile.models import AccessToken, Model, Number

log = logging.getLogger(__name__)

MAX_LIFE = 24 * 3600.0  # of an administrator's token
MIN_LIFE = 10.0
RENEW_AT = 0.8  # of its life


@dataclass(frozen=True, slots=True)
class Stored:
    """A secret given in the configuration, or in a file that is read each time, so that it can be rotated."""

    value: Secret | None
    file: Path | None
    kind: Kind[Secret] = SECRET
    read_file: Callable[[Path, Kind[Secret]], Awaitable[Secret]] = read_secret_file

    async def read(self) -> Secret:
        """Return the secret as it is now. Raises Unauthorized where its file cannot be read or holds something else."""
        if self.value is not None:
            return self.value
        if self.file is None:
            raise Unauthorized("no secret is configured")
        try:
            return await self.read_file(self.file, self.kind)
        except OSError as error:
            why = f"cannot read {self.file}: {error.strerror}"
        except ValueError as error:
            why = f"the content of {self.file} {error}"
        raise Unauthorized(why)


class ReadyToken:
    """A token used as it is. Its file is read at the start and again when the token is refused."""

    expiry: float | None = None
    """When the token expires (unix seconds): not known."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._token: Secret | None = None

    async def get(self) -> Secret:
        """Return the token to use now. Raises FlatfileError."""
        if self._token is None:
            self._token = await self._stored.read()
        return self._token

    async def replace(self, refused: Secret) -> Secret:
        """Return another token than the one that was refused with 401. Raises FlatfileError where there is none."""
        if self._token is None or self._token == refused:
            self._token = await self._stored.read()
        if self._token == refused:
            raise Unauthorized("the access token was refused", status=401)
        return self._token

    async def is_rotated(self) -> bool:
        """Return whether what is stored is something else than what was used last."""
        try:
            return (await self._stored.read()) != self._token
        except Unauthorized:
            return False

    async def aclose(self) -> None:
        """Nothing runs."""


class ExchangedToken:
    """A token got for credentials: shared by all who ask at the same time, renewed at 80 % of its life.

    `exchange` returns a token and its life in seconds.
    Refused credentials are not tried again before a back-off of 10s to 5m has passed or a `*_file` holds something else.
    Its methods are those of ReadyToken. `clock` tells the time by the server's clock; `account` is for the log alone.
    """

    def __init__(
        self,
        client_id: Stored,
        secret: Stored,
        exchange: Callable[[Secret, Secret], Awaitable[tuple[Secret, float]]],
        clock: Clock,
        backoff: tuple[float, float] = (10.0, 300.0),
        account: str | None = None,
    ) -> None:
        self._client_id = client_id
        self._secret = secret
        self._exchange = exchange
        self._clock = clock
        self._backoff = backoff
        self._account = account
        self._token: Secret | None = None
        self._ends = 0.0  # monotonic
        self._renew_from = 0.0
        self.expiry: float | None = None  # unix seconds; None: there is no token yet
        self._task: asyncio.Task[Secret] | None = None
        self._failures = 0
        self._refusal: tuple[str, int | None] | None = None  # text and status
        self._tried: tuple[Secret, Secret] | None = None  # the credentials exchanged last, whatever came of it
        self._not_before = 0.0

    async def get(self) -> Secret:
        now = self._clock.monotonic()
        if self._token is not None and now < self._ends:
            if now >= self._renew_from and (now >= self._not_before or await self.is_rotated()):
                self._start()  # the old one serves until the new one is there
            return self._token
        return await self._join()

    async def replace(self, refused: Secret) -> Secret:
        if self._token is not None and self._token != refused:
            return self._token
        return await self._join()

    async def is_rotated(self) -> bool:
        try:
            return (await self._client_id.read(), await self._secret.read()) != self._tried
        except Unauthorized:
            return False

    async def _join(self) -> Secret:
        waiting = self._refusal is not None and self._clock.monotonic() < self._not_before
        if self._refusal is not None and waiting and self._task is None and not await self.is_rotated():
            text, status = self._refusal
            raise Unauthorized(text, endpoint=str(Endpoint.AUTH), status=status)
        return await asyncio.shield(self._start())

    def _start(self) -> asyncio.Task[Secret]:
        if self._task is None:
            self._task = asyncio.create_task(self._renew(), name="token exchange")
            self._task.add_done_callback(self._ended)
        return self._task

    def _ended(self, task: asyncio.Task[Secret]) -> None:
        self._task = None
        if task.cancelled() or (error := task.exception()) is None:
            return
        if self._token is not None and self._clock.monotonic() < self._ends:
            # nobody may be waiting for a renewal ahead of time
            reason = error.reason if isinstance(error, FlatfileError) else "internal"
            log.warning(
                "cannot renew the access token yet",
                extra=fields(account=self._account, endpoint=str(Endpoint.AUTH), reason=reason, error=error),
            )

    async def _renew(self) -> Secret:
        self._tried = None
        try:
            self._tried = pair = (await self._client_id.read(), await self._secret.read())
            token, life = await self._exchange(*pair)
        except FlatfileError as error:
            self._failures += 1
            # any failure of a renewal waits; only refused credentials keep others from trying
            self._not_before = self._clock.monotonic() + self._wait(self._failures)
            self._refusal = (str(error), error.status) if isinstance(error, Unauthorized) else None
            raise
        self._failures, self._refusal = 0, None
        now = self._clock.monotonic()
        self._token, self._ends, self._renew_from = token, now + life, now + life * RENEW_AT
        self.expiry = self._clock.wall() + life
        return token

    def _wait(self, times_in_a_row: int) -> float:
        least, most = self._backoff
        return float(min(most, least * 2 ** min(times_in_a_row - 1, 30)) * random.uniform(0.8, 1.0))  # noqa: S311

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])


Bearer = ReadyToken | ExchangedToken


class _Claims(Model, frozen=True):
    exp: Number = None


def credentials(client_id: Secret, secret: Secret, *, typed: bool) -> Secret:
    """Write the body of `POST /auth`, with or without the `type` that the SDKs send. Raises Unauthorized."""
    kind = {"type": "apiCredentials"} if typed else {}
    try:
        return Secret(msgspec.json.encode({**kind, "clientId": client_id.reveal(), "secret": secret.reveal()}).decode())
    except UnicodeEncodeError:
        pass  # its own text and frames hold the secret
    raise Unauthorized("the credentials hold characters that cannot be sent")


def lifetime(answer: AccessToken, now: float) -> float:
    """Seconds that a token lives: by `expires`, else `expiresIn`, else the token's own claim, else a day.

    A time that has passed already, or that is none, is not believed: the next source counts. Never more than a day; never
    less than MIN_LIFE, because a clock that is wrong must not make every request one for a token. `now`: unix seconds.
    """
    expires = times.unix(answer.expires)
    if expires is None and isinstance(answer.expires, str):
        expires = times.http_date(answer.expires)
    candidates = (
        _after(expires, now),
        _number(answer.expires_in),
        _after(_claimed_end(answer.access_token or ""), now),
    )
    life = next((life for life in candidates if life is not None and life > 0), MAX_LIFE)
    return min(max(life, MIN_LIFE), MAX_LIFE)


def _after(end: float | None, now: float) -> float | None:
    return None if end is None else end - now


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if number == number else None


def _claimed_end(token: str) -> float | None:
    """Read the `exp` claim where the token is a JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        return _number(decode(_Claims, claims).exp)
    except (ValueError, Undecodable):
        return None
