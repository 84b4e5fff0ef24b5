"""The debug page: the requests of a scrape, where its time went, what is withheld and why. No secrets and no personal data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode

from exporter.account.account import Account, Status, Withheld
from exporter.account.refresh import Failure
from exporter.core.printable import printable
from exporter.flatfile.trace import Trace

MAX_NAMED = 10  # environments that are named one by one


@dataclass(frozen=True, slots=True)
class Explained:
    """An account at `now` (unix seconds): its collectors, and by collector what is withheld."""

    name: str
    now: float
    statuses: Sequence[Status]
    withheld: Mapping[str, Withheld]
    max_age: Mapping[str, float]
    failures: Sequence[Failure]
    exchanged: Trace

    @classmethod
    async def of(cls, account: Account, now: float) -> "Explained":
        statuses = account.status()
        return cls(
            account.name,
            now,
            statuses,
            await account.withheld(),
            {name: settings.max_age for name, settings in account.config.collectors.items()},
            account.failures(),
            account.exchanged,
        )


def explain(account: Explained, metrics: str) -> str:
    """Return the text; `metrics` is the page that a scrape would have returned."""
    lines = [f"Account {printable(account.name)}, as of {_time(account.now)}."]
    for status in account.statuses:
        lines += ["", *_collector(account, status)]
    if account.exchanged.number:
        lines += ["", "token:", *_requests(account.exchanged, "the last token exchange")]
    lines += ["", "Latest failures, the newest first:"]
    lines += [f"  {_failure(failure)}" for failure in account.failures] or ["  none"]
    return "\n".join([*lines, "", "Metrics that a scrape would have returned:", "", metrics])


def _collector(account: Explained, status: Status) -> Iterator[str]:
    yield f"{status.collector}: {_state(status)}"
    age = "never complete" if status.last_success is None else f"complete {account.now - status.last_success:.1f}s ago"
    due = "in progress" if status.running else f"in {status.due_in:.0f}s" if status.due_in else "at the next scrape"
    yield f"  data: {age}; next refresh: {due}"
    withheld = _withheld(account.withheld[status.collector], account.max_age.get(status.collector))
    yield f"  withheld: {withheld or 'nothing'}"
    which = "the refresh in progress" if status.running else "the last refresh"
    yield from _times(status.trace, which)
    yield from _requests(status.trace, which)


def _times(trace: Trace, which: str) -> Iterator[str]:
    """Where the time went. The parts add up."""
    spent = {what: round(seconds * 1000) for what, seconds in trace.spent().items()}
    parts = [f"{milliseconds} ms {what.value}" for what, milliseconds in spent.items() if milliseconds]
    yield f"  time of {which}: {sum(spent.values())} ms{' = ' if parts else ''}{' + '.join(parts)}"


def _state(status: Status) -> str:
    outcome = status.outcome
    if outcome is None:
        return "first refresh in progress" if status.running else "waiting for the first scrape"
    took = f"last refresh took {outcome.duration:.3f}s"
    if outcome.success:
        return f"works, {took}"
    how = "failed in part" if outcome.reached else "failed"
    return f"{how} ({', '.join(sorted({error.reason for error in outcome.errors}))}), {took}"


def _withheld(withheld: Withheld, max_age: float | None) -> str:
    why = f"older than max_age ({max_age:.0f}s)" if withheld.too_old and max_age is not None else "not known yet"
    if withheld.everything:
        return f"everything: {why}"
    if not withheld.environments:
        return ""
    named = ", ".join(map(printable, withheld.environments[:MAX_NAMED]))
    more = len(withheld.environments) - MAX_NAMED
    return f"environments {named}{f' and {more} more' if more > 0 else ''}: {why}"


def _requests(trace: Trace, which: str) -> Iterator[str]:
    if not trace.number:
        yield f"  requests of {which}: none"
        return
    yield (f"  requests of {which}: {trace.number}, {trace.seconds * 1000:.0f} ms in all, {trace.wire_bytes} bytes")
    if trace.number > len(trace.last):
        for (endpoint, code), number in sorted(trace.codes.items()):
            yield f"    {number:6d} of {endpoint}, status {code}"
        yield f"    the last {len(trace.last)}:"
    yield f"    {'try':>3}  {'status':<6}  {'waited ms':>9}  {'ms':>7}  {'bytes':>9}  request"
    for sent in trace.last:
        asked = f"{sent.endpoint}{'?' if sent.params else ''}{urlencode(sent.params)}"
        yield (
            f"    {sent.attempt:>3}  {sent.code:<6}  {sent.waited * 1000:>9.0f}  {sent.seconds * 1000:>7.0f}  "
            f"{sent.wire_bytes:>9}  {printable(asked)}"
        )


def _failure(failure: Failure) -> str:
    where = f" of {failure.endpoint}" if failure.endpoint else ""
    status = f", status {failure.status}" if failure.status else ""
    times = f" ({failure.times} times)" if failure.times > 1 else ""
    what = f"{failure.collector}: {failure.reason}{where}{status}, try {failure.attempt}{times}"
    return f"{_time(failure.at)}  {what}: {failure.text}"


def _time(unix: float) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M:%S} UTC"
