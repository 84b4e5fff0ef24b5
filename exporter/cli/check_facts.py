"""What a probe of the API has found out about an account: what is allowed, what there is, what it will cost. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.account.one_shot import Trouble
from exporter.core.units import format_duration

ASSUMED_SCRAPE = 30.0
"""Seconds between scrapes, for collectors that ask at every scrape: only Prometheus knows."""
HOUR = 3600.0
MOST_OF_IT = 0.8
"""Part of the configured limit above which there is hardly room for retries, and for what happens at busy times."""
REFUSALS = ("unauthorized", "forbidden")

State = Literal["allowed", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class CollectorFacts:
    """A collector that was tried. Times in seconds, requests as numbers; `None` is not known.

    `reached`: not everything failed. `finished`: its first pass came to its end in time. `first` are the requests of that,
    `steady` those of a refresh after it; what a first pass asks more than that is asked again within `anew`. `estimated`:
    the requests were not counted. `count` is how many objects there are, within `window` where it has one. `unknown` are
    the environments (id, name) of which that could not be told.
    """

    collector: str
    interval: float
    max_age: float
    troubles: Sequence[Trouble] = ()
    reached: bool = True
    finished: bool = True
    first: int | None = None
    steady: int | None = None
    anew: float | None = None
    estimated: bool = False
    count: int | None = None
    window: float | None = None
    unknown: Sequence[tuple[str, str]] = ()

    @property
    def state(self) -> State:
        """Whether the API gives what the collector asks for; the worst of it."""
        if not self.troubles:
            return "allowed"
        return "refused" if all(trouble.reason in REFUSALS for trouble in self.troubles) else "failed"

    @property
    def in_part(self) -> bool:
        """Whether the rest could be asked."""
        return bool(self.troubles) and self.reached

    @property
    def every(self) -> float:
        """Seconds between two refreshes."""
        return self.interval or ASSUMED_SCRAPE

    @property
    def per_hour(self) -> float | None:
        """Requests in an hour of the steady state."""
        if self.first is None or self.steady is None:
            return None
        more = max(0, self.first - self.steady) * HOUR / self.anew if self.anew else 0.0
        return self.steady * HOUR / self.every + more


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account that was tried. `limit` is the configured number of requests a second; ids and names are Flatfile's."""

    name: str
    base_url: str
    limit: float
    collectors: Sequence[CollectorFacts]
    account_id: str | None = None
    account_name: str | None = None

    @property
    def ok(self) -> bool:
        """Whether everything that is configured works."""
        return all(facts.state == "allowed" for facts in self.collectors)

    @property
    def first(self) -> int:
        """Requests of the first pass, as far as they are known."""
        return sum(facts.first or 0 for facts in self.collectors)

    @property
    def per_hour(self) -> float:
        """Requests in an hour of the steady state, as far as they are known."""
        return sum(facts.per_hour or 0.0 for facts in self.collectors)

    @property
    def complete(self) -> bool:
        """Whether the requests of all collectors are known."""
        return all(facts.per_hour is not None for facts in self.collectors)

    @property
    def estimated(self) -> bool:
        """Whether some of the requests were not counted."""
        return any(facts.estimated for facts in self.collectors)

    @property
    def limit_per_hour(self) -> float:
        """Requests that the configuration allows in an hour."""
        return self.limit * HOUR

    @property
    def share(self) -> float:
        """The part of the limit that is used: above 1 it does not fit."""
        return self.per_hour / self.limit_per_hour

    def warnings(self) -> list[str]:
        """What will work, but not as it is meant to, in sentences for the user."""
        found = []
        if self.share > MOST_OF_IT:
            most = max(self.collectors, key=lambda facts: facts.per_hour or 0.0)
            means = (
                "data will be older than the intervals say"
                if self.share > 1
                else "hardly any room is left for busy times"
            )
            found.append(
                f"about {self.per_hour:.0f} requests an hour are {self.share:.0%} of what requests.per_second "
                f"({self.limit:g}) allows: {means}. Raise it, or intervals; most are for {most.collector}."
            )
        for facts in self.collectors:
            seconds = (facts.first or 0) / self.limit
            if seconds > facts.max_age:
                found.append(
                    f"the first pass of {facts.collector} takes {rough(seconds)} at requests.per_second ({self.limit:g}), "
                    f"longer than its max_age ({format_duration(facts.max_age)}): for so long after each start, not all of its "
                    "metrics are there."
                )
        return found


def rough(seconds: float) -> str:
    """A duration in its two largest units."""
    if seconds < HOUR:
        return f"{seconds / 60:.0f}m" if seconds >= 60 else f"{seconds:.0f}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h{minutes % 60}m"
