"""A way of asking that the API may refuse: given up after two refusals in a row, and tried again within the hour."""

from collections.abc import Callable

MAX_REFUSALS = 2
RETRY_AFTER = 3300.0  # seconds


class Way:
    """An account-wide list, for example. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._refusals = 0
        self._refused_at = 0.0
        self.has_worked = False

    @property
    def open(self) -> bool:
        """Whether it is worth a request now."""
        return self._refusals < MAX_REFUSALS or self._monotonic() >= self._refused_at + RETRY_AFTER

    def works(self) -> None:
        """Note that it worked."""
        self._refusals, self.has_worked = 0, True

    def refused(self) -> bool:
        """Note that it was refused; return whether that is the first time after it worked: maybe a hiccup."""
        self._refusals += 1
        self._refused_at = self._monotonic()
        return self.has_worked and self._refusals == 1
