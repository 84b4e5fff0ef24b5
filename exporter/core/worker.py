"""A thread of its own for work that takes long or blocks, so that the event loop never does."""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Job = tuple[Future[Any], Callable[[], Any]]


class Worker:
    """Runs functions one after the other on one thread.

    The thread is a daemon: a function that blocks for ever does not keep the process from ending.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Run a function on the thread and return its result, or raise what it raises.

        Raises RuntimeError where no thread can be started.
        """
        if self._thread is None:
            thread = threading.Thread(target=self._work, name=self._name, daemon=True)
            thread.start()
            self._thread = thread
        future: Future[T] = Future()
        self._jobs.put((future, lambda: work(*args, **named)))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let the thread end after the work that is waiting."""
        self._jobs.put(None)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work())
            except BaseException as error:  # noqa: BLE001 - whoever awaits it handles it
                future.set_exception(error)
            del job, future, work  # nothing is kept while the thread waits


def start_thread(name: str, work: Callable[[], T]) -> Future[T]:
    """Run a function that may block on a daemon thread of its own. The future also holds the error if none can start."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # whoever waits for it may be cancelled, the work cannot

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - whoever waits for it handles it
            future.set_exception(error)
        else:
            future.set_result(result)

    try:
        threading.Thread(target=run, name=name, daemon=True).start()
    except RuntimeError as error:
        future.set_exception(error)
    return future
