"""What is not too old to be shown at one moment, and until when that stays so."""

import math


class Freshness:
    """Judges data by its age at `now` (unix seconds). Data older than `max_age` (seconds) is withheld.

    `until` is the unix time up to which every judgement made so far holds: what was fresh is too old after it. `too_old`
    counts what was not.
    """

    def __init__(self, now: float, max_age: float) -> None:
        self.until = math.inf
        self.too_old = 0
        self._now = now
        self._max_age = max_age

    def __call__(self, at: float, max_age: float | None = None) -> bool:
        """Whether what was asked for `at` (unix seconds) may be shown; `max_age` (seconds) where it has one of its own."""
        until = at + (self._max_age if max_age is None else max_age)
        if until < self._now:
            self.too_old += 1
            return False
        self.until = min(self.until, until)
        return True
