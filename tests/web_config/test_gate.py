"""What stands before every path: 500, 429, 401 and 503, in this order, and the headers of every answer."""

import asyncio
import base64
import threading
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from exporter.web_config import Gate, WebFile
from exporter.web_config.gate import TokenBucket
from exporter.web_config.passwords import MAX_WAITING_OF_ONE_ADDRESS, Passwords
from exporter.web_config.types import RateLimit

from .rig import PASSWORD, USER, users

HEADERS = "http_server_config: {headers: {X-Frame-Options: deny, Content-Security-Policy: default-src 'self'}}\n"
LIMIT = "rate_limit: {interval: 10s, burst: 2}\n"
PATHS = ["/", "/metrics", "/probe?target=a", "/sd", "/-/healthy", "/-/ready", "/-/reload", "/nothing", "//", "/%2e%2e/"]


async def inside(request: Request) -> Response:
    return PlainTextResponse("inside", headers={"Content-Security-Policy": "default-src 'none'", "Own": "1"})


class Behind:
    """An application behind a gate. `now` is the gate's clock."""

    def __init__(self, path: Path, text: str, passwords: Passwords | None = None) -> None:
        self.path = path / "web.yml"
        self.path.write_text(text, encoding="utf-8")
        self.now = 0.0
        app = Starlette(routes=[Route("/{path:path}", inside, methods=["GET", "POST", "PUT", "OPTIONS", "TRACE"])])
        gate = Gate(app, WebFile(self.path), passwords, lambda: self.now)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(gate), base_url="http://exporter")

    async def get(self, path: str = "/", user: str | None = None, password: str = PASSWORD) -> httpx.Response:
        return await self.client.get(path, auth=None if user is None else (user, password))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "JUNK"])
async def test_no_path_is_open(path: str, method: str, tmp_path: Path) -> None:
    behind = Behind(tmp_path, users())
    answer = await behind.client.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Own" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
async def test_every_path_opens_with_the_password(path: str, tmp_path: Path) -> None:
    answer = await Behind(tmp_path, users()).get(path, USER)
    assert (answer.status_code, answer.text) == (200, "inside")


@pytest.mark.parametrize(
    ("user", "password"),
    [(USER, "wrong"), (USER, ""), (USER, PASSWORD + "x"), ("", ""), ("nobody", PASSWORD), (USER, "x" * 73)],
)
async def test_wrong_logins(user: str, password: str, tmp_path: Path) -> None:
    answer = await Behind(tmp_path, users()).get("/", user, password)
    assert answer.status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", "Basic")],
        [("Authorization", "Basic ====")],
        [("Authorization", "Bearer x")],
        [("Authorization", "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())] * 2,
    ],
)
async def test_headers_that_are_no_login(headers: list[tuple[str, str]], tmp_path: Path) -> None:
    assert (await Behind(tmp_path, users()).client.get("/", headers=headers)).status_code == 401


async def test_users_change_with_the_file(tmp_path: Path) -> None:
    behind = Behind(tmp_path, users("old"))
    assert (await behind.get("/", "old")).status_code == 200
    behind.path.write_text(users("new"), encoding="utf-8")
    assert (await behind.get("/", "old")).status_code == 401
    assert (await behind.get("/", "new")).status_code == 200


async def test_headers_replace_those_of_the_same_name(tmp_path: Path) -> None:
    behind = Behind(tmp_path, HEADERS + users())
    for answer in (await behind.get("/", USER), await behind.get("/")):
        assert answer.headers.get_list("Content-Security-Policy") == ["default-src 'self'"]
        assert answer.headers.get_list("X-Frame-Options") == ["deny"]
    assert (await behind.get("/", USER)).headers["Own"] == "1"


async def test_the_applications_own_headers_stay(tmp_path: Path) -> None:
    answer = await Behind(tmp_path, users()).get("/", USER)
    assert answer.headers.get_list("Content-Security-Policy") == ["default-src 'none'"]


async def test_the_rate_limit_comes_before_the_password(tmp_path: Path) -> None:
    checks: list[bytes] = []

    def check(password: bytes, hashed: bytes) -> bool:
        checks.append(password)
        return False

    behind = Behind(tmp_path, LIMIT + users() + HEADERS, Passwords(check))
    statuses = [(await behind.get("/", USER, str(number))).status_code for number in range(4)]
    assert statuses == [401, 401, 429, 429]
    assert len(checks) == 2
    answer = await behind.get("/", USER)
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["X-Frame-Options"] == "deny"
    behind.now = 10.0
    assert [(await behind.get("/")).status_code for _ in range(2)] == [401, 429]


async def test_the_rate_limit_changes_with_the_file(tmp_path: Path) -> None:
    behind = Behind(tmp_path, LIMIT)
    assert [(await behind.get()).status_code for _ in range(3)] == [200, 200, 429]
    behind.path.write_text(LIMIT.replace("2", "3"), encoding="utf-8")
    assert [(await behind.get()).status_code for _ in range(4)] == [200, 200, 200, 429]
    behind.path.write_text("rate_limit: {interval: 0s, burst: 1}\n", encoding="utf-8")
    assert [(await behind.get()).status_code for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("text", ["", "{}\n", "basic_auth_users: {}\n", "basic_auth_users: {a: b}\n", "[\n", None])
async def test_a_file_that_went_wrong_opens_nothing(text: str | None, tmp_path: Path) -> None:
    behind = Behind(tmp_path, users())
    assert (await behind.get("/", USER)).status_code == 200
    if text is None:
        behind.path.unlink()
    else:
        behind.path.write_text(text, encoding="utf-8")
    for user in (None, USER):
        answer = await behind.get("/-/healthy", user)
        assert answer.status_code == 500
        assert "web.yml" not in answer.text
        assert "Own" not in answer.headers
    behind.path.write_text(users(), encoding="utf-8")
    assert (await behind.get("/", USER)).status_code == 200


async def test_too_many_logins_in_line(tmp_path: Path) -> None:
    going_on = threading.Event()

    def check(password: bytes, hashed: bytes) -> bool:
        going_on.wait(60)
        return False

    behind = Behind(tmp_path, users(), Passwords(check, late=0))
    number_of_logins = MAX_WAITING_OF_ONE_ADDRESS + 2  # one of them is being checked
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(behind.get("/", USER, str(number))) for number in range(number_of_logins)]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for answer in (task.result() for task in done):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        going_on.set()
    statuses = [task.result().status_code for task in waiting]
    assert set(statuses) == {401, 503}
    assert statuses.count(503) <= 2


@given(
    st.integers(1, 20),
    st.floats(0.001, 100),
    st.lists(st.floats(0, 200), max_size=60),
)
def test_never_more_than_burst_and_rate(burst: int, interval: float, pauses: list[float]) -> None:
    bucket = TokenBucket(RateLimit(interval, burst), 0.0)
    now, taken = 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
        assert taken <= burst + now / interval + 1e-6


def test_after_an_interval_there_is_one_more() -> None:
    bucket = TokenBucket(RateLimit(2.0, 3), 0.0)
    assert [bucket.take(0.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(1.9), bucket.take(2.0), bucket.take(2.0)] == [False, True, False]
    assert [bucket.take(100.0) for _ in range(4)] == [True, True, True, False]
