"""Refreshes of one collector: when one is due, one at a time, and the outcome of the last."""

import asyncio
import logging
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from exporter.collectors import Collector
from exporter.config import CollectorConfig
from exporter.core.clock import Clock
from exporter.core.log_throttle import LogThrottle
from exporter.core.logs import fields
from exporter.flatfile.deadline import Deadline
from exporter.flatfile.errors import FlatfileError, Reason
from exporter.flatfile.session import Call
from exporter.flatfile.trace import Spent, Trace

log = logging.getLogger(__name__)

FIRST_BACKOFF = 5.0  # seconds after the second failure in a row; after the first, the next scrape tries again
MAX_BACKOFF = 300.0
MAX_FAILURES = 20  # that are kept for the landing page
TOLERANCE = 0.05  # of the interval, at most a second: scrapes do not come to the millisecond


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure, as the landing page shows it. `at` in unix seconds; `times`: of this kind in the same refresh."""

    at: float
    collector: str
    reason: Reason
    endpoint: str
    status: int | None
    attempt: int
    text: str
    times: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a finished refresh. `reached`: not everything failed. Seconds; unix seconds."""

    success: bool
    reached: bool
    duration: float
    ended_at: float
    errors: tuple[FlatfileError, ...]

    @property
    def reason(self) -> Reason | None:
        """Why it failed, in a word."""
        return self.errors[0].reason if self.errors else None


class Refresh:
    """Runs one collector. `before` comes first, and raises what keeps a refresh from being tried.

    `count` is told the reason of each error.
    """

    def __init__(
        self,
        account: str,
        name: str,
        collector: Collector,
        settings: CollectorConfig,
        clock: Clock,
        before: Callable[[Call], Awaitable[None]],
        count: Callable[[str, Reason], None],
    ) -> None:
        self.name = name
        self.collector = collector
        self.settings = settings
        self.outcome: Outcome | None = None
        self.last_success: float | None = None  # steady unix seconds
        self.ever_reached = False
        self.revision = 0  # of what the collector knows: each refresh that ends may have changed it
        self.trace = Trace()  # of the refresh in progress, else of the last one
        self.failures: deque[Failure] = deque(maxlen=MAX_FAILURES)
        self._account = account
        self._clock = clock
        self._before = before
        self._count = count
        self._task: asyncio.Task[None] | None = None
        self._waited_for: asyncio.Future[None] | None = None
        self._deadline: Deadline | None = None
        self._failures = 0
        self._log_throttle = LogThrottle(clock.monotonic)
        self._due_at = float("-inf")  # monotonic

    @property
    def running(self) -> bool:
        return self._task is not None

    @property
    def due(self) -> bool:
        """Whether a scrape must start a refresh now."""
        return self._clock.monotonic() >= self._due_at

    @property
    def due_in(self) -> float:
        """Return the seconds until a refresh is due, 0 when it is."""
        return max(0.0, self._due_at - self._clock.monotonic())

    def start(self, deadline: float) -> asyncio.Future[None]:
        """Start a refresh, or join the one in progress. The result is done when no scrape needs to wait any more.

        `deadline` is the loop time at which the scrape is answered.
        """
        loop = asyncio.get_running_loop()
        if self._task is None or self._waited_for is None or self._deadline is None:
            waited_for: asyncio.Future[None] = loop.create_future()
            self._deadline = Deadline(deadline, loop.time)

            def detach() -> None:
                if not waited_for.done():
                    waited_for.set_result(None)

            call = Call(self._deadline, detach=detach)
            self._waited_for = waited_for
            self._task = loop.create_task(self._run(call), name=f"refresh {self._account} {self.name}")
            self._task.add_done_callback(lambda _: detach())
        self._deadline.extend(deadline)
        return self._waited_for

    async def force(self, deadline: float) -> None:
        """Refresh, due or not, and wait for the end. Raises FlatfileError where everything failed.

        What is in progress may have been answered before the question came up, so the next one counts.
        """
        if self._task is not None:
            await asyncio.wait([self._task])
        self.start(deadline)
        await self.finished()

    async def finished(self) -> None:
        """Wait for the refresh in progress. Raises FlatfileError where everything failed."""
        if self._task is not None:
            await asyncio.wait([self._task])
        if self.outcome is not None and not self.outcome.reached:
            raise self.outcome.errors[0].with_traceback(None)

    async def wait_for(self, timeout: float) -> None:
        """Wait for the refresh in progress, if there is one, at most `timeout` seconds, whatever comes of it."""
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until the refresh in progress has ended."""
        task = self._task
        if task is not None:
            await asyncio.wait([task])
            self._task = None  # one that has not begun does not do that itself

    async def _run(self, call: Call) -> None:
        started = self._clock.monotonic()
        self.trace = Trace(self._clock.monotonic)
        call = replace(call, trace=self.trace)
        errors: Sequence[FlatfileError]
        reached = tried = False
        try:
            with self.trace.measure(Spent.COLLECTOR):
                await self._before(call)
            tried = True
            errors = await self.collector.refresh(call)
            reached = True
        except FlatfileError as failure:
            errors = [failure]
        except Exception as fault:  # noqa: BLE001  the boundary: a fault of ours must not end the exporter
            # its text may quote what the server sent: its type and where it was raised say enough
            named = FlatfileError(f"{type(fault).__name__} in the exporter")
            errors = [named.with_traceback(fault.__traceback__)]
        finally:
            self._task = None
            self.trace.end()
        now = self._clock.monotonic()
        self._settle(started, now, reached, errors)
        self.outcome = Outcome(not errors, reached, now - started, self._clock.wall(), tuple(errors))
        self.ever_reached = self.ever_reached or reached
        if not errors and self.trace.number:
            self.last_success = self._clock.steady()
        self.revision += 1
        for error in errors:
            self._count(self.name, error.reason)
        self._log(errors, tried)
        for error in errors:
            _release_traceback(error)

    def _settle(self, started: float, now: float, reached: bool, errors: Sequence[FlatfileError]) -> None:
        """Work out when the next refresh is due: by the interval, or after a failure by a back-off with jitter.

        Where a part failed, the rest still wants its interval.
        """
        interval = self.settings.interval
        regular = started + interval - min(1.0, interval * TOLERANCE)
        if not errors:
            if self._failures:
                log.info("refresh succeeded again", extra=self._fields(failures=self._failures))
            self._failures = 0
            self._log_throttle.reset()
            self._due_at = regular
            return
        self._failures += 1
        wait = 0.0
        if self._failures > 1:
            longest = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 2, 20))
            wait = longest * random.uniform(0.5, 1.0)  # noqa: S311
        named = [error.retry_at for error in errors if error.retry_at is not None]
        if named:
            wait = max(wait, max(named) - asyncio.get_running_loop().time())
        self._due_at = min(now + wait, max(regular, now)) if reached else now + wait

    def _log(self, errors: Sequence[FlatfileError], tried: bool) -> None:
        """One line for each kind of failure. One that goes on is a line now and then, and one at each refresh when debugging."""
        kinds = Counter((error.reason, error.endpoint, error.status) for error in errors)
        for (reason, endpoint, status), number in kinds.items():
            first = next(e for e in errors if (e.reason, e.endpoint, e.status) == (reason, endpoint, status))
            in_all = self._log_throttle.should_log((reason, endpoint, status), number) if tried else None
            self.failures.append(
                Failure(self._clock.wall(), self.name, reason, endpoint, status, first.attempt, str(first), number)
            )
            number = in_all or number
            log.log(
                logging.DEBUG if in_all is None else logging.WARNING,
                "refresh failed" if tried else "refresh skipped: a required collector failed",
                extra=self._fields(
                    endpoint=endpoint or None,
                    status=status,
                    attempt=first.attempt,
                    reason=reason,
                    error=str(first),
                    times=number if number > 1 else None,
                ),
                exc_info=first if reason == "internal" and tried else None,
            )
        if not errors:
            log.debug(
                "refreshed", extra=self._fields(seconds=round(self.outcome.duration, 3) if self.outcome else None)
            )

    def _fields(self, **more: object) -> dict[str, dict[str, object]]:
        return fields(account=self._account, collector=self.name, **more)


def _release_traceback(error: BaseException | None) -> None:
    """Cut an error off from the frames it came through: they hold the answer that could not be used, of up to 64 MiB.

    An outcome keeps its errors for long. Frames and errors that hold each other would be freed late, or never.
    """
    while error is not None:
        error.__traceback__ = None
        _release_traceback(error.__cause__)
        error = error.__context__
