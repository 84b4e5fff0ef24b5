"""What signals do, as far as one process can show: the rest is in e2e/test_shutdown.py."""

import asyncio
import os
import signal

import pytest

from exporter.web.signals import Signals


class Process:
    """Records what the process does on signals."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.told = 0

    def stop(self) -> None:
        self.told += 1


async def test_the_first_signal_asks_and_the_second_ends() -> None:
    process = Process()
    signals = Signals(process.statuses.append)
    signals.on_stop = process.stop
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)
    while not process.told:
        await asyncio.sleep(0.01)
    assert process.statuses == []
    os.kill(os.getpid(), signal.SIGINT)
    while not process.statuses:
        await asyncio.sleep(0.01)
    assert (process.told, process.statuses) == (1, [0])
    signals.close()


async def test_before_it_serves_a_signal_cancels() -> None:
    async def starting() -> None:
        signals = Signals(lambda status: None)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            signals.close()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(starting())


async def test_hanging_up_before_it_serves_does_nothing_and_then_calls() -> None:
    calls: list[int] = []

    async def called() -> None:
        calls.append(1)

    signals = Signals(lambda status: None)
    signals._hang_up()
    signals.on_hangup = called
    os.kill(os.getpid(), signal.SIGHUP)
    while not calls:
        await asyncio.sleep(0.01)
    assert calls == [1]
    signals.close()
