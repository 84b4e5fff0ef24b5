"""Which events of one account have been told: how far each environment has been read, and the ids since a little before.

The API documents neither the order of events, nor whether `since` includes its own moment, nor how late an event may become
visible. So every pass asks again for the last `overlap` seconds before the newest event, and ids tell what is new. An
environment that could not be read keeps its place while others go on. Pure.
"""

from collections.abc import Iterable

import msgspec

WIDE = ""
"""The stream of the whole account, and of events that name no environment."""


class Place(msgspec.Struct):
    """A cursor as it is stored. All times are unix seconds by the server's clock.

    `start` is the time from which events are wanted. `read` holds, for each stream, up to when everything has been told but
    for what comes late; `told` the ids told since `overlap` seconds before that, with their times.
    """

    start: float
    read: dict[str, float] = msgspec.field(default_factory=dict)
    told: dict[str, dict[str, float]] = msgspec.field(default_factory=dict)


class Cursor:
    """Moves a `Place` on. An event that becomes visible at most `overlap` seconds after its `createdAt` is never lost."""

    def __init__(self, place: Place, overlap: float) -> None:
        self.place = place
        self._overlap = overlap

    def since(self, stream: str) -> float:
        """The moment from which the stream must be asked."""
        return max(self.place.start, self._read(stream) - self._overlap)

    def behind(self, environment: str) -> bool:
        """Whether the whole account has been read further than this environment."""
        return self._read(environment) < self._read(WIDE)

    @property
    def streams(self) -> frozenset[str]:
        """All that was ever read."""
        return frozenset(self.place.read)

    def is_new(self, stream: str, event_id: str, at: float) -> bool:
        """Whether an event must be told; `stream` is its environment."""
        told = self.place.told
        # It may have been told when its environment was not known, or be known now that it has been told.
        lists = told.values() if stream == WIDE else (told.get(stream, {}), told.get(WIDE, {}))
        return at >= self.since(stream) and not any(event_id in ids for ids in lists)

    def tell(self, stream: str, event_id: str, at: float) -> None:
        """Note that an event has been told."""
        self.place.told.setdefault(stream, {})[event_id] = at

    def advance(self, streams: Iterable[str], to: float) -> bool:
        """Note that everything up to `to` has been told in these streams, and say whether that moved anything."""
        moved = False
        for stream in streams:
            if to <= self._read(stream):
                if stream not in self.place.read:
                    self.place.read[stream] = self._read(stream)
                    moved = True
                continue
            moved = True
            self.place.read[stream] = to
            since = self.since(stream)
            told = {id_: at for id_, at in self.place.told.pop(stream, {}).items() if at >= since}
            if told:
                self.place.told[stream] = told
        return moved

    def _read(self, stream: str) -> float:
        return self.place.read.get(stream, self.place.start)
