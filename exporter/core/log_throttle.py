"""Log throttle: a message that repeats is logged once, then every ten minutes with the number of repetitions."""

import math
from collections.abc import Callable, Hashable

REPEAT_AFTER = 600.0  # seconds


class LogThrottle:
    """Decides for each kind of message whether to log it now. `monotonic` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._logged: dict[Hashable, tuple[float, int]] = {}  # when, and how many times since

    def should_log(self, kind: Hashable, times: int = 1) -> int | None:
        """Count `times` occurrences. Return how many there were since the last message, or `None` when not to log now."""
        now = self._monotonic()
        logged_at, since = self._logged.get(kind, (-math.inf, 0))
        times += since
        if now < logged_at + REPEAT_AFTER:
            self._logged[kind] = logged_at, times
            return None
        self._logged[kind] = now, 0
        return times

    def reset(self) -> None:
        """Forget what was logged: the next message of each kind is logged at once."""
        self._logged.clear()
