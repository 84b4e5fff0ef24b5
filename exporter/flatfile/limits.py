"""Limits of one account: requests in flight, requests per second, and pauses that the server asks for."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

from exporter.flatfile.errors import RateLimited

_ROUNDING = 1e-9  # of a request: what is lost when seconds are multiplied


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    """A request in line. `turn` becomes True for a place in flight, False where a pause is longer than `max_pause`."""

    background: bool
    max_pause: Callable[[], float]
    turn: asyncio.Future[bool]


class Limiter:
    """Lets requests through one by one: at most `concurrency` in flight and `per_second`, in bursts of twice that.

    Work that no scrape waits for (`background`) goes last, leaves one place in flight free, and leaves half of the burst
    in the bucket, so that a long pass over many spaces does not slow down scrapes. Within each kind, first come is first
    served. `clock` is the event loop's.
    """

    def __init__(self, concurrency: int, per_second: float, clock: Callable[[], float]) -> None:
        self._concurrency = concurrency
        self._per_second = per_second
        self._burst = max(2 * per_second, 1.0)
        self._clock = clock
        self._tokens = self._burst
        self._filled_at = clock()
        self._paused_until = 0.0
        self._in_flight = 0
        self._line: list[tuple[bool, int, _Waiter]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    def pause(self, until: float) -> None:
        """Let nothing through before `until` (loop time). Requests in line that cannot wait so long fail."""
        self._paused_until = max(self._paused_until, until)
        left = self._paused_until - self._clock()
        for _, _, waiter in self._line:
            if not waiter.turn.done() and left > waiter.max_pause():
                waiter.turn.set_result(False)
        self._serve()

    @asynccontextmanager
    async def slot(self, max_pause: Callable[[], float], *, background: bool = False) -> AsyncIterator[None]:
        """Hold a place in flight. Raises RateLimited at once when the account is paused for longer than `max_pause()` seconds."""
        if self._paused_until - self._clock() > max_pause():
            raise self._paused()
        waiter = _Waiter(background, max_pause, asyncio.get_running_loop().create_future())
        heapq.heappush(self._line, (background, next(self._order), waiter))
        self._serve()
        try:
            served = await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled() and waiter.turn.result():
                self._leave()  # the place is free again
            else:
                waiter.turn.cancel()
                self._serve()
            raise
        if not served:
            raise self._paused()
        try:
            yield
        finally:
            self._leave()

    def _paused(self) -> RateLimited:
        left = self._paused_until - self._clock()
        return RateLimited(f"paused for another {left:.0f}s, as the server asked", retry_at=self._paused_until)

    def _leave(self) -> None:
        self._in_flight -= 1
        self._serve()

    def _serve(self) -> None:
        """Give free places to the requests in line, in their order."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._line:
            background, _, waiter = self._line[0]
            if not waiter.turn.done():
                if self._in_flight >= self._concurrency - (background and self._concurrency > 1):
                    return  # the next one to leave calls again
                wait = max(self._paused_until - now, (self._needed(background) - self._tokens) / self._per_second)
                if wait > 0:
                    self._timer = asyncio.get_running_loop().call_later(max(wait, 0.001), self._serve)
                    return
                self._tokens -= 1
                self._in_flight += 1
                waiter.turn.set_result(True)
            heapq.heappop(self._line)

    def _needed(self, background: bool) -> float:
        """How many requests the bucket must hold for one to be let through."""
        return min(1 + self._burst / 2, self._burst) - _ROUNDING if background else 1 - _ROUNDING
