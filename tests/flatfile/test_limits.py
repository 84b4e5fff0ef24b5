"""The limiter: its bounds hold whatever comes, nobody is forgotten, and the order is kept."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile.errors import RateLimited
from exporter.flatfile.limits import Limiter
from tests.flatfile.rig import virtually

FOREVER = 1e9


@dataclass(frozen=True)
class Work:
    at: float
    background: bool
    lasts: float
    given_up_after: float | None


times = st.integers(0, 40).map(lambda n: n / 4)
works = st.lists(
    st.builds(Work, times, st.booleans(), st.sampled_from([0.0, 0.25, 1.0, 3.0]), st.none() | times),
    min_size=1,
    max_size=25,
)
pauses = st.lists(st.tuples(times, times), max_size=3)


@given(works, pauses, st.integers(1, 4), st.sampled_from([0.5, 1.0, 3.0, 10.0]))
def test_bounds_order_and_nobody_forgotten(
    works: list[Work], pauses: list[tuple[float, float]], concurrency: int, per_second: float
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        limiter = Limiter(concurrency, per_second, loop.time)
        let_through: list[tuple[float, int]] = []
        inside: dict[int, bool] = {}
        paused_until = paused_at = 0.0
        came: list[int] = []

        async def one(number: int, work: Work) -> None:
            await asyncio.sleep(work.at)
            came.append(number)
            async with asyncio.timeout(work.given_up_after), limiter.slot(lambda: FOREVER, background=work.background):
                # whose place came in the very turn of the loop that brings the pause is on the way already
                assert loop.time() >= paused_until or loop.time() == paused_at
                let_through.append((loop.time(), number))
                inside[number] = work.background
                assert len(inside) <= concurrency
                assert sum(inside.values()) < concurrency or concurrency == 1
                try:
                    await asyncio.sleep(work.lasts)
                finally:
                    del inside[number]

        async def pause(at: float, seconds: float) -> None:
            nonlocal paused_until, paused_at
            await asyncio.sleep(at)
            paused_at = loop.time()
            paused_until = max(paused_until, loop.time() + seconds)
            limiter.pause(loop.time() + seconds)

        ended = await asyncio.gather(
            *(one(number, work) for number, work in enumerate(works)),
            *(pause(*each) for each in pauses),
            return_exceptions=True,
        )
        for work, outcome in zip(works, ended, strict=False):
            assert outcome is None or (isinstance(outcome, TimeoutError) and work.given_up_after is not None), outcome

        burst = max(2 * per_second, 1.0)
        for first, (since, _) in enumerate(let_through):
            for last, (until, _) in enumerate(let_through[first:], first):
                assert last - first + 1 <= burst + per_second * (until - since) + 1e-6
        for kind in (True, False):
            when = {number: at for at, number in let_through if works[number].background is kind}
            in_order = [when[number] for number in came if number in when]
            assert in_order == sorted(in_order), "first come, first served"
        assert start <= loop.time()

        # and all places are free again
        await asyncio.sleep(10 * burst)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            barrier = asyncio.Barrier(concurrency)

            async def fill() -> None:
                async with limiter.slot(lambda: FOREVER):
                    await barrier.wait()

            for _ in range(concurrency):
                group.create_task(fill())

    virtually(main())


def test_a_burst_goes_through_at_once_and_then_the_rate() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        limiter = Limiter(4, 10, loop.time)
        when = []
        for _ in range(25):
            async with limiter.slot(lambda: FOREVER):
                when.append(loop.time() - start)
        assert when[:20] == [0.0] * 20
        assert when[20:] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5], abs=0.01)

    virtually(main())


def test_background_work_leaves_room() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        limiter = Limiter(4, 10, loop.time)
        done: list[float] = []

        async def pass_over_spaces() -> None:
            async with limiter.slot(lambda: FOREVER, background=True):
                await asyncio.sleep(0.01)
                done.append(loop.time() - start)

        behind = [asyncio.create_task(pass_over_spaces()) for _ in range(40)]
        await asyncio.sleep(0.5)
        asked = loop.time()
        for _ in range(10):  # half of the burst is there for a scrape
            async with limiter.slot(lambda: FOREVER):
                assert loop.time() == asked
        await asyncio.gather(*behind)
        assert len(done) == 40

    virtually(main())


def test_background_work_goes_on_with_a_single_place() -> None:
    async def main() -> None:
        limiter = Limiter(1, 0.5, asyncio.get_running_loop().time)
        for _ in range(3):
            async with limiter.slot(lambda: FOREVER, background=True):
                pass

    virtually(main())


@pytest.mark.parametrize("in_line", [True, False])
def test_who_cannot_wait_is_told_at_once(in_line: bool) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter(1, 10, loop.time)
        until = loop.time() + 30

        async def hold() -> None:
            async with limiter.slot(lambda: FOREVER):
                await asyncio.sleep(1)

        async def ask(patience: float) -> float:
            async with limiter.slot(lambda: patience):
                return loop.time()

        held = asyncio.create_task(hold())
        await asyncio.sleep(0)
        if not in_line:
            limiter.pause(until)
        patient, hasty = asyncio.create_task(ask(31)), asyncio.create_task(ask(29))
        await asyncio.sleep(0)
        if in_line:
            limiter.pause(until)
        asked = loop.time()
        with pytest.raises(RateLimited, match="30s") as caught:
            await hasty
        assert loop.time() == asked
        assert caught.value.retry_at == until
        assert await patient == pytest.approx(until, abs=0.01)
        await held

    virtually(main())


def test_a_place_given_to_one_who_has_gone_goes_to_the_next() -> None:
    async def main() -> None:
        limiter = Limiter(1, 10, asyncio.get_running_loop().time)
        entered: list[int] = []

        async def ask(number: int) -> None:
            async with limiter.slot(lambda: FOREVER):
                entered.append(number)

        async with limiter.slot(lambda: FOREVER):
            waiting = [asyncio.create_task(ask(number)) for number in range(3)]
            await asyncio.sleep(0)
        waiting[0].cancel()  # its place has come in this very turn of the loop
        await asyncio.gather(*waiting, return_exceptions=True)
        assert entered == [1, 2]

    virtually(main())


def test_a_newcomer_does_not_overtake() -> None:
    async def main() -> None:
        limiter = Limiter(1, 10, asyncio.get_running_loop().time)
        entered: list[str] = []

        async def ask(name: str) -> None:
            async with limiter.slot(lambda: FOREVER):
                entered.append(name)

        async with limiter.slot(lambda: FOREVER):
            first = asyncio.create_task(ask("in line"))
            await asyncio.sleep(0)
        await ask("newcomer")
        await first
        assert entered == ["in line", "newcomer"]

    virtually(main())


def test_a_waiter_who_leaves_keeps_nobody_waiting() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        limiter = Limiter(2, 10, loop.time)
        limiter_free_at: list[float] = []

        async def ask(background: bool) -> None:
            async with limiter.slot(lambda: FOREVER, background=background):
                limiter_free_at.append(loop.time())

        async with limiter.slot(lambda: FOREVER):
            behind = asyncio.create_task(ask(True))
            await asyncio.sleep(0)
            behind.cancel()
            await asyncio.gather(behind, return_exceptions=True)
            now = loop.time()
            await ask(False)
            assert limiter_free_at == [now]

    virtually(main())
