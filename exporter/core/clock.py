"""The time, passed in wherever something depends on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` gives unix seconds; `monotonic` seconds that only ever go forward."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    _epoch: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_epoch", self.wall() - self.monotonic())

    def steady(self) -> float:
        """Return unix seconds that do not jump: the wall clock as it was when this was made, and what has passed since.

        Ages are measured by it. A wall clock that is set meanwhile changes none.
        """
        return self._epoch + self.monotonic()
