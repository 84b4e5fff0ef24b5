"""The refreshes of one collector: when one is due, one at a time, and what came of it."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence

import pytest

from exporter.account.refresh import FIRST_BACKOFF, MAX_BACKOFF, Refresh
from exporter.config import CollectorConfig
from exporter.exposition.families import Family
from exporter.exposition.freshness import Freshness
from exporter.flatfile.errors import FlatfileError, Forbidden, RateLimited, Reason, ServerError, Timeout
from exporter.flatfile.session import Call
from exporter.flatfile.trace import Sent
from tests.collectors.exported import Time

Step = Callable[[Call], Awaitable[Sequence[FlatfileError]]]


class Scripted:
    """A collector whose refreshes do what they are told, the last thing again and again."""

    requires: tuple[str, ...] = ()
    triggers: tuple[str, ...] = ()

    def __init__(self, *steps: Step | FlatfileError | Exception | Sequence[FlatfileError]) -> None:
        self.steps = list(steps) or [()]
        self.calls: list[Call] = []

    async def refresh(self, call: Call) -> Sequence[FlatfileError]:
        self.calls.append(call)
        call.trace.note(Sent("/tea", "200", 1, 0.1, 10, {}, 0.0))
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return await step(call) if callable(step) else step

    def families(self, db: sqlite3.Connection, fresh: Freshness) -> Iterable[Family]:
        return ()


Before = Callable[[Call], Awaitable[None]]


async def nothing(call: Call) -> None:
    """Nothing has to come before."""


class Tried:
    """A refresh with its clock and the errors that it counted."""

    def __init__(self, collector: Scripted, interval: float = 60.0, before: Before = nothing) -> None:
        self.time = Time()
        self.counted: list[tuple[str, Reason]] = []
        settings = CollectorConfig(enabled=True, interval=interval, max_age=900)
        self.refresh = Refresh(
            "acme",
            "tea",
            collector,
            settings,
            self.time.clock,
            before,
            lambda name, reason: self.counted.append((name, reason)),
        )

    def start(self, patience: float = 10.0) -> asyncio.Future[None]:
        return self.refresh.start(asyncio.get_running_loop().time() + patience)

    async def run(self) -> Refresh:
        self.start()
        while self.refresh.running:
            await asyncio.sleep(0)
        return self.refresh


@pytest.mark.parametrize(
    ("interval", "early"), [(0.0, 0.0), (1.0, 0.95), (10.0, 9.5), (20.0, 19.0), (60.0, 59.0), (3600.0, 3599.0)]
)
async def test_due_again_an_interval_after_the_start_of_the_last_success(interval: float, early: float) -> None:
    async def two_seconds(call: Call) -> Sequence[FlatfileError]:
        tried.time.pass_(2)
        return ()

    tried = Tried(Scripted(two_seconds), interval)
    assert tried.refresh.due
    await tried.run()
    assert tried.refresh.due_in == pytest.approx(max(0.0, early - 2))
    if early > 2:
        tried.time.pass_(early - 2 - 0.01)
        assert not tried.refresh.due
        tried.time.pass_(0.01)
    assert tried.refresh.due


async def test_those_who_come_meanwhile_join_and_the_latest_deadline_counts() -> None:
    gate = asyncio.Event()

    async def wait(call: Call) -> Sequence[FlatfileError]:
        await gate.wait()
        return ()

    collector = Scripted(wait)
    tried = Tried(collector)
    loop = asyncio.get_running_loop()
    first = tried.refresh.start(loop.time() + 5)
    await asyncio.sleep(0)
    later = loop.time() + 50
    second = tried.refresh.start(later)
    tried.refresh.start(loop.time() + 1)
    assert (len(collector.calls), first.done(), second.done()) == (1, False, False)
    assert collector.calls[0].deadline.at == later
    gate.set()
    await asyncio.wait([first, second])
    assert not tried.refresh.running
    assert len(collector.calls) == 1
    await tried.run()
    assert len(collector.calls) == 2


async def test_a_refresh_that_takes_many_scrapes_lets_them_go() -> None:
    gate = asyncio.Event()

    async def long(call: Call) -> Sequence[FlatfileError]:
        call.detach()
        await gate.wait()
        return ()

    tried = Tried(Scripted(long))
    await asyncio.wait_for(tried.start(), 10)
    assert tried.refresh.running
    assert tried.start().done()
    gate.set()
    await tried.refresh.finished()
    assert tried.refresh.outcome is not None


async def test_the_back_off_doubles_from_the_second_failure_on_and_ends_with_a_success() -> None:
    tried = Tried(Scripted(*[ServerError("no")] * 9, (), ServerError("no")))
    longest = []
    for _ in range(9):
        await tried.run()
        longest.append(tried.refresh.due_in)
        tried.time.pass_(tried.refresh.due_in)
    assert longest[0] == 0
    for number, wait in enumerate(longest[1:]):
        most = min(MAX_BACKOFF, FIRST_BACKOFF * 2**number)
        assert most / 2 <= wait <= most
    assert longest[-1] > 100
    await tried.run()
    assert tried.refresh.due_in == 59
    await tried.run()
    assert tried.refresh.due_in == 0


async def test_a_failure_is_not_followed_by_a_question_before_the_time_that_the_server_named() -> None:
    at = asyncio.get_running_loop().time() + 400
    tried = Tried(Scripted(RateLimited("wait", retry_at=at)))
    await tried.run()
    assert 390 < tried.refresh.due_in <= 400
    await tried.run()
    assert 390 < tried.refresh.due_in <= 400


async def test_a_partial_failure_keeps_the_interval_for_the_rest() -> None:
    tried = Tried(Scripted([Forbidden("one of them")]))
    waits = []
    for _ in range(12):
        await tried.run()
        waits.append(tried.refresh.due_in)
        tried.time.pass_(tried.refresh.due_in)
    assert waits[0] == 0
    assert waits[-1] == 59
    assert all(wait <= 59 for wait in waits)
    assert tried.refresh.outcome is not None
    assert (tried.refresh.outcome.success, tried.refresh.outcome.reached) == (False, True)
    assert tried.refresh.last_success is None
    scrapes = Tried(Scripted([Forbidden("one of them")]), interval=0)
    for _ in range(9):
        assert (await scrapes.run()).due


async def test_the_outcome_tells_of_the_last_finished_refresh() -> None:
    async def three_seconds(call: Call) -> Sequence[FlatfileError]:
        tried.time.pass_(3)
        return ()

    tried = Tried(Scripted(three_seconds, Timeout("late")))
    assert (tried.refresh.outcome, tried.refresh.last_success, tried.refresh.ever_reached) == (None, None, False)
    await tried.run()
    ended = tried.time()
    outcome = tried.refresh.outcome
    assert outcome is not None
    assert (outcome.success, outcome.reached, outcome.duration, outcome.reason) == (True, True, 3.0, None)
    assert (tried.refresh.last_success, tried.refresh.ever_reached) == (ended, True)
    tried.time.pass_(60)
    await tried.run()
    outcome = tried.refresh.outcome
    assert outcome is not None
    assert (outcome.success, outcome.reached, outcome.reason) == (False, False, "timeout")
    assert (tried.refresh.last_success, tried.refresh.ever_reached) == (ended, True)


async def test_what_comes_before_may_keep_it_from_being_tried() -> None:
    async def before(call: Call) -> None:
        raise ServerError("what it builds on is not there")

    collector = Scripted()
    tried = Tried(collector, before=before)
    tried.start()
    with pytest.raises(ServerError):
        await tried.refresh.finished()
    assert collector.calls == []
    assert tried.counted == [("tea", "server_error")]


async def test_finished_raises_only_where_everything_failed() -> None:
    tried = Tried(Scripted([Forbidden("one of them")], Forbidden("all"), ()))
    tried.start()
    await tried.refresh.finished()
    tried.start()
    with pytest.raises(Forbidden):
        await tried.refresh.finished()
    tried.start()
    await tried.refresh.finished()


async def test_anew_asks_again_what_was_under_way_before_the_question() -> None:
    gates = [asyncio.Event(), asyncio.Event()]

    async def wait(call: Call) -> Sequence[FlatfileError]:
        await gates[len(collector.calls) - 1].wait()
        return ()

    collector = Scripted(wait)
    tried = Tried(collector)
    tried.start()
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    questions = [asyncio.ensure_future(tried.refresh.force(loop.time() + 10)) for _ in range(5)]
    await asyncio.sleep(0)
    gates[0].set()
    while len(collector.calls) < 2:
        await asyncio.sleep(0)
    assert not any(question.done() for question in questions)
    gates[1].set()
    await asyncio.gather(*questions)
    assert len(collector.calls) == 2  # one for all of them


async def test_a_fault_of_ours_is_internal_and_is_logged_without_what_it_quotes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tried = Tried(Scripted(RuntimeError("jane@customer.test"), ()))
    await tried.run()
    outcome = tried.refresh.outcome
    assert outcome is not None
    assert (outcome.reached, outcome.reason) == (False, "internal")
    assert tried.counted == [("tea", "internal")]
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "in refresh" in caplog.text  # where it was raised
    assert "customer.test" not in caplog.text
    assert (await tried.run()).last_success is not None


def logged(record: logging.LogRecord) -> dict[str, object]:
    values = record.__dict__["fields"]
    assert isinstance(values, dict)
    return {name: value for name, value in values.items() if value is not None}


async def test_each_kind_of_failure_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    errors = [
        Forbidden("status 403", endpoint="/agents", status=403),
        Timeout("no complete answer within 10s", endpoint="/agents", attempt=3),
        Forbidden("status 403", endpoint="/agents", status=403),
    ]
    tried = Tried(Scripted(errors, ()))
    await tried.run()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [("WARNING", "refresh failed")] * 2
    common = {"account": "acme", "collector": "tea", "endpoint": "/agents"}
    assert [logged(record) for record in caplog.records] == [
        {**common, "status": 403, "attempt": 1, "reason": "forbidden", "error": "status 403", "times": 2},
        {**common, "attempt": 3, "reason": "timeout", "error": "no complete answer within 10s"},
    ]
    assert tried.counted == [("tea", "forbidden"), ("tea", "timeout"), ("tea", "forbidden")]
    caplog.clear()
    with caplog.at_level(logging.INFO):
        await tried.run()
        await tried.run()
    (record,) = caplog.records
    assert (record.getMessage(), logged(record)["failures"]) == ("refresh succeeded again", 1)


async def test_a_refresh_can_be_ended(caplog: pytest.LogCaptureFixture) -> None:
    async def for_ever(call: Call) -> Sequence[FlatfileError]:
        await asyncio.Event().wait()
        return ()

    tried = Tried(Scripted(for_ever))
    waited_for = tried.start()
    await asyncio.sleep(0)
    tried.refresh.stop()
    await tried.refresh.ended()
    assert waited_for.done()
    assert not tried.refresh.running
    assert (tried.refresh.outcome, tried.counted, caplog.records) == (None, [], [])
    tried.refresh.stop()
    await tried.refresh.ended()
    idle = Tried(Scripted(for_ever))
    idle.start()
    idle.refresh.stop()  # before it has begun
    await idle.refresh.ended()
    assert not idle.refresh.running


async def test_a_failure_that_goes_on_is_said_every_ten_minutes(caplog: pytest.LogCaptureFixture) -> None:
    one, other = Forbidden("status 403", endpoint="/events", status=403), ServerError("status 500", status=500)
    tried = Tried(Scripted(*[[one]] * 20, [one, other], *[[one, one]] * 20, (), [one]), interval=0.0)

    async def scrapes(number: int) -> list[tuple[object, object]]:
        caplog.clear()
        for _ in range(number):
            await tried.run()
            tried.time.pass_(30)
        return [
            (logged(record).get("status"), logged(record).get("times"))
            for record in caplog.records
            if record.levelno == logging.WARNING
        ]

    assert await scrapes(20) == [(403, None)]
    assert await scrapes(1) == [(403, 20), (500, None)]  # ten minutes have passed, and there is something new
    assert await scrapes(20) == [(403, 40)]
    assert await scrapes(2) == [(403, None)], "after a success it is new again"
    with caplog.at_level(logging.DEBUG):
        await scrapes(3)
        assert [record.levelname for record in caplog.records] == ["DEBUG"] * 3
    assert len(tried.counted) == 20 + 2 + 40 + 1 + 3
