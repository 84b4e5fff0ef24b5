"""A session's tries, pauses, tokens and clock. Answers come from a script, time is virtual."""

import asyncio
import json
from collections.abc import Callable, Iterable
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path

import pytest

from exporter.flatfile.acceptance import KEEP_REFUSED
from exporter.flatfile.auth import MAX_LIFE
from exporter.flatfile.decoding import read
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import (
    BadResponse,
    ConnectionFailed,
    FlatfileError,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    TooLarge,
    Unauthorized,
)
from exporter.flatfile.models import Page, Space
from exporter.flatfile.server_time import MIN_FIRST
from exporter.flatfile.session import ANSWERING, MAX_RETRY_WAIT, Session
from exporter.flatfile.times import iso
from exporter.flatfile.transport import Answer
from tests.flatfile.rig import (
    EPOCH,
    Script,
    Sent,
    Told,
    answer,
    assert_clean,
    call,
    file_of,
    session_of,
    stored,
    token_answer,
    virtually,
)

SPACES = Page[Space]
Reply = Callable[[Sent], Answer | FlatfileError]


def ready(script: Script, told: Told | None = None, retries: int = 3) -> Session:
    session = session_of(script, told=told, retries=retries)
    session.use_token(stored("pat"))
    return session


def exchanging(script: Script, told: Told | None = None) -> Session:
    session = session_of(script, told=told)
    session.use_credentials(stored("id"), stored("SECRET-s"))
    return session


def in_turn(replies: Iterable[Answer | FlatfileError]) -> Reply:
    """One reply after the other."""
    left = iter(replies)
    return lambda sent: next(left)


async def spaces(session: Session, seconds: float = 10.0, *, background: bool = False) -> Page[Space]:
    got = await session.get(Endpoint.SPACES, {}, call(seconds, background=background))
    return read(got, SPACES, Endpoint.SPACES)


def elapsed() -> float:
    return asyncio.get_running_loop().time() - 1000.0


# Tries

PASSING: list[Answer | FlatfileError] = [
    Timeout("slow"),
    ConnectionFailed("broken"),
    answer(408),
    answer(500),
    answer(502, content_type="text/html"),
    answer(503),
    answer(504),
]
LASTING = [
    (answer(206), BadResponse),
    (answer(400), BadResponse),
    (answer(401), Unauthorized),
    (answer(403), Forbidden),
    (answer(409), BadResponse),
    (answer(422), BadResponse),
    (answer(200, "junk"), BadResponse),
    (BadResponse("does not unpack", status=200), BadResponse),
    (TooLarge("too much", status=200), TooLarge),
]


@pytest.mark.parametrize("reply", PASSING, ids=repr)
def test_what_passes_is_tried_three_times(reply: Answer | FlatfileError) -> None:
    async def main() -> None:
        told = Told()
        script = Script(lambda sent: reply)
        with pytest.raises((Timeout, ConnectionFailed, ServerError)) as caught:
            await spaces(ready(script, told))
        assert caught.value.attempt == 3
        assert caught.value.endpoint == "/spaces"
        assert len(script.sent) == 3
        assert told.retries == ["/spaces"] * 2
        code = str(reply.status) if isinstance(reply, Answer) else "error"
        assert told.requests == [("/spaces", code)] * 3
        assert elapsed() <= 0.5 + 1.0 + 0.01

    virtually(main())


@pytest.mark.parametrize("reply", PASSING, ids=repr)
def test_what_passes_does_no_harm(reply: Answer | FlatfileError) -> None:
    async def main() -> None:
        script = Script(in_turn([reply, reply, answer()]))
        assert (await spaces(ready(script))).data == []

    virtually(main())


@pytest.mark.parametrize(("reply", "kind"), LASTING, ids=repr)
def test_what_stays_is_tried_once(reply: Answer | FlatfileError, kind: type[FlatfileError]) -> None:
    async def main() -> None:
        told = Told()
        script = Script(lambda sent: reply)
        with pytest.raises(kind) as caught:
            await spaces(ready(script, told))
        assert type(caught.value) is kind
        assert (caught.value.attempt, caught.value.endpoint) == (1, "/spaces")
        assert len(script.sent) == 1
        assert told.retries == []

    virtually(main())


def test_waits_between_many_tries_stay_short() -> None:
    async def main() -> None:
        script = Script(lambda sent: answer(500))
        with pytest.raises(ServerError) as caught:
            await spaces(ready(script, retries=20))
        assert caught.value.attempt == len(script.sent) == 20
        at = script.times(Endpoint.SPACES)
        assert all(later - earlier <= MAX_RETRY_WAIT + 0.1 for earlier, later in pairwise(at))

    virtually(main())


# Pauses


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("3", 3), ("2.5", 2.5), ("0", 0), (None, 2), ("soon", 2), ("-1", 2), (formatdate(EPOCH + 4, usegmt=True), 4)],
)
@pytest.mark.parametrize("endpoint", [Endpoint.SPACES, Endpoint.USERS])
def test_a_429_pauses_the_whole_account(header: str | None, seconds: float, endpoint: Endpoint) -> None:
    async def main() -> None:
        headers = {} if header is None else {"retry_after": header}
        script = Script(in_turn([answer(429, **headers), *[answer()] * 3]))
        session = ready(script)
        paused = asyncio.create_task(spaces(session))
        await asyncio.sleep(0)
        await asyncio.gather(paused, *(session.get(endpoint, {}, call()) for _ in range(2)))
        first, *others = [sent.at - 1000.0 for sent in script.sent]
        assert first == 0
        assert others == [pytest.approx(seconds, abs=0.01)] * 3

    virtually(main())


def test_a_pause_longer_than_the_scrape_fails_at_once_for_all() -> None:
    async def main() -> None:
        script = Script(lambda sent: answer(429, retry_after="30"))
        session = ready(script)
        for _ in range(3):
            with pytest.raises(RateLimited) as caught:
                await spaces(session, 10)
            assert elapsed() == 0
            assert caught.value.retry_at == 1030.0
            assert caught.value.endpoint == "/spaces"
        assert len(script.sent) == 1

    virtually(main())


def test_a_pause_just_longer_than_what_is_left_is_not_waited_for() -> None:
    async def main() -> None:
        script = Script(lambda sent: answer(429, retry_after="3"))
        with pytest.raises(RateLimited):
            await spaces(ready(script), 2.5)
        assert elapsed() == 0

    virtually(main())


@pytest.mark.parametrize(("seconds", "waits"), [("59", True), ("61", False)])
def test_background_work_is_more_patient(seconds: str, waits: bool) -> None:
    async def main() -> None:
        script = Script(in_turn([answer(429, retry_after=seconds), answer()]))
        session = ready(script)
        if waits:
            await spaces(session, 0, background=True)
            assert elapsed() == pytest.approx(59, abs=0.01)
        else:
            with pytest.raises(RateLimited):
                await spaces(session, 0, background=True)

    virtually(main())


def test_a_huge_retry_after_is_not_for_ever() -> None:
    async def main() -> None:
        script = Script(in_turn([answer(429, retry_after="9" * 400), answer()]))
        session = ready(script)
        with pytest.raises(RateLimited) as caught:
            await spaces(session)
        assert caught.value.retry_at == 1000 + 900
        await asyncio.sleep(900)
        await spaces(session)

    virtually(main())


def test_a_503_pauses_nobody_but_its_own_request() -> None:
    async def main() -> None:
        script = Script(in_turn([answer(503, retry_after="5"), answer(), answer()]))
        session = ready(script)
        waiting = asyncio.create_task(spaces(session))
        await asyncio.sleep(0.001)
        await session.get(Endpoint.USERS, {}, call())
        assert elapsed() < 0.1
        await waiting
        assert elapsed() == pytest.approx(5, abs=0.01)

    virtually(main())


def test_a_503_that_asks_for_more_than_is_left_is_not_tried_again() -> None:
    async def main() -> None:
        script = Script(lambda sent: answer(503, retry_after="11"))
        with pytest.raises(ServerError) as caught:
            await spaces(ready(script), 10)
        assert len(script.sent) == 1
        assert caught.value.retry_at == 1011.0

    virtually(main())


# Tokens


def auth(then: Reply, *, needs_type: bool = False) -> Reply:
    """Gives tokens, each another, and `then` for the rest."""
    issued = 0

    def reply(sent: Sent) -> Answer | FlatfileError:
        nonlocal issued
        if sent.endpoint is not Endpoint.AUTH:
            return then(sent)
        assert sent.body is not None
        if needs_type and "type" not in json.loads(sent.body.reveal()):
            return answer(400)
        issued += 1
        return token_answer(f"SECRET-token-{issued}", expires='"2999-01-01T00:00:00Z"')

    return reply


def test_twenty_at_once_are_one_exchange() -> None:
    async def main() -> None:
        script = Script(auth(lambda sent: answer()), latency=0.1)
        session = exchanging(script)
        await asyncio.gather(*(spaces(session) for _ in range(20)))
        assert script.count(Endpoint.AUTH) == 1
        assert script.sent[0].bearer is None
        assert script.sent[0].body is not None
        assert json.loads(script.sent[0].body.reveal()) == {"clientId": "id", "secret": "SECRET-s"}
        bearers = {sent.bearer.reveal() for sent in script.sent[1:] if sent.bearer}
        assert bearers == {"SECRET-token-1"}
        assert all(sent.body is None for sent in script.sent[1:])
        assert session.token_expiry == pytest.approx(EPOCH + 0.1 + MAX_LIFE, abs=0.01)

    virtually(main())


def test_the_type_is_sent_on_a_second_try_and_then_at_first() -> None:
    async def main() -> None:
        fresh = "SECRET-token-1"
        script = Script(
            auth(lambda sent: answer(401 if sent.bearer and sent.bearer.reveal() == fresh else 200), needs_type=True)
        )
        session = exchanging(script)
        await spaces(session)
        bodies = [json.loads(sent.body.reveal()) for sent in script.sent if sent.body]
        assert ["type" in body for body in bodies] == [False, True, True]
        assert bodies[1] == {"type": "apiCredentials", "clientId": "id", "secret": "SECRET-s"}

    virtually(main())


@pytest.mark.parametrize(("status", "requests"), [(400, 2), (401, 1), (403, 1), (404, 2), (409, 1), (422, 1)])
def test_refused_credentials(status: int, requests: int) -> None:
    """Both forms after a 400, both prefixes after a 404, and no more before the back-off has passed."""

    async def main() -> None:
        told = Told()
        script = Script(lambda sent: answer(status))
        session = exchanging(script, told)
        for _ in range(5):
            with pytest.raises(Unauthorized, match=f"refused with status {status}") as caught:
                await spaces(session)
            assert (caught.value.endpoint, caught.value.status) == ("/auth", status)
            assert not caught.value.is_request_rejected
            assert_clean(caught.value)
        assert script.count(Endpoint.AUTH) == len(script.sent) == requests
        assert told.retries == []
        await asyncio.sleep(10)
        with pytest.raises(Unauthorized):
            await spaces(session)
        assert len(script.sent) == requests + (1 if status == 404 else requests)

    virtually(main())


@pytest.mark.parametrize("reply", [*PASSING, answer(429, retry_after="1")], ids=repr)
def test_an_exchange_that_fails_has_three_tries_in_all(reply: Answer | FlatfileError) -> None:
    """Not three for each try of the request that needs the token."""

    async def main() -> None:
        told = Told()
        script = Script(lambda sent: reply)
        with pytest.raises(FlatfileError) as caught:
            await spaces(exchanging(script, told), 100)
        assert caught.value.endpoint == "/auth"
        assert script.count(Endpoint.AUTH) == len(script.sent) == 3
        assert told.retries == ["/auth"] * 2
        assert_clean(caught.value)

    virtually(main())


@pytest.mark.parametrize(
    ("reply", "match"),
    [
        (answer(200, "{}"), "without an access token"),
        (answer(200, '{"data":{}}'), "without an access token"),
        (answer(200, '{"accessToken":""}'), "without an access token"),
        (answer(200, '{"accessToken":5}'), "without an access token"),
        (answer(200, "[]"), "got `array`"),
        (answer(200, ""), "an empty body"),
        (answer(206, '{"accessToken":"tok"}'), "status 206"),
        (answer(200, '"SECRET-'), "truncated"),
    ],
    ids=str,
)
def test_an_answer_that_is_no_token(reply: Answer, match: str) -> None:
    async def main() -> None:
        with pytest.raises(BadResponse, match=match) as caught:
            await spaces(exchanging(Script(lambda sent: reply)))
        assert caught.value.endpoint == "/auth"
        assert_clean(caught.value)

    virtually(main())


@pytest.mark.parametrize(
    "shape", ['{"accessToken":"%s"}', '{"data":{"accessToken":"%s"}}', '{"accessToken":"%s","data":null}']
)
def test_both_shapes_of_a_token(shape: str) -> None:
    async def main() -> None:
        script = Script(lambda sent: answer(body=shape % "tok") if sent.endpoint is Endpoint.AUTH else answer())
        await spaces(exchanging(script))
        assert script.sent[1].bearer is not None
        assert script.sent[1].bearer.reveal() == "tok"

    virtually(main())


def test_a_401_is_one_new_token_for_all() -> None:
    async def main() -> None:
        def then(sent: Sent) -> Answer:
            assert sent.bearer is not None
            return answer(401 if sent.bearer.reveal() == "SECRET-token-1" else 200)

        script = Script(auth(then), latency=0.1)
        session = exchanging(script)
        await asyncio.gather(*(spaces(session) for _ in range(20)))
        assert script.count(Endpoint.AUTH) == 2

    virtually(main())


def test_an_endpoint_that_refuses_new_tokens_too_is_left_alone() -> None:
    """One exchange for its first 401; then none for five minutes, though other endpoints take the token."""

    async def main() -> None:
        def then(sent: Sent) -> Answer:
            return answer(401 if sent.params.get("environmentId") == "closed" else 200)

        script = Script(auth(then))
        session = exchanging(script)
        for second in range(int(KEEP_REFUSED) - 10):
            with pytest.raises(Forbidden if second > 1 else Unauthorized) as caught:
                await session.get(Endpoint.AGENTS, {"environmentId": "closed"}, call())
            assert (caught.value.endpoint, caught.value.status) == ("/agents", 401)
            await session.get(Endpoint.AGENTS, {"environmentId": "open"}, call())
            await spaces(session)
            await asyncio.sleep(1)
        assert script.count(Endpoint.AUTH) == 2
        await asyncio.sleep(20)
        with pytest.raises(Unauthorized):
            await session.get(Endpoint.AGENTS, {"environmentId": "closed"}, call())
        assert script.count(Endpoint.AUTH) == 3

    virtually(main())


def test_what_is_known_of_other_endpoints() -> None:
    """For whoever wants to know whether a refusal is one of this endpoint, and whether the server is up while it limits."""

    async def main() -> None:
        status = 200
        script = Script(lambda sent: answer(status if sent.endpoint is not Endpoint.USERS else 500))
        session = ready(script, retries=1)
        assert not session.is_token_accepted
        with pytest.raises(ServerError) as caught:
            await session.get(Endpoint.USERS, {}, call())
        assert not session.is_rejection(caught.value), "nothing else answers"
        await spaces(session)
        assert session.is_rejection(caught.value)
        assert session.is_token_accepted
        await asyncio.sleep(ANSWERING + 1)
        assert not session.is_rejection(caught.value)
        assert not session.is_rejection(ServerError("", endpoint="/users", status=503))
        assert session.is_rejection(Forbidden("", endpoint="/users", status=403))
        status = 429
        with pytest.raises(RateLimited):
            await spaces(session)
        assert session.is_token_accepted
        await asyncio.sleep(5)
        status = 401
        with pytest.raises(Unauthorized):
            await spaces(session)
        assert not session.is_token_accepted

    virtually(main())


def test_a_ready_token_that_one_endpoint_alone_refuses_is_forbidden_there() -> None:
    async def main() -> None:
        revoked = False

        def reply(sent: Sent) -> Answer:
            return answer(401 if revoked or sent.endpoint is Endpoint.GUESTS else 200)

        session = ready(Script(reply, latency=0.1))
        for kind in (Unauthorized, Forbidden, Forbidden):
            with pytest.raises(kind) as caught:
                await session.get(Endpoint.GUESTS, {}, call())
            assert caught.value.status == 401
            assert caught.value.is_request_rejected is (kind is Forbidden)
            await asyncio.sleep(1)
            await spaces(session)
        revoked = True
        for _ in range(3):
            with pytest.raises(Unauthorized):
                await spaces(session)

    virtually(main())


def test_a_token_that_ends_early_is_replaced_although_an_endpoint_was_left_alone() -> None:
    async def main() -> None:
        valid = {"SECRET-token-2"}

        def then(sent: Sent) -> Answer:
            closed = sent.params.get("environmentId") == "closed"
            return answer(401 if closed or not sent.bearer or sent.bearer.reveal() not in valid else 200)

        script = Script(auth(then))
        session = exchanging(script)
        with pytest.raises(Unauthorized):
            await session.get(Endpoint.AGENTS, {"environmentId": "closed"}, call())
        valid.clear()
        valid.add("SECRET-token-3")
        await spaces(session)
        await session.get(Endpoint.AGENTS, {"environmentId": "open"}, call())
        assert script.count(Endpoint.AUTH) == 3
        valid.clear()
        valid.add("SECRET-token-4")
        await session.get(Endpoint.AGENTS, {"environmentId": "open"}, call())
        assert script.count(Endpoint.AUTH) == 4

    virtually(main())


def test_rotated_credentials_are_used_although_an_endpoint_was_left_alone(tmp_path: Path) -> None:
    async def main() -> None:
        secret = tmp_path / "secret"
        secret.write_text("old")
        works = False
        script = Script(auth(lambda sent: answer(200 if works else 401)))
        session = session_of(script)
        session.use_credentials(stored("id"), file_of(secret))
        for _ in range(3):
            with pytest.raises(Unauthorized):
                await spaces(session)
        assert script.count(Endpoint.AUTH) == 2
        secret.write_text("new")
        with pytest.raises(Unauthorized):
            await spaces(session)
        assert script.count(Endpoint.AUTH) == 3
        works = True
        await spaces(session)

    virtually(main())


def test_a_ready_token_is_asked_with_once(tmp_path: Path) -> None:
    async def main() -> None:
        file = tmp_path / "pat"
        file.write_text("SECRET-old\n")
        script = Script(lambda sent: answer(200 if sent.bearer and sent.bearer.reveal() == "SECRET-new" else 401))
        session = session_of(script)
        session.use_token(file_of(file))
        for number in range(1, 4):
            with pytest.raises(Unauthorized, match="the access token was refused") as caught:
                await spaces(session)
            assert (caught.value.endpoint, caught.value.status) == ("/spaces", 401)
            assert len(script.sent) == number
            assert_clean(caught.value)
        file.write_text("SECRET-new\n")
        await spaces(session)
        assert session.token_expiry is None

    virtually(main())


@pytest.mark.parametrize("token", ["SECRET-ü", "SECRET- x", "SECRET-\nHost: evil", "SECRET-\x00", "SECRET-\udcff"])
def test_a_token_that_no_header_can_carry(token: str) -> None:
    async def main() -> None:
        script = Script(lambda sent: answer())
        session = session_of(script)
        session.use_token(stored(token))
        with pytest.raises(Unauthorized, match="no header can carry") as caught:
            await spaces(session)
        assert script.sent == []
        assert "SECRET-" not in str(caught.value)

    virtually(main())


def test_without_credentials() -> None:
    async def main() -> None:
        with pytest.raises(Unauthorized, match="no credentials are configured"):
            await spaces(session_of(Script(lambda sent: answer())))

    virtually(main())


# The path prefix


@pytest.mark.parametrize("lost", [answer(404), answer(200, "<html>", content_type="text/html")])
def test_the_other_prefix_is_found_once(lost: Answer) -> None:
    async def main() -> None:
        script = Script(auth(lambda sent: answer()))
        right = script.reply
        script.reply = lambda sent: right(sent) if sent.base == "https://flatfile.test/api/v1" else lost
        session = exchanging(script)
        await asyncio.gather(*(spaces(session) for _ in range(5)))
        assert [sent.base for sent in script.sent[:2]] == ["https://flatfile.test/v1", "https://flatfile.test/api/v1"]
        assert {sent.base for sent in script.sent[2:]} == {"https://flatfile.test/api/v1"}

    virtually(main())


def test_many_at_once_all_find_the_other_prefix() -> None:
    """With a ready token there is no exchange that goes before them."""

    async def main() -> None:
        script = Script(lambda sent: answer(200 if "/api/" in sent.base else 404), latency=0.1)
        session = ready(script)
        await asyncio.gather(*(spaces(session) for _ in range(20)))
        assert sum("/api/" in sent.base for sent in script.sent) == 20

    virtually(main())


def test_a_path_that_neither_prefix_has() -> None:
    async def main() -> None:
        script = Script(lambda sent: answer(404))
        session = ready(script)
        for _ in range(5):
            with pytest.raises(NotFound):
                await spaces(session)
        assert len(script.sent) == 6

    virtually(main())


# The server's clock


@pytest.mark.parametrize("ahead", [-5 * 86400, -3600, 0, 3600, 5 * 86400])
def test_the_servers_time(ahead: float) -> None:
    async def main() -> None:
        def reply(sent: Sent) -> Answer:
            return answer(date=formatdate(EPOCH + sent.at - 1000 + ahead, usegmt=True))

        session = ready(Script(reply))
        assert session.now == EPOCH
        for _ in range(MIN_FIRST):
            await spaces(session)
        assert session.now == pytest.approx(EPOCH + ahead, abs=1.6)
        if not ahead:
            assert session.now == EPOCH

    virtually(main())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"date": "junk"},
        {"date": "Thu, 01 Jan 1970 00:00:00 GMT"},
        {"date": formatdate(EPOCH - 9999, usegmt=True), "age": "9999"},
    ],
)
def test_a_date_that_tells_nothing(headers: dict[str, str]) -> None:
    async def main() -> None:
        session = ready(Script(lambda sent: answer(**headers)))
        await spaces(session)
        assert session.now == EPOCH

    virtually(main())


@pytest.mark.parametrize("ahead", [-86400 * 400, 86400 - 1, 86400 * 400])
def test_a_wrong_clock_of_ours_does_not_wear_out_tokens(ahead: float) -> None:
    """`expires` is the server's time: it is held against the server's clock."""

    async def main() -> None:
        def reply(sent: Sent) -> Answer:
            now = EPOCH + sent.at - 1000 - ahead
            date = formatdate(now, usegmt=True)
            if sent.endpoint is not Endpoint.AUTH:
                return answer(date=date)
            return answer(body=f'{{"accessToken":"tok","expires":"{iso(now + 3600)}"}}', date=date)

        script = Script(reply)
        session = exchanging(script)
        for _ in range(100):
            await spaces(session)
            await asyncio.sleep(60)
        assert 2 <= script.count(Endpoint.AUTH) <= 4

    virtually(main())
