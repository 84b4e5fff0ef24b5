"""An account's lines are made as they are taken, and written in batches; following goes on whatever happens."""

import asyncio
import errno
import threading
from collections.abc import Sequence

import pytest

from exporter.audit.account import BATCH
from tests.audit.rig import Collected, auditing
from tests.collectors.exported import Time
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world, sized_world


class Slow(Collected):
    """A reader that takes a batch when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.offered, self.taken = threading.Semaphore(0), threading.Semaphore(0)

    def append(self, lines: Sequence[bytes]) -> None:
        super().append(lines)
        self.offered.release()
        self.taken.acquire()


async def test_nothing_is_made_ahead_of_a_slow_reader() -> None:
    world = sized_world(Time(), environments=2, spaces=4, guests=2, users=1, agents=1, events=BATCH * 3)
    out = Slow()
    async with SimulatedServer(world) as api, auditing(api, out=out) as audited:
        doing = asyncio.create_task(audited.audit.run_pass())
        for batch in range(1, 4):
            await asyncio.to_thread(out.offered.acquire)
            assert len(out.lines) == BATCH * batch
            out.taken.release()
        assert await doing


class Failing(Collected):
    """Takes nothing the first time."""

    error: OSError | None = OSError(errno.ENOSPC, "No space left on device")

    def append(self, lines: Sequence[bytes]) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            raise error
        super().append(lines)
        self.loop.call_soon_threadsafe(self.done.set)

    def __init__(self) -> None:
        super().__init__()
        self.done = asyncio.Event()
        self.loop = asyncio.get_running_loop()


async def test_following_goes_on_when_there_is_room_again(caplog: pytest.LogCaptureFixture) -> None:
    out = Failing()
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api, out=out, backoff=0.01) as audited:
        following = asyncio.create_task(audited.audit.follow(0.01))
        await out.done.wait()
        following.cancel()
        with pytest.raises(asyncio.CancelledError):
            await following
    assert len(out.lines) == 10
    assert "events could not be written" in caplog.text


async def test_a_reader_that_is_gone_ends_it() -> None:
    out = Failing()
    out.error = BrokenPipeError()
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api, out=out) as audited:
        with pytest.raises(BrokenPipeError):
            await audited.audit.follow(0.01)


async def test_following_tries_again_after_a_failure_of_everything() -> None:
    out = Failing()
    out.error = None
    async with SimulatedServer(fixed_world(Time())) as api, auditing(api, out=out, backoff=0.01) as audited:
        api.faults.add("/environments", Status(500), count=2)
        following = asyncio.create_task(audited.audit.follow(0.01))
        await out.done.wait()
        following.cancel()
    assert len(out.lines) == 10
