"""Log throttle: a message that repeats is logged once, then every ten minutes with the number of repetitions."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

REPEAT_AFTER = 600.0  # seconds


@dataclass(slots=True)
class _Logged:
    at: float
    since: int


class LogThrottle:
    """Decides for each kind of message whether to log it now. `monotonic` returns seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._logged: dict[Hashable, _Logged] = {}

    def should_log(self, kind: Hashable, times: int = 1) -> int | None:
        """Count `times` occurrences. Return how many there were since the last message, or `None` when not to log now."""
        now = self._monotonic()
        logged = self._logged.get(kind)
        if logged is not None:
            logged.since += times
            if now < logged.at + REPEAT_AFTER:
                return None
            times = logged.since
        self._logged[kind] = _Logged(now, 0)
        return times

    def reset(self) -> None:
        """Forget what was logged: the next message of each kind is logged at once."""
        self._logged.clear()
