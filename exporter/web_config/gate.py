"""Applies the rate limit and authentication to every request, and the configured headers to every response."""

import math
import time
from collections.abc import Callable, Iterable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web_config.passwords import Busy, Login, Passwords
from exporter.web_config.types import RateLimit, WebConfig
from exporter.web_config.web_file import WebFile

_SAFE = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="flatfile-exporter", charset="UTF-8"'}
_BEHIND = 1  # seconds after which to come again when logins wait in line


class TokenBucket:
    """Holds up to `burst` tokens; one more comes each `interval`."""

    def __init__(self, limit: RateLimit, now: float) -> None:
        self.limit = limit
        self._tokens = float(limit.burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take one if there is one. `now` in seconds, never going back."""
        self._tokens = min(float(self.limit.burst), self._tokens + (now - self._at) / self.limit.interval)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Gate:
    """Passes a request on to `app` if the current web configuration allows it; otherwise answers it."""

    def __init__(
        self,
        app: ASGIApp,
        file: WebFile,
        passwords: Passwords | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._file = file
        self._passwords = passwords or Passwords()
        self._monotonic = monotonic
        self._bucket: TokenBucket | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":  # no request of anybody's
            await self._app(scope, receive, send)
            return
        rules = self._file.rules()
        if rules is None:
            refusal = _refusal(500, "Internal Server Error: the web configuration cannot be used, as the log says.")
            await refusal(scope, receive, send)
            return
        answer = await self._refusal(rules, scope) or self._app
        await answer(scope, receive, replace_headers(rules.headers, send) if rules.headers else send)

    async def _refusal(self, rules: WebConfig, scope: Scope) -> ASGIApp | None:
        """Return the refusal of a request, None if it is allowed."""
        limit = rules.rate_limit
        if limit is not None and not self._take(limit):
            return _refusal(429, "Too Many Requests", {"Retry-After": str(math.ceil(limit.interval))})
        if not rules.users:
            return None
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        login = Login.of_header(given[0]) if len(given) == 1 else None
        try:
            if login is not None and await self._passwords.right(login, rules.users, rules.fake_hash, _client(scope)):
                return None
        except Busy:
            return _refusal(503, "Service Unavailable: too many logins to check", {"Retry-After": str(_BEHIND)})
        return _refusal(401, "Unauthorized", _CHALLENGE)

    def _take(self, limit: RateLimit) -> bool:
        now = self._monotonic()
        if self._bucket is None or self._bucket.limit != limit:
            self._bucket = TokenBucket(limit, now)
        return self._bucket.take(now)


def _refusal(status: int, text: str, headers: dict[str, str] | None = None) -> ASGIApp:
    return PlainTextResponse(text + "\n", status_code=status, headers=_SAFE | (headers or {}))


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def replace_headers(headers: Iterable[tuple[str, str]], send: Send) -> Send:
    """Send responses with these headers, instead of any of the same names."""
    added = [(name.lower().encode(), value.encode()) for name, value in headers]
    names = {name for name, _ in added}

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*(one for one in message.get("headers", ()) if one[0].lower() not in names), *added]
        await send(message)

    return with_headers
