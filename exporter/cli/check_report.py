"""The report of a probe of the API, as a table for people and as JSON. Pure; no secret and no personal data."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.account.one_shot import Trouble
from exporter.core.printable import printable
from exporter.core.units import format_duration

WIDTH = 100
MAX_NAMED = 5  # environments named one by one
ASSUMED_SCRAPE = 30.0
"""Seconds between scrapes, for collectors that query at every scrape: only Prometheus knows."""
HOUR = 3600.0
ENOUGH_ROOM = 0.8
"""The part of the configured rate above which little is left for retries and busy times."""
REFUSALS = ("unauthorized", "forbidden")
COLUMNS = ("collector", "credentials", "objects", "per refresh", "full resync", "per hour")
LEGEND = f"""\
per refresh: requests / interval (scrape: each scrape, assumed to be every {ASSUMED_SCRAPE:.0f}s); full resync: requests of \
a full read / how often it is made; per hour: requests of both."""
ESTIMATE = "~: estimated, because the requests would have taken too long."

State = Literal["allowed", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class CollectorFacts:
    """A collector that was tried. Times are in seconds, requests are numbers, `None` is not known.

    `reached`: not everything failed. `finished`: the first refresh ended in time. It made `first` requests, one after it
    makes `steady`; the difference is made again every `resync`. `estimated`: the requests were not counted. `count` is the
    number of objects, within `window` if it has one. `unknown` are the environments (id, name) that could not be read.
    """

    collector: str
    interval: float
    max_age: float
    troubles: Sequence[Trouble] = ()
    reached: bool = True
    finished: bool = True
    first: int | None = None
    steady: int | None = None
    resync: float | None = None
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
        """Whether only a part failed."""
        return bool(self.troubles) and self.reached

    @property
    def per_hour(self) -> float | None:
        """Requests in an hour when little happens."""
        if self.first is None or self.steady is None:
            return None
        more = max(0, self.first - self.steady) * HOUR / self.resync if self.resync else 0.0
        return self.steady * HOUR / (self.interval or ASSUMED_SCRAPE) + more


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """An account that was tried. `limit` is the configured rate of requests a second; ids and names are Flatfile's.

    `unmatched` are sentences on patterns of the configuration that match nothing.
    """

    name: str
    base_url: str
    limit: float
    collectors: Sequence[CollectorFacts]
    account_id: str | None = None
    account_name: str | None = None
    unmatched: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that is configured works."""
        return all(facts.state == "allowed" for facts in self.collectors)

    @property
    def first(self) -> int:
        """Requests of the first refresh, as far as they are known."""
        return sum(facts.first or 0 for facts in self.collectors)

    @property
    def per_hour(self) -> float:
        """Requests in an hour when little happens, as far as they are known."""
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
    def limit_used(self) -> float:
        """The part of the configured rate that is used; above 1, it is too low."""
        return self.per_hour / (self.limit * HOUR)

    def warnings(self) -> Iterator[str]:
        """Yield what works, but not as intended, as sentences for the user."""
        yield from self.unmatched
        if self.limit_used > ENOUGH_ROOM:
            means = "little is left for busy times" if self.limit_used <= 1 else "data will be older than the intervals"
            most = max(self.collectors, key=lambda facts: facts.per_hour or 0.0)
            yield (
                f"about {self.per_hour:.0f} requests per hour are {self.limit_used:.0%} of what requests.per_second "
                f"({self.limit:g}) allows: {means}. Raise it, or the intervals; {most.collector} needs most."
            )
        for facts in self.collectors:
            seconds = (facts.first or 0) / self.limit
            if seconds > facts.max_age:
                took = format_duration(round(seconds / 60) * 60 or round(seconds))
                yield (
                    f"the first refresh of {facts.collector} takes {took} at requests.per_second ({self.limit:g}), longer than "
                    f"its max_age ({format_duration(facts.max_age)}): until then, some of its metrics are missing."
                )


def text(accounts: Sequence[AccountFacts]) -> str:
    """Return a table for each account, and below it what is wrong."""
    return "\n".join("".join(f"{line}\n" for line in _account(account)) for account in accounts)


def _account(account: AccountFacts) -> Iterator[str]:
    yield f"account {printable(account.name)} at {printable(account.base_url)}"
    if account.account_id is not None:
        yield f"  in Flatfile: {printable(account.account_name or '')} ({printable(account.account_id)})"
    yield ""
    rows = [COLUMNS, *map(_row, account.collectors)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths)))  # noqa: B905
        yield "  " + "  ".join(cells).rstrip()
    yield ""
    if any(facts.per_hour is not None for facts in account.collectors):
        least = "about" if account.complete else "at least"
        yield from _wrapped(
            f"First refresh: {least} {account.first} requests. Then {least} {account.per_hour:.0f} requests per hour, "
            f"{account.limit_used:.1%} of the {account.limit * HOUR:.0f} that requests.per_second ({account.limit:g}) allows."
        )
        yield from _wrapped(LEGEND)
    if account.estimated:
        yield from _wrapped(ESTIMATE)
    troubles: dict[Trouble, list[str]] = {}  # one cause often has several collectors fail
    for facts in account.collectors:
        if not (facts.finished or facts.estimated or facts.troubles):
            yield from _wrapped(f"{facts.collector}: the first refresh takes longer than this command.", "… ")
        for trouble in facts.troubles:
            troubles.setdefault(trouble, []).append(facts.collector)
    for trouble, names in troubles.items():
        which = "all collectors" if len(names) == len(account.collectors) else ", ".join(names)
        yield from _wrapped(f"{which}: {trouble}", "✗ ")
    for facts in account.collectors:
        if facts.in_part and facts.unknown:
            yield from _wrapped(f"{facts.collector}: could not be read in {_named(facts.unknown)}", "✗ ")
    for warning in account.warnings():
        yield from _wrapped(f"warning: {warning}", "! ")


def _row(facts: CollectorFacts) -> tuple[str, ...]:
    about = "~" if facts.estimated else "" if facts.finished else ">"
    every = format_duration(facts.interval) if facts.interval else "scrape"
    resync = facts.resync and facts.first is not None and facts.first > (facts.steady or 0)
    return (
        facts.collector,
        _credentials(facts),
        _objects(facts),
        "" if facts.steady is None else f"{about}{facts.steady} / {every}",
        f"{about}{facts.first} / {format_duration(facts.resync or 0)}" if resync else "",
        "" if facts.per_hour is None else f"{about}{facts.per_hour:.0f}",
    )


def _credentials(facts: CollectorFacts) -> str:
    if not facts.troubles:
        return "allowed"
    return f"{facts.state}{' in part' if facts.in_part else ''}: {facts.troubles[0].reason}"  # the others are below


def _objects(facts: CollectorFacts) -> str:
    if facts.count is None:
        return ""
    return f"{facts.count}" if facts.window is None else f"{facts.count} in {format_duration(facts.window)}"


def _named(environments: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(f"{printable(name)} ({printable(id_)})" for id_, name in environments[:MAX_NAMED])
    more = len(environments) - MAX_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _wrapped(sentence: str, mark: str = "") -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=f"  {mark}", subsequent_indent="  " + " " * len(mark))


def as_json(accounts: Sequence[AccountFacts]) -> str:
    """Return the same as one JSON object."""
    report = {
        "ok": all(account.ok for account in accounts),
        "assumed_scrape_interval_seconds": ASSUMED_SCRAPE,
        "accounts": [
            {
                "name": account.name,
                "ok": account.ok,
                "base_url": account.base_url,
                "account_id": account.account_id,
                "account_name": account.account_name,
                "collectors": [_collector(facts) for facts in account.collectors],
                "requests": {
                    "first": account.first,
                    "per_hour": round(account.per_hour, 1),
                    "complete": account.complete,
                    "estimated": account.estimated,
                    "limit_per_hour": round(account.limit * HOUR, 1),
                    "limit_used": round(account.limit_used, 4),
                },
                "warnings": [*account.warnings()],
            }
            for account in accounts
        ],
    }
    return json.dumps(report, indent=2) + "\n"


def _collector(facts: CollectorFacts) -> dict[str, object]:
    return {
        "collector": facts.collector,
        "state": facts.state,
        "in_part": facts.in_part,
        "finished": facts.finished,
        "count": facts.count,
        "window_seconds": facts.window,
        "interval_seconds": facts.interval,
        "requests": {
            "first": facts.first,
            "steady": facts.steady,
            "anew_seconds": facts.resync,
            "per_hour": None if facts.per_hour is None else round(facts.per_hour, 1),
            "estimated": facts.estimated,
        },
        "troubles": [
            {
                "reason": trouble.reason,
                "endpoint": trouble.endpoint or None,
                "status": trouble.status,
                "text": trouble.text,
                "advice": trouble.advice,
            }
            for trouble in facts.troubles
        ],
        "environments_unknown": [{"id": id_, "name": name} for id_, name in facts.unknown],
    }
