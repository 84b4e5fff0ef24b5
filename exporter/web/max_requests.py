"""At most so many requests at a time; what is over that is refused at once."""

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

DEFAULT_MOST = 40
FREE = ("/-/healthy", "/-/ready")  # asked by what decides whether the exporter lives: answered in any crowd


class Admission:
    """Lets up to `most` requests through to `app` at a time; the rest gets status 503. 0: any number."""

    def __init__(self, app: ASGIApp, most: int = DEFAULT_MOST) -> None:
        self._app = app
        self._most = most
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] in FREE:
            await self._app(scope, receive, send)
            return
        if self._most and self._inside >= self._most:
            text = f"{self._most} requests are being answered already (--web.max-requests); try again later.\n"
            refusal = PlainTextResponse(text, status_code=503, headers={"Retry-After": "1"})
            await refusal(scope, receive, send)
            return
        self._inside += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside -= 1
