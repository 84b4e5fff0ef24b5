"""Which events are wanted: from when to when, of which environments and topics. Pure."""

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime

from exporter.config import Globs
from exporter.core.units import parse_duration
from exporter.flatfile import times

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Moment:
    """A time as the user gives it: so many seconds ago, or a fixed one (unix seconds)."""

    ago: float | None = None
    fixed: float | None = None

    def at(self, now: float) -> float:
        """The time in unix seconds."""
        return now - self.ago if self.ago is not None else self.fixed or 0.0


def parse_moment(text: str) -> Moment:
    """Read a duration (`24h`: so long ago) or a time (`2026-11-01T00:00:00Z`, `2026-11-01`: midnight UTC).

    Raises ValueError that says what is wrong.
    """
    if _DATE.fullmatch(text):
        fixed = times.unix(text.upper())
        if fixed is None:
            raise ValueError(f"{text!r} is no time: write it like {datetime(2026, 11, 1, 9, 30, tzinfo=UTC):%FT%TZ}")
        return Moment(fixed=fixed)
    try:
        return Moment(ago=parse_duration(text))
    except ValueError as error:
        raise ValueError(f"{text!r} {error}, or a time such as 2026-11-01T09:30:00Z") from None


@dataclass(frozen=True, slots=True)
class Selection:
    """What is told. `configured` are the environments that the configuration selects; empty globs select everything.

    `until` is in unix seconds: no event after it.
    """

    configured: Globs
    environments: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    until: float = math.inf

    def environment(self, id_: str, name: str | None) -> bool:
        """Whether an environment's events are wanted. `name` is `None` where it is not known: the id alone counts then.

        An empty id is none: such events are wanted only where no environment is left out.
        """
        if not id_:
            return not self.environments and self.configured.matches_all
        known = (id_,) if name is None else (name, id_)
        chosen = Globs(self.environments or ("*",), ())
        return self.configured.match(*known) and chosen.match(*known)

    def topic(self, topic: str | None) -> bool:
        """Whether events of this topic are wanted."""
        return Globs(self.topics or ("*",), ()).match(topic or "")
