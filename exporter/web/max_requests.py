"""Limits how many requests are answered at the same time, in all and for one address."""

import asyncio
from collections import Counter, deque
from functools import partial

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

DEFAULT_MAX_REQUESTS = 40
EXEMPT = ("/-/healthy", "/-/ready")  # liveness and readiness checks are always answered
WAITING = 8  # requests that may be under way for each place

TAKE_PLACE = "flatfile_exporter.take_place"
"""Key of the scope: `await take_place(until)` waits for a place until a loop time, and returns whether there is one."""

_Turn = tuple[str, asyncio.Future[None]]


class MaxRequests:
    """Lets up to `limit` responses be made and sent at a time, up to half of them for one address. 0: no limit.

    The application takes the place. Before that a request may wait, for a refresh for example, which costs little: up to
    eight times as many requests wait, half of them from one address. The others get status 503.
    """

    def __init__(self, app: ASGIApp, limit: int = DEFAULT_MAX_REQUESTS) -> None:
        self._app = app
        self._limit = limit
        self._requests: Counter[str] = Counter()  # by address
        self._places: Counter[str] = Counter()
        self._waiting: deque[_Turn] = deque()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].endswith(EXEMPT) or not self._limit:
            await self._app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        limit = self._limit * WAITING
        if self._requests.total() >= limit or self._requests[address] >= limit // 2:
            await refusal()(scope, receive, send)
            return
        self._requests[address] += 1
        turn = (address, asyncio.get_running_loop().create_future())
        scope[TAKE_PLACE] = partial(self._take_place, turn)
        try:
            await self._app(scope, receive, send)
        finally:
            self._requests -= Counter((address,))  # forgets an address that has none left
            if turn[1].done():
                self._places -= Counter((address,))
                self._serve()

    async def _take_place(self, turn: _Turn, until: float) -> bool:
        self._waiting.append(turn)
        self._serve()
        try:
            if not turn[1].done():
                await asyncio.wait([turn[1]], timeout=until - asyncio.get_running_loop().time())
        finally:
            if not turn[1].done():
                self._waiting.remove(turn)
        return turn[1].done()

    def _serve(self) -> None:
        """Give free places to those that wait, first come, first served."""
        waiting = [*self._waiting]
        self._waiting.clear()
        for address, turn in waiting:
            if self._places.total() < self._limit and self._places[address] < (self._limit + 1) // 2:
                self._places[address] += 1
                turn.set_result(None)
            else:
                self._waiting.append((address, turn))


def refusal() -> PlainTextResponse:
    """Return the response to a request that got no place."""
    text = "Too many requests at the same time (--web.max-requests); try again later.\n"
    return PlainTextResponse(text, status_code=503, headers={"Retry-After": "1"})
