"""What a probe of the API has found out, as a text for people and as JSON. Pure; no secret and nothing personal."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from exporter.account.one_shot import Trouble
from exporter.cli.check_facts import ASSUMED_SCRAPE, AccountFacts, CollectorFacts
from exporter.core.printable import printable
from exporter.core.units import format_duration

WIDTH = 100
MOST_NAMED = 5  # environments that are named one by one
HEADINGS = ("collector", "answer", "there is", "first", "then", "every", "anew", "an hour")
LEGEND = f"""\
first: requests of the first pass; then: of a refresh after it; every: its interval (scrape: \
at every scrape, taken to be every {ASSUMED_SCRAPE:.0f}s); anew: time within which what only the first pass asks is \
asked again; an hour: requests in an hour of all that, while little happens."""
ESTIMATE = (
    "~: estimated, not counted: guests are asked by a request for each space, and most of these were not made; a refresh for "
    "which no time was left is taken to be as large as the first pass."
)


def text(accounts: Sequence[AccountFacts]) -> str:
    """Write a table for each account, and below it what is wrong."""
    return "\n".join("".join(f"{line}\n" for line in _account(account)) for account in accounts)


def _account(account: AccountFacts) -> Iterator[str]:
    yield f"account {printable(account.name)} at {printable(account.base_url)}"
    if account.account_id is not None:
        yield f"  in Flatfile: {printable(account.account_name or '')} ({printable(account.account_id)})"
    yield ""
    known = any(facts.per_hour is not None for facts in account.collectors)
    rows = [HEADINGS, *(_row(facts) for facts in account.collectors), *([_total(account)] if known else [])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        cells = (
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  " + "  ".join(cells).rstrip()
    yield ""
    if known:
        yield from _wrapped(_sum(account))
        yield from _wrapped(LEGEND)
    if account.estimated:
        yield from _wrapped(ESTIMATE)
    for facts in account.collectors:
        if not facts.finished and not facts.estimated and not facts.troubles:
            yield from _wrapped(f"{facts.collector}: the first pass goes on for longer than this command.", "… ")
    for trouble, collectors in _by_trouble(account).items():
        which = "all collectors" if len(collectors) == len(account.collectors) else ", ".join(collectors)
        yield from _wrapped(f"{which}: {trouble}", "✗ ")
    for facts in account.collectors:
        if facts.in_part and facts.unknown:
            yield from _wrapped(f"{facts.collector}: not known of {_named(facts.unknown)}", "✗ ")
    for warning in account.warnings():
        yield from _wrapped(f"warning: {warning}", "! ")


def _row(facts: CollectorFacts) -> tuple[str, ...]:
    return (
        facts.collector,
        _answer(facts),
        _there_is(facts),
        _first(facts),
        _about(facts.steady, facts),
        "scrape" if not facts.interval else format_duration(facts.interval),
        "" if facts.anew is None else format_duration(facts.anew),
        _about(facts.per_hour, facts),
    )


def _total(account: AccountFacts) -> tuple[str, ...]:
    least = "" if account.complete else ">"
    return (
        "together",
        "",
        "",
        least + _about(account.first, account),
        "",
        "",
        "",
        least + _about(account.per_hour, account),
    )


def _answer(facts: CollectorFacts) -> str:
    if not facts.troubles:
        return "allowed"
    return f"{facts.state}{' in part' if facts.in_part else ''}: {facts.troubles[0].reason}"  # the others are below the table


def _there_is(facts: CollectorFacts) -> str:
    if facts.count is None:
        return ""
    return f"{facts.count}" if facts.window is None else f"{facts.count} in {format_duration(facts.window)}"


def _first(facts: CollectorFacts) -> str:
    unfinished = not facts.finished and not facts.estimated and facts.first is not None
    return (">" if unfinished else "") + _about(facts.first, facts)


def _about(number: float | None, facts: CollectorFacts | AccountFacts) -> str:
    return "" if number is None else f"{'~' if facts.estimated else ''}{number:.0f}"


def _sum(account: AccountFacts) -> str:
    least = "about" if account.complete else "at least"
    allowed = f"the {account.limit_per_hour:.0f} that requests.per_second ({account.limit:g}) allows"
    return f"{least} {account.per_hour:.0f} requests an hour, {account.share:.1%} of {allowed}."


def _by_trouble(account: AccountFacts) -> dict[Trouble, list[str]]:
    """What is wrong, and with which collectors: what one of them fails of often fails the others too."""
    found: dict[Trouble, list[str]] = {}
    for facts in account.collectors:
        for trouble in facts.troubles:
            found.setdefault(trouble, []).append(facts.collector)
    return found


def _named(environments: Sequence[tuple[str, str]]) -> str:
    named = ", ".join(f"{printable(name)} ({printable(id_)})" for id_, name in environments[:MOST_NAMED])
    more = len(environments) - MOST_NAMED
    return f"{named} and {more} more" if more > 0 else named


def _wrapped(sentence: str, mark: str = "") -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=f"  {mark}", subsequent_indent="  " + " " * len(mark))


def as_json(accounts: Sequence[AccountFacts]) -> str:
    """Write the same as one JSON object; docs/operating.md says what its keys mean."""
    said = {
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
                    "limit_per_hour": round(account.limit_per_hour, 1),
                    "limit_used": round(account.share, 4),
                },
                "warnings": account.warnings(),
            }
            for account in accounts
        ],
    }
    return json.dumps(said, indent=2) + "\n"


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
            "anew_seconds": facts.anew,
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
