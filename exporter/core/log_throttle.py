"""What goes wrong again and again is said once, then now and then with how often it happened."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

SAY_AGAIN = 600.0  # seconds


@dataclass(slots=True)
class _Said:
    at: float
    since: int


class Repeats:
    """Decides for each kind of message whether to say it now. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._said: dict[Hashable, _Said] = {}

    def worth_saying(self, kind: Hashable, times: int = 1) -> int | None:
        """It happened so many times: how often since it was said last, this time included; `None`: keep silent now."""
        now = self._monotonic()
        said = self._said.get(kind)
        if said is not None:
            said.since += times
            if now < said.at + SAY_AGAIN:
                return None
            times = said.since
        self._said[kind] = _Said(now, 0)
        return times

    def over(self) -> None:
        """All is well: whatever happens next is new."""
        self._said.clear()
