"""Which samples are within max_age at one moment, and until when that holds."""

import math


class Freshness:
    """Checks the age of data at `now` (unix seconds). Data older than `max_age` (seconds) is withheld.

    `until` is the unix time up to which all checks made so far give the same result. `too_old` counts the data withheld.
    """

    def __init__(self, now: float, max_age: float) -> None:
        self.until = math.inf
        self.too_old = 0
        self._now = now
        self._max_age = max_age

    def __call__(self, at: float, max_age: float | None = None) -> bool:
        """Return whether data of `at` (unix seconds) may be shown; `max_age` (seconds) replaces the default."""
        until = at + (self._max_age if max_age is None else max_age)
        if until < self._now:
            self.too_old += 1
            return False
        self.until = min(self.until, until)
        return True
