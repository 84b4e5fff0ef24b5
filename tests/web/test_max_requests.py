"""A crowd gets status 503 at once, health does not."""

import asyncio

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web.max_requests import Admission


class _Slow:
    """An application whose requests last until they are let go."""

    def __init__(self) -> None:
        self.inside = asyncio.Semaphore(0)
        self.let_go = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        self.inside.release()
        await self.let_go.wait()
        if request.url.path == "/broken":
            raise RuntimeError("broken")
        return PlainTextResponse("answered")

    async def healthy(self, request: Request) -> Response:
        return PlainTextResponse("healthy")

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/metrics", self.answer),
                Route("/broken", self.answer),
                Route("/-/healthy", self.healthy),
                Route("/-/ready", self.healthy),
            ]
        )


async def _ask(app: Admission, path: str = "/metrics") -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        return await client.get(path)


async def test_what_is_over_the_limit_is_refused_while_the_rest_is_answered() -> None:
    slow = _Slow()
    app = Admission(slow.app(), 3)
    asked = [asyncio.create_task(_ask(app)) for _ in range(3)]
    for _ in range(3):
        await slow.inside.acquire()
    refused = await _ask(app)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "--web.max-requests" in refused.text
    for path in ("/-/healthy", "/-/ready"):
        assert (await _ask(app, path)).status_code == 200
    slow.let_go.set()
    assert [(await each).status_code for each in asked] == [200] * 3
    assert (await _ask(app)).status_code == 200


async def test_requests_that_fail_or_go_away_leave_their_place() -> None:
    slow = _Slow()
    app = Admission(slow.app(), 1)
    gone = asyncio.create_task(_ask(app))
    await slow.inside.acquire()
    gone.cancel()
    await asyncio.wait([gone])
    slow.let_go.set()
    assert (await _ask(app, "/broken")).status_code == 500
    assert (await _ask(app)).status_code == 200


async def test_zero_is_no_limit() -> None:
    slow = _Slow()
    app = Admission(slow.app(), 0)
    asked = [asyncio.create_task(_ask(app)) for _ in range(100)]
    for _ in range(100):
        await slow.inside.acquire()
    slow.let_go.set()
    assert {(await each).status_code for each in asked} == {200}
