"""A count over many rows, kept until they change, and for a minute at most: counts by age change with time alone."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

MAX_AGE = 60.0  # seconds


class Memo(Generic[T]):
    """Used on the account's thread alone. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._kept: tuple[float, T] | None = None

    def clear(self) -> None:
        """Count again the next time."""
        self._kept = None

    def get(self, count: Callable[[], T]) -> T:
        """Return what was counted, or count."""
        now = self._monotonic()
        if self._kept is None or now >= self._kept[0] + MAX_AGE:
            self._kept = (now, count())
        return self._kept[1]
