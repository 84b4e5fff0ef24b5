"""One account's session with the API: bearer, retries, rate, size cap. It can only read (`endpoints`)."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.core.clock import Clock
from exporter.core.secret import Secret
from exporter.flatfile.address import Address
from exporter.flatfile.auth import Bearer, ExchangedToken, ReadyToken, Stored, credentials
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.decoding import read
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import (
    BadResponse,
    ConnectionFailed,
    FlatfileError,
    RateLimited,
    ServerError,
    Timeout,
    Unauthorized,
)
from exporter.flatfile.limits import Limiter
from exporter.flatfile.models import AccessToken
from exporter.flatfile.server_time import ServerTime
from exporter.flatfile.statuses import failure, http_date, pause
from exporter.flatfile.trace import Sent, Spent, Trace
from exporter.flatfile.transport import Answer, Transport

BACKGROUND_PATIENCE = 60.0  # seconds that work which no scrape waits for sits out a pause
MAX_RETRY_WAIT = 4.0  # seconds: a wait of our own choosing is never longer, and may go past a scrape's deadline
INCURABLE = 300.0  # seconds without another token for an endpoint that refused a new one


class Observer(Protocol):
    """Told of each request, for metrics."""

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        """`code` is the status, or `error` where none came."""

    def retry(self, endpoint: str) -> None:
        """A request is about to be sent once more after a failure."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost: seconds for each try, tries, bytes of the answer."""

    timeout: float
    retries: int
    max_response_bytes: int


@dataclass(frozen=True, slots=True)
class Call:
    """For whom a request is made: the deadline of the scrape behind it; `background` work goes last.

    `detach` tells that the rest will take many scrapes, so that none waits for it. `trace` is told of each request.
    """

    deadline: Deadline
    background: bool = False
    detach: Callable[[], None] = lambda: None
    trace: Trace = field(default_factory=Trace)

    def patience(self) -> float:
        """How long to sit out a pause that the server asked for."""
        return BACKGROUND_PATIENCE if self.background else max(self.deadline.left(), 1.0)


class Session:
    """Asks Flatfile on behalf of one account. Every method raises FlatfileError and nothing else.

    `account` is its name, for the log alone.
    """

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        limiter: Limiter,
        limits: Limits,
        observer: Observer,
        clock: Clock,
        *,
        retry_base: float = 0.25,
        account: str | None = None,
    ) -> None:
        self._address = Address(base_url)
        self._transport = transport
        self._limiter = limiter
        self._limits = limits
        self._observer = observer
        self._clock = clock
        self._retry_base = retry_base
        self._account = account
        self.exchanged = Trace()  # the requests of the last exchange of credentials
        self._bearer: Bearer | None = None
        self._typed_first = False
        self._server_time = ServerTime(clock.wall)
        self._incurable: dict[
            Endpoint, tuple[Secret, float]
        ] = {}  # a new token that was refused, and until when it counts

    def use_credentials(self, client_id: Stored, secret: Stored) -> None:
        """Get tokens for these."""
        clock = Clock(wall=lambda: self.now, monotonic=self._clock.monotonic)
        self._bearer = ExchangedToken(client_id, secret, self._exchange, clock, account=self._account)

    def use_token(self, stored: Stored) -> None:
        """Use this token as it is."""
        self._bearer = ReadyToken(stored)

    @property
    def token_expiry(self) -> float | None:
        """When the token in use ends (unix seconds), where that is known."""
        return self._bearer.expiry if self._bearer else None

    @property
    def now(self) -> float:
        """Unix seconds by the server's clock, as its `Date` headers show it (to the second), else by our own."""
        return self._server_time.now

    async def aclose(self) -> None:
        """Close connections and end background work."""
        if self._bearer:
            await self._bearer.aclose()
        await self._transport.aclose()

    async def get(self, endpoint: Endpoint, params: Mapping[str, str], call: Call) -> Answer:
        """Send a request, with as many tries as it takes and may take, and return the answer. Raises FlatfileError."""

        async def once(attempt: int) -> Answer:
            if self._bearer is None:
                raise Unauthorized("no credentials are configured", endpoint=str(endpoint))
            with call.trace.measure(Spent.BEARER):
                token = await self._bearer.get()
            answer = await self._send(endpoint, params, _checked(token), None, call, attempt)
            if answer.status == 401 and not await self._hopeless(self._bearer, token, endpoint):
                with call.trace.measure(Spent.BEARER):
                    token = await self._bearer.replace(token)
                answer = await self._send(endpoint, params, _checked(token), None, call, attempt)
                if answer.status == 401:  # a new token does not help here: no further one for a while
                    self._incurable[endpoint] = (token, self._clock.monotonic() + INCURABLE)
            return self._successful(answer, endpoint)

        return await self._retrying(endpoint, call, once)

    async def _hopeless(self, bearer: Bearer, refused: Secret, endpoint: Endpoint) -> bool:
        """Whether the endpoint refused just this token when it was new, a short while ago."""
        token, until = self._incurable.get(endpoint, (None, 0.0))
        return token == refused and self._clock.monotonic() < until and not await bearer.is_rotated()

    async def _exchange(self, client_id: Secret, secret: Secret) -> AccessToken:
        """`POST /auth`: without `type`, and once with it where the server answers 400; the form that worked comes first then."""
        loop = asyncio.get_running_loop()
        self.exchanged = Trace()
        call = Call(Deadline(loop.time() + self._limits.timeout, loop.time), trace=self.exchanged)

        async def once(typed: bool, attempt: int) -> Answer:
            body = credentials(client_id, secret, typed=typed)
            answer = await self._send(Endpoint.AUTH, {}, None, body, call, attempt)
            if 400 <= answer.status < 500 and answer.status not in (408, 429):
                raise Unauthorized(
                    f"the credentials were refused with status {answer.status}",
                    endpoint=str(Endpoint.AUTH),
                    status=answer.status,
                )
            return self._successful(answer, Endpoint.AUTH)

        typed = self._typed_first
        try:
            answer = await self._retrying(Endpoint.AUTH, call, lambda attempt: once(typed, attempt))
        except Unauthorized as refusal:
            if refusal.status != 400:
                raise
            try:
                answer = await self._retrying(Endpoint.AUTH, call, lambda attempt: once(not typed, attempt))
            except Unauthorized:
                raise refusal from None
            self._typed_first = not typed
        token = read(answer, AccessToken, Endpoint.AUTH)
        if not (token.access_token or (token.data and token.data.access_token)):
            raise BadResponse("an answer without an access token", endpoint=str(Endpoint.AUTH), status=answer.status)
        return token

    async def _retrying(self, endpoint: Endpoint, call: Call, once: Callable[[int], Awaitable[Answer]]) -> Answer:
        """The one place that tries again: after timeouts, broken connections, 408, 429 and 5xx.

        A wait that the server asks for is not longer than the caller's patience. A token that cannot be got is no reason to
        try again: the exchange has had tries of its own.
        """
        loop = asyncio.get_running_loop()
        attempt = 1
        while True:
            try:
                return await once(attempt)
            except FlatfileError as error:
                error.endpoint = error.endpoint or str(endpoint)
                if error.endpoint != str(endpoint):
                    raise
                error.attempt = attempt
                wait = random.uniform(0, min(MAX_RETRY_WAIT, self._retry_base * 2**attempt))  # noqa: S311
                if error.retry_at is not None:
                    wait = error.retry_at - loop.time()
                    if wait > call.patience():
                        raise
                passing = isinstance(error, (Timeout, ConnectionFailed, ServerError, RateLimited))
                if not passing or attempt >= self._limits.retries:
                    raise
            attempt += 1
            self._observer.retry(str(endpoint))
            with call.trace.measure(Spent.RETRY):
                await asyncio.sleep(max(wait, 0.0))

    async def _send(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        bearer: Secret | None,
        body: Secret | None,
        call: Call,
        attempt: int,
    ) -> Answer:
        """Send one request; while the API's path prefix is not known for sure, try the other one on the same host once."""
        base = self._address.base
        answer = await self._send_to(base, endpoint, params, bearer, body, call, attempt)
        other = self._address.instead(base, answer, self._clock.monotonic())
        if other is None:
            return answer
        second = await self._send_to(other, endpoint, params, bearer, body, call, attempt)
        return second if self._address.is_better(other, second, self._clock.monotonic()) else answer

    async def _send_to(
        self,
        base: str,
        endpoint: Endpoint,
        params: Mapping[str, str],
        bearer: Secret | None,
        body: Secret | None,
        call: Call,
        attempt: int,
    ) -> Answer:
        loop = asyncio.get_running_loop()
        called = loop.time()
        async with contextlib.AsyncExitStack() as stack:
            with call.trace.measure(Spent.LIMIT):
                await stack.enter_async_context(self._limiter.slot(call.patience, background=call.background))
            stack.enter_context(call.trace.measure(Spent.REQUEST))
            started, asked = loop.time(), self._clock.wall()

            def note(code: str, wire_bytes: int) -> None:
                seconds = loop.time() - started
                self._observer.request(str(endpoint), code, seconds, wire_bytes)
                call.trace.note(Sent(str(endpoint), code, attempt, seconds, wire_bytes, params, started - called))

            try:
                answer = await self._transport.send(
                    base,
                    endpoint,
                    params=params,
                    bearer=bearer,
                    body=body,
                    timeout=self._limits.timeout,
                    max_bytes=self._limits.max_response_bytes,
                )
            except FlatfileError as error:
                note("error" if error.status is None else str(error.status), 0)
                raise
        note(str(answer.status), answer.wire_bytes)
        date = http_date(answer.headers.get("date"))
        if date is not None and "age" not in answer.headers:  # a cache keeps the date of the answer that it kept
            self._server_time.note(date, asked, self._clock.wall())
        return answer

    def _successful(self, answer: Answer, endpoint: Endpoint) -> Answer:
        """Pass on a 2xx answer; raise what any other status means. A 429 pauses the whole account."""
        error = failure(answer, str(endpoint))
        if error is None:
            return answer
        wait = pause(answer, self.now)
        if wait is not None:
            error.retry_at = asyncio.get_running_loop().time() + wait
            if answer.status == 429:
                self._limiter.pause(error.retry_at)
        raise error


def _checked(token: Secret) -> Secret:
    if not _fits_a_header(token):
        raise Unauthorized("the access token holds characters that no header can carry")
    return token


def _fits_a_header(token: Secret) -> bool:
    text = token.reveal()
    return text.isascii() and text.isprintable() and " " not in text
