"""One account's session with the API: bearer, retries, rate, size cap. It can only read (`endpoints`)."""

import asyncio
import contextlib
import math
import random
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from exporter.config.types import RequestsConfig
from exporter.core.clock import Clock
from exporter.core.secret import Secret
from exporter.flatfile.acceptance import Acceptance
from exporter.flatfile.address import Address
from exporter.flatfile.auth import Bearer, ExchangedToken, ReadyToken, Stored, credentials, lifetime
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.decoding import read
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import (
    UNKNOWN_CREDENTIALS,
    BadResponse,
    ConnectionFailed,
    FlatfileError,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    Unauthorized,
)
from exporter.flatfile.limits import Limiter
from exporter.flatfile.models import AccessToken
from exporter.flatfile.server_time import ServerTime
from exporter.flatfile.statuses import failure, pause
from exporter.flatfile.times import http_date
from exporter.flatfile.trace import Sent, Spent, Trace
from exporter.flatfile.transport import Answer, Transport

MAX_BACKGROUND_PAUSE = 60.0  # seconds of a pause that background work waits for
MAX_RETRY_WAIT = 4.0  # seconds: a wait of our own choosing is never longer, and may go past a scrape's deadline
ANSWERING = 60.0  # seconds for which an endpoint is known to answer
MAX_TOKEN_BYTES = 1 << 20  # of an answer to `POST /auth`


class Observer(Protocol):
    """Receives each request, for metrics."""

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        """`code` is the status, or `error` where none came."""

    def retry(self, endpoint: str) -> None:
        """A request is about to be sent once more after a failure."""


@dataclass(frozen=True, slots=True)
class Call:
    """The purpose of a request: the deadline of the scrape behind it; `background` work goes last.

    `detach` is called when the rest will take many scrapes, so that none waits for it. `trace` receives each request.
    """

    deadline: Deadline
    background: bool = False
    detach: Callable[[], None] = lambda: None
    trace: Trace = field(default_factory=Trace)

    def detached(self) -> "Call":
        """Let no scrape wait for the rest from now on, and return the call for that, in the background."""
        self.detach()
        return replace(self, background=True)

    def max_pause(self) -> float:
        """Return for how many seconds of pause to wait, where the server asks for one."""
        return MAX_BACKGROUND_PAUSE if self.background else max(self.deadline.left(), 1.0)


@dataclass(frozen=True, slots=True)
class _Request:
    """A request, as `Transport.send` takes it."""

    endpoint: Endpoint
    params: Mapping[str, str]
    bearer: Secret | None = None
    body: Secret | None = None


class Session:
    """Sends one account's requests. Every method raises FlatfileError and nothing else.

    Of `limits`, those of one request are kept here. `account` is its name, for the log alone.
    """

    def __init__(
        self,
        base_url: str,
        transport: Transport,
        limiter: Limiter,
        limits: RequestsConfig,
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
        self.clock = clock
        self._retry_base = retry_base
        self._account = account
        self.exchanged = Trace()  # the requests of the last exchange of credentials
        self._bearer: Bearer | None = None
        self._typed_first = False
        self._server_time = ServerTime(clock.steady)
        self._acceptance = Acceptance(clock.monotonic)

    def use_credentials(self, client_id: Stored, secret: Stored) -> None:
        """Get tokens for these."""
        clock = Clock(wall=lambda: self.now, monotonic=self.clock.monotonic)
        self._bearer = ExchangedToken(client_id, secret, self._exchange, clock, account=self._account)

    def use_token(self, stored: Stored) -> None:
        self._bearer = ReadyToken(stored)

    @property
    def token_expiry(self) -> float | None:
        """When the token in use ends (unix seconds), where that is known."""
        return self._bearer.expiry if self._bearer else None

    @property
    def now(self) -> float:
        """Unix seconds by the server's clock, as its `Date` headers show it (to the second), else by our own.

        It does not follow our clock when that is set, nor a few headers that contradict the others.
        """
        return self._server_time.now

    @property
    def objects_now(self) -> float:
        """Unix seconds by the clock that the times of objects are of: the server's, unless its `Date` headers are wrong."""
        return self._server_time.objects_now

    def note_objects(self, times: Callable[[], Iterable[float]]) -> None:
        """Use the times of objects that have come just now to tell which clock is wrong, where two differ."""
        if self._server_time.differs:
            self._server_time.note_objects(max(times(), default=-math.inf))

    async def aclose(self) -> None:
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
            sent = self.clock.monotonic()
            answer = await self._send(_Request(endpoint, params, _checked(token)), call, attempt)
            if answer.status == 401:
                refused = self._acceptance.note_refused(endpoint, token)
                if self.clock.monotonic() >= refused.keep_until or await self._bearer.is_rotated():
                    try:
                        with call.trace.measure(Spent.BEARER):
                            token = await self._bearer.replace(token)
                    except Unauthorized:
                        if self._acceptance.is_accepted_elsewhere(refused):
                            raise _only_here(endpoint) from None
                        raise
                    sent = self.clock.monotonic()
                    answer = await self._send(_Request(endpoint, params, _checked(token)), call, attempt)
                    if answer.status == 401:
                        refused = self._acceptance.note_refused(endpoint, token, is_new=True)
                if answer.status == 401 and self._acceptance.is_accepted_elsewhere(refused):
                    raise _only_here(endpoint)
            result = self._successful(answer, endpoint)
            self._acceptance.note_answered(endpoint, token, sent)
            return result

        return await self._retrying(endpoint, call, once)

    def is_rejection(self, error: FlatfileError) -> bool:
        """Whether the server rejects this form of request, so that another one is worth a try.

        So does a 500, which some servers answer where a parameter is missing, while other endpoints answer.
        """
        if error.status == 500:
            return self._acceptance.answered_since(self.clock.monotonic() - ANSWERING, besides=error.endpoint)
        return error.is_request_rejected

    @property
    def is_token_accepted(self) -> bool:
        """Whether the API accepted the token when it last answered otherwise than by a limit on requests."""
        return self._acceptance.is_token_accepted

    async def _exchange(self, client_id: Secret, secret: Secret) -> tuple[Secret, float]:
        """Exchange credentials for a token. Return it, and the seconds that it lives.

        `POST /auth` without `type`, and once with it where the server answers 400; the form that worked comes first then.
        """
        loop = asyncio.get_running_loop()
        self.exchanged = Trace()
        call = Call(Deadline(loop.time() + self._limits.timeout, loop.time), trace=self.exchanged)

        async def once(typed: bool, attempt: int) -> Answer:
            body = credentials(client_id, secret, typed=typed)
            answer = await self._send(_Request(Endpoint.AUTH, {}, body=body), call, attempt)
            declared = answer.status == UNKNOWN_CREDENTIALS and answer.is_json
            lost = self._address.is_wrong(answer) and not declared
            passing = answer.status == 408 or isinstance(failure(answer, str(Endpoint.AUTH), self.now), RateLimited)
            if 400 <= answer.status < 500 and not lost and not passing:
                doubt = ", or base_url is wrong" if answer.status == UNKNOWN_CREDENTIALS else ""
                raise Unauthorized(
                    f"the credentials were refused with status {answer.status}{doubt}",
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
        inner = token if token.access_token else token.data or token
        if not inner.access_token:
            raise BadResponse("an answer without an access token", endpoint=str(Endpoint.AUTH), status=answer.status)
        given = http_date(answer.headers.get("date"))  # by the clock that `expires` was made with
        return Secret(inner.access_token), lifetime(inner, self.now if given is None else given)

    async def _retrying(self, endpoint: Endpoint, call: Call, once: Callable[[int], Awaitable[Answer]]) -> Answer:
        """The one place that tries again: after timeouts, broken connections, 408, 429 and 5xx.

        A wait that the server asks for is not longer than the call's `max_pause`. A token that cannot be got is no reason to
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
                    if wait > call.max_pause():
                        raise
                passing = isinstance(error, (Timeout, ConnectionFailed, ServerError, RateLimited))
                if not passing or attempt >= self._limits.retries:
                    raise
            attempt += 1
            self._observer.retry(str(endpoint))
            with call.trace.measure(Spent.RETRY):
                await asyncio.sleep(max(wait, 0.0))

    async def _send(self, request: _Request, call: Call, attempt: int) -> Answer:
        """Send one request; while the API's path prefix is not known for sure, try the other one on the same host once."""
        base = self._address.base
        answer = await self._send_to(base, request, call, attempt)
        other = self._address.alternative(base, answer, self.clock.monotonic())
        if other is None:
            return answer
        second = await self._send_to(other, request, call, attempt)
        return second if self._address.prefer(other, second, answer, self.clock.monotonic()) else answer

    async def _send_to(self, base: str, request: _Request, call: Call, attempt: int) -> Answer:
        endpoint, params = str(request.endpoint), request.params
        loop = asyncio.get_running_loop()
        called = loop.time()
        async with contextlib.AsyncExitStack() as stack:
            with call.trace.measure(Spent.LIMIT):
                await stack.enter_async_context(self._limiter.slot(call.max_pause, background=call.background))
            stack.enter_context(call.trace.measure(Spent.REQUEST))
            started, asked = loop.time(), self.clock.steady()

            def note(code: str, wire_bytes: int) -> None:
                seconds = loop.time() - started
                self._observer.request(endpoint, code, seconds, wire_bytes)
                call.trace.note(Sent(endpoint, code, attempt, seconds, wire_bytes, params, started - called))

            try:
                answer = await self._transport.send(
                    base,
                    request.endpoint,
                    params=params,
                    bearer=request.bearer,
                    body=request.body,
                    timeout=self._limits.timeout,
                    max_bytes=min(self._limits.max_response_bytes, MAX_TOKEN_BYTES if request.body else sys.maxsize),
                )
            except FlatfileError as error:
                note("error" if error.status is None else str(error.status), 0)
                raise
        note(str(answer.status), answer.wire_bytes)
        date = http_date(answer.headers.get("date"))
        if date is not None and "age" not in answer.headers:  # a cache keeps the date of the answer that it kept
            self._server_time.note(date, asked, self.clock.steady())
        return answer

    def _successful(self, answer: Answer, endpoint: Endpoint) -> Answer:
        """Return a 2xx answer; raise what any other status means. A rate limit pauses the whole account."""
        if self._address.is_wrong(answer):
            raise NotFound(
                f"this is not the API (status {answer.status}{', a web page' if answer.is_html else ''}): is base_url right?",
                endpoint=str(endpoint),
                status=answer.status,
            )
        error = failure(answer, str(endpoint), self.now)
        if error is None:
            return answer
        wait = pause(answer, self.now)
        if wait is not None:
            error.retry_at = asyncio.get_running_loop().time() + wait
            if isinstance(error, RateLimited):
                self._limiter.pause(error.retry_at)
        raise error


def _only_here(endpoint: Endpoint) -> Forbidden:
    return Forbidden("status 401, while other endpoints accept the token", endpoint=str(endpoint), status=401)


def _checked(token: Secret) -> Secret:
    text = token.reveal()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise Unauthorized("the access token holds characters that no header can carry")
    return token
