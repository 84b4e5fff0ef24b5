"""Stops answering a request when its client has disconnected."""

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ARRIVED = "flatfile_exporter.arrived"
"""Key of the scope: the loop time at which the request came."""


class CancelOnDisconnect:
    """Cancels the rest of the application when the client disconnects, so that a place it holds is free at once.

    The application does not see a request's body: no route has one.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope[ARRIVED] = asyncio.get_running_loop().time()
        answer = asyncio.ensure_future(self._app(scope, _no_body, send))
        gone = asyncio.ensure_future(_disconnected(receive))
        gone.add_done_callback(lambda _: answer.cancel())
        try:
            await asyncio.wait([answer])
        finally:
            gone.cancel()
            answer.cancel()
        if not answer.cancelled():
            answer.result()


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _disconnected(receive: Receive) -> None:
    """Wait until the client has disconnected. This is not noticed while it still sends a body, which is not read."""
    message = await receive()
    if message.get("more_body"):
        await asyncio.Event().wait()
    while message["type"] != "http.disconnect":
        message = await receive()
