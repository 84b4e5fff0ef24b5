"""A thread of its own: order, errors, cancellation."""

import asyncio
import threading

import pytest

from exporter.core.worker import Worker


async def test_it_runs_on_one_thread_in_order() -> None:
    worker, seen = Worker("acme"), list[int]()
    threads = await asyncio.gather(
        *(worker.run(lambda number=number: seen.append(number) or threading.current_thread()) for number in range(20))
    )
    assert seen == [*range(20)]
    assert {thread.name for thread in threads} == {"acme"}
    assert threading.main_thread() not in threads
    worker.close()
    await asyncio.to_thread(threads[0].join, 10)
    assert not threads[0].is_alive()


async def test_an_error_is_raised_where_it_is_awaited() -> None:
    worker = Worker("acme")
    with pytest.raises(ZeroDivisionError):
        await worker.run(lambda: 1 / 0)
    assert await worker.run(pow, 2, 3) == 8
    worker.close()


async def test_work_that_nobody_awaits_any_more_is_skipped() -> None:
    worker, gate, seen = Worker("acme"), threading.Event(), list[str]()
    first = asyncio.create_task(worker.run(gate.wait))
    second = asyncio.create_task(worker.run(seen.append, "second"))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.wait([second])
    gate.set()
    assert await first
    await worker.run(seen.append, "third")
    assert seen == ["third"]
    worker.close()
