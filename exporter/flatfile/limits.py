"""How much one account may ask: requests in flight, requests a second, and a pause after a 429."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count

from exporter.flatfile.errors import RateLimited


class Limiter:
    """Lets requests through one by one: at most `concurrency` in flight and `per_second`, in bursts of twice that.

    Work that no scrape waits for (`background`) goes last, leaves one place in flight free, and leaves half of the burst
    in the bucket, so that a long pass over many spaces does not slow down scrapes. `clock` is the event loop's.
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
        self._waiting: list[tuple[bool, int, asyncio.Future[None]]] = []
        self._order = count()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def paused_until(self) -> float:
        """The loop time until which a 429 keeps the account from asking."""
        return self._paused_until

    def pause(self, until: float) -> None:
        """Let nothing through before `until` (loop time)."""
        self._paused_until = max(self._paused_until, until)
        for _, _, waiter in self._waiting:
            if not waiter.done():
                waiter.set_result(None)  # each decides for itself whether it can wait that long
        self._waiting.clear()

    @asynccontextmanager
    async def slot(self, patience: Callable[[], float], *, background: bool = False) -> AsyncIterator[None]:
        """Hold a place in flight. Raises RateLimited at once when the account is paused for longer than `patience()` s."""
        turn = (background, next(self._order))
        while (self._waiting and self._waiting[0][:2] < turn) or not self._take(background):
            pause = self._paused_until - self._clock()
            if pause > patience():
                raise RateLimited(f"paused for another {pause:.0f}s by a 429", retry_at=self._paused_until)
            waiter = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiting, (*turn, waiter))
            self._arm()
            await waiter
        try:
            if self._waiting and self._in_flight < self._concurrency and self._tokens >= 1:
                self._wake()  # there is room for the next one as well
            yield
        finally:
            self._in_flight -= 1
            self._wake()

    def _take(self, background: bool) -> bool:
        """Take a place and a token, if there is one for this kind of work."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._per_second)
        self._filled_at = now
        spare = 1 if background and self._concurrency > 1 else 0
        reserve = self._burst / 2 if background else 0.0
        if now < self._paused_until or self._in_flight >= self._concurrency - spare:
            return False
        if self._tokens < 1 + min(reserve, self._burst - 1):
            return False
        self._tokens -= 1
        self._in_flight += 1
        return True

    def _wake(self) -> None:
        """Let the first that waits look again."""
        while self._waiting:
            _, _, waiter = heapq.heappop(self._waiting)
            if not waiter.done():
                waiter.set_result(None)
                break
        self._arm()

    def _arm(self) -> None:
        """See to it that those who wait for time to pass, not for a place, are woken."""
        if self._timer is not None or not self._waiting:
            return
        now = self._clock()
        delay = max(self._paused_until - now, (1 - self._tokens) / self._per_second, 0.5 / self._per_second, 0.001)
        self._timer = asyncio.get_running_loop().call_later(min(delay, 1.0), self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._wake()
