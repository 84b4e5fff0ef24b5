"""What the collector `events` has seen of late: where something happens, and when each event was created. Pure."""

from collections.abc import Callable

KEPT = 3600.0  # seconds for which the time of an event is kept
MOST_EVENTS = 50_000  # of which the time is kept: about 5 MB
MOST_ENVIRONMENTS = 2000  # events may name environments that nobody lists


class Happenings:
    """A memory of new events, for collectors that look where something happens.

    `clock` gives seconds that only ever go forward. Where nobody is `interested`, nothing is kept.
    """

    def __init__(self, clock: Callable[[], float], *, interested: bool = True) -> None:
        self._clock = clock
        self._interested = interested
        # By the 64-bit hash of the id, in the order seen. Two of 50,000 ids share one with a probability of 1 in 10^10.
        self._created: dict[int, float] = {}
        self._happened_at: dict[str, float] = {}
        self._followed_at: dict[str, float] = {}

    def note(self, environment: str, event: str, created: float) -> None:
        """A new event was seen; `created` is its own time (unix seconds)."""
        if not self._interested:
            return
        self._created[hash(event)] = created
        if len(self._created) > MOST_EVENTS:
            del self._created[next(iter(self._created))]
        self._happened_at.pop(environment, None)
        self._happened_at[environment] = self._clock()
        if len(self._happened_at) > MOST_ENVIRONMENTS:
            del self._happened_at[next(iter(self._happened_at))]

    def follow(self, environment: str, now: float) -> None:
        """All events of the environment have been read; `now`: unix seconds, to tell which events are old."""
        self._followed_at[environment] = self._clock()
        while self._created:
            oldest = next(iter(self._created))
            if self._created[oldest] >= now - KEPT:
                break
            del self._created[oldest]

    def quiet(self, environment: str, *, for_: float, followed_within: float) -> bool:
        """Whether it is known that nothing has happened there `for_` so many seconds.

        It is not known where the events were not read `followed_within` that time.
        """
        now = self._clock()
        if self._followed_at.get(environment, float("-inf")) < now - followed_within:
            return False
        return self._happened_at.get(environment, float("-inf")) < now - for_

    def created(self, event: str) -> float | None:
        """When the event was created, in unix seconds; `None` where it has not been seen, or too long ago."""
        return self._created.get(hash(event))
