"""A crowd is limited in all and for each address; health is always answered."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web.disconnects import CancelOnDisconnect
from exporter.web.max_requests import TAKE_PLACE, WAITING, MaxRequests, refusal


class _Slow:
    """An application whose requests last until they may end, with a place (`/`) or before they take one (`/before`)."""

    def __init__(self) -> None:
        self.inside = asyncio.Semaphore(0)
        self.end = asyncio.Event()

    async def answer(self, request: Request) -> Response:
        if request.url.path == "/before":
            self.inside.release()
            await self.end.wait()
        until = asyncio.get_running_loop().time() + float(request.headers.get("wait", "60"))
        if not await request.scope[TAKE_PLACE](until):
            return refusal()
        self.inside.release()
        await self.end.wait()
        if request.url.path == "/broken":
            raise RuntimeError("broken")
        return PlainTextResponse("answered")

    async def healthy(self, request: Request) -> Response:
        return PlainTextResponse("healthy")

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/-/healthy", self.healthy),
                Route("/-/ready", self.healthy),
                Route("/{path:path}", self.answer),
            ]
        )


async def _ask(app: MaxRequests, path: str = "/", address: str = "10.0.0.1", wait: str = "60") -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://exporter") as client:
        return await client.get(path, headers={"wait": wait})


@contextlib.asynccontextmanager
async def _inside(slow: _Slow, app: MaxRequests, number: int, **how: str) -> AsyncIterator[None]:
    """Have so many requests inside until the block ends; then they must be answered."""
    asked = [asyncio.create_task(_ask(app, **how)) for _ in range(number)]
    for _ in range(number):
        await slow.inside.acquire()
    yield
    slow.end.set()
    assert [(await each).status_code for each in asked] == [200] * number


async def test_what_is_over_the_limit_waits_and_is_refused_in_time() -> None:
    slow = _Slow()
    app = MaxRequests(slow.app(), 4)
    async with _inside(slow, app, 2), _inside(slow, app, 2, address="10.0.0.2"):
        refused = await _ask(app, address="10.0.0.3", wait="0.01")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert "--web.max-requests" in refused.text
        for path in ("/-/healthy", "/-/ready"):
            assert (await _ask(app, path)).status_code == 200
        waiting = asyncio.create_task(_ask(app, address="10.0.0.3"))
    assert (await waiting).status_code == 200


async def test_one_address_gets_half_of_the_places() -> None:
    slow = _Slow()
    app = MaxRequests(slow.app(), 4)
    async with _inside(slow, app, 2):
        assert (await _ask(app, wait="0.01")).status_code == 503
        async with _inside(slow, app, 2, address="10.0.0.2"):
            pass


async def test_the_one_place_is_for_everybody() -> None:
    slow = _Slow()
    slow.end.set()
    app = MaxRequests(slow.app(), 1)
    assert (await _ask(app)).status_code == (await _ask(app, address="10.0.0.2")).status_code == 200


async def test_requests_that_wait_for_something_else_hold_no_place_and_are_limited_too() -> None:
    slow = _Slow()
    app = MaxRequests(slow.app(), 2)
    async with _inside(slow, app, WAITING, path="/before"):
        assert (await _ask(app)).status_code == 503
        async with _inside(slow, app, 1, address="10.0.0.2"):
            pass
    assert (await _ask(app)).status_code == 200


async def test_requests_that_fail_or_go_away_leave_their_place() -> None:
    slow = _Slow()
    app = MaxRequests(slow.app(), 1)
    gone = asyncio.create_task(_ask(app))
    await slow.inside.acquire()
    also_gone = asyncio.create_task(_ask(app))
    await asyncio.sleep(0)
    for task in (also_gone, gone):
        task.cancel()
        await asyncio.wait([task])
    slow.end.set()
    assert (await _ask(app, "/broken")).status_code == 500
    assert (await _ask(app)).status_code == 200
    assert not app._requests + app._places
    assert not app._waiting


async def test_a_client_that_disconnects_leaves_its_place() -> None:
    slow = _Slow()
    app = MaxRequests(slow.app(), 1)
    gone = asyncio.Event()
    sent: list[object] = []

    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        for message in messages:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [],
        "query_string": b"",
        "client": ("10.0.0.1", 1),
    }
    request = asyncio.create_task(CancelOnDisconnect(app)(scope, receive, send))  # type: ignore[arg-type]
    await slow.inside.acquire()
    assert (await _ask(app, wait="0.01")).status_code == 503
    gone.set()
    await request
    slow.end.set()
    assert (await _ask(app)).status_code == 200
    assert sent == []


async def test_zero_is_no_limit() -> None:
    inside, end = asyncio.Semaphore(0), asyncio.Event()

    async def answer(request: Request) -> Response:
        assert TAKE_PLACE not in request.scope
        inside.release()
        await end.wait()
        return PlainTextResponse("answered")

    app = MaxRequests(Starlette(routes=[Route("/", answer)]), 0)
    asked = [asyncio.create_task(_ask(app)) for _ in range(100)]
    for _ in range(100):
        await inside.acquire()
    end.set()
    assert {(await each).status_code for each in asked} == {200}
