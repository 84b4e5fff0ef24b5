"""The time, passed in wherever something depends on it."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clock:
    """`wall` gives unix seconds; `monotonic` seconds that only ever go forward."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
