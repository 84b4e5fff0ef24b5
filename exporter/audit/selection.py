"""Which events are wanted: times, environments and topics. Pure."""

import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from exporter.config import Globs, matches
from exporter.core.units import parse_duration
from exporter.flatfile import times

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?", re.IGNORECASE)


def parse_time(text: str, now: Callable[[], float] = time.time) -> float:
    """Read a duration ago (`24h`) or a time (`2026-11-01T00:00:00Z`, `2026-11-01`: midnight UTC) as unix seconds.

    Raises ValueError with what is wrong.
    """
    if _DATE.fullmatch(text):
        fixed = times.unix(text.upper())
        if fixed is None:
            raise ValueError(f"{text!r} is not a time: write it like 2026-11-01T09:30:00Z")
        return fixed
    try:
        return now() - parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{text!r} {error}, or a time such as 2026-11-01T09:30:00Z") from None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events are wanted, none later than `until` (unix seconds). Empty globs select everything.

    `configured` and `ids` are the environments that the configuration selects.
    """

    configured: Globs
    environments: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    until: float = math.inf
    ids: tuple[str, ...] = ()

    def environment(self, id_: str, name: str | None) -> bool:
        """Whether an environment's events are wanted. If its name is not known, only the id counts.

        Events without an environment (an empty id) are wanted only if no environment is excluded.
        """
        if not id_:
            return not self.environments and not self.ids and self.configured.matches_all
        if self.ids and id_ not in self.ids:
            return False
        known = (id_,) if name is None else (name, id_)
        return self.configured.match(*known) and matches(self.environments or "*", *known)

    def event(self, environment: str, name: str | None, topic: str | None) -> bool:
        """Whether an event of this environment and topic is wanted."""
        return matches(self.topics or "*", topic or "") and self.environment(environment, name)

    def unmatched(self, listed: Mapping[str, str]) -> list[str]:
        """Return the globs of --environment that match none of the environments (names by id)."""
        return [glob for glob in self.environments if not any(matches([glob], *item) for item in listed.items())]
