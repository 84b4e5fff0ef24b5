"""SIGTERM, SIGINT and SIGHUP: shutdown within 5 s, whatever blocks, and reload."""

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")

MAX_SHUTDOWN = 4.5  # seconds from SIGTERM to the exit, whatever hangs
_EXIT = (signal.SIGTERM, signal.SIGINT)
_ALL = (*_EXIT, signal.SIGHUP)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does, also where no thread can be started or no memory is left at its end."""
    runner = asyncio.Runner()
    try:
        return runner.run(main)
    finally:
        with contextlib.suppress(RuntimeError, MemoryError):
            runner.close()


class Signals:
    """Handles signals from now on. Made inside the event loop, before anything that may take long.

    The first SIGTERM or SIGINT calls `on_stop`, by default to cancel the task that made this. A second one exits the
    process at once, and so do 4.5 s after the first one, both with status 0. SIGHUP calls `on_hangup`.

    A thread of its own, started beforehand, waits for signals: the event loop may hang, no thread may be available any
    more, and there may be no memory left. Raises OSError where the thread cannot be started.
    """

    def __init__(self, end: Callable[[int], object] = os._exit) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = end
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self.on_stop: Callable[[], object] = _cancel_of_current_task()
        self.on_hangup: Callable[[], Awaitable[object]] | None = None
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ALL)  # also of the threads to come
        self._thread = threading.Thread(target=self._wait, name="signals", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            raise OSError(f"cannot start a thread: {error}") from None
        for number in _ALL:  # for a thread that does not block them
            self._loop.add_signal_handler(number, self._forward, number)

    def close(self) -> None:
        """Restore the handling of signals."""
        for number in _ALL:
            self._loop.remove_signal_handler(number)
        self._closed = True
        self._forward(signal.SIGHUP)
        self._thread.join()
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _forward(self, number: int) -> None:
        if self._thread.is_alive() and self._thread.ident is not None:
            signal.pthread_kill(self._thread.ident, number)

    def _wait(self) -> None:
        try:
            while signal.sigwait(_ALL) not in _EXIT:
                if self._closed:
                    return
                self._call(self._hang_up)
            self._call(self._stop)
            until = time.monotonic() + MAX_SHUTDOWN
            while (left := until - time.monotonic()) > 0:
                received = signal.sigtimedwait(_ALL, left)
                if self._closed:
                    return
                if received is not None and received.si_signo in _EXIT:
                    break
        except MemoryError:
            pass  # nothing else can be done
        self._end(0)

    def _call(self, callback: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError, MemoryError):  # the loop is closed; no memory
            self._loop.call_soon_threadsafe(callback)

    def _stop(self) -> None:
        self.on_stop()
        log.info("shutting down")  # last: nothing that logging does may keep it from stopping

    def _hang_up(self) -> None:
        if self.on_hangup is None:
            return
        task = self._loop.create_task(_run(self.on_hangup))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _run(hook: Callable[[], Awaitable[object]]) -> None:
    await hook()


def _cancel_of_current_task() -> Callable[[], object]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("signals are handled for a task")
    return task.cancel
