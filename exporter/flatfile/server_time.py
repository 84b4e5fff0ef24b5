"""The time by the server's clock, from the `Date` headers of its answers, and by the clock that its objects' times are of."""

import math
from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE = 1.0  # seconds beyond what a header can tell: a smaller difference is none
MIN_FIRST = 2  # answers in a row that agree, before the first is believed: those to the collector environments
MIN_ANSWERS = 5  # the same for one that contradicts what is known
MIN_SECONDS = 60.0  # over which they must have come
MAX_DIFFERENCE = 5.0  # seconds between our clock and the server's that are taken for agreement


@dataclass(slots=True)
class _Claim:
    """A difference that answers in a row agree on: seconds between `least` and `most`, and since when."""

    least: float
    most: float
    since: float
    answers: int = 1


class ServerTime:
    """How far the server's clock is ahead of ours. A header is to the second, and as old as the answer took to come.

    `steady` gives unix seconds by our clock that do not jump. One server of several whose clock is wrong, or a proxy that
    adds a date of its own, changes nothing: a new difference is believed when all answers of a while agree on it.
    """

    def __init__(self, steady: Callable[[], float]) -> None:
        self._steady = steady
        self._ahead = 0.0
        self._known = False
        self._claim: _Claim | None = None
        self._newest = -math.inf  # of all objects: seconds by which one's time was ahead of our clock when it came

    @property
    def now(self) -> float:
        """Unix seconds by the server's clock."""
        return self._steady() + self._ahead

    @property
    def objects_now(self) -> float:
        """Unix seconds by the clock that the times of objects are of.

        Where ours and the headers differ one of them is wrong, and the objects tell which: none is created in the future. The
        earlier clock is believed, until an object was newer.
        """
        if not self.differs:
            return self.now
        earlier, later = sorted((0.0, self._ahead))
        return self._steady() + (later if self._newest > earlier + MAX_DIFFERENCE else earlier)

    @property
    def differs(self) -> bool:
        """Whether our clock and the headers contradict each other."""
        return abs(self._ahead) > MAX_DIFFERENCE

    def note_objects(self, newest: float) -> None:
        """Add the newest time of objects that have come just now (unix seconds). One after both clocks tells nothing."""
        ahead = newest - self._steady()
        if ahead <= max(0.0, self._ahead) + MAX_DIFFERENCE:
            self._newest = max(self._newest, ahead)

    def note(self, date: float, asked: float, answered: float) -> None:
        """Add an answer: its `Date`, and when by our clock it was requested and complete (all unix seconds)."""
        least, most = date - answered - TOLERANCE, date + 1.0 - asked + TOLERANCE
        if least <= self._ahead <= most:
            self._claim = None
            self._known = True
            return
        claim = self._claim
        if claim is None or least > claim.most or most < claim.least:
            claim = self._claim = _Claim(least, most, answered)
        else:
            claim.least, claim.most = max(least, claim.least), min(most, claim.most)
            claim.answers += 1
        if self._known and (claim.answers < MIN_ANSWERS or answered - claim.since < MIN_SECONDS):
            return
        if claim.answers >= MIN_FIRST:
            self._ahead = (claim.least + claim.most) / 2
            self._known = True
            self._claim = None
