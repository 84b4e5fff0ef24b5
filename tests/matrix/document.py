"""docs/reliability.md, from what was seen in the cells. Pure: the same results give the same text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from exporter.collectors import REGISTRY

from .cells import SILENCE_BELIEVED, STARTS, Result
from .trials import (
    ACCOUNT,
    AUTH,
    COLLECTORS,
    COPED,
    HOST,
    HOST_TRIALS,
    HUGE,
    NOT_APPLICABLE,
    REFUSED_CREDENTIALS_WAIT,
    TRIALS,
    Trial,
)

Seen = Mapping[tuple[str, str, str], Result]

OPENING = """\
# Reliability

<!-- Written by the run of tests/matrix: each line says what was seen there. Do not edit by hand. -->

How the exporter behaves when Flatfile fails. Each fault was tried at each endpoint of a simulated API, with the real exporter
process, from the start and in the steady state: {cells} times. Everything that is counted changed in between.

## Guarantees

These held every time:

- Each scrape was answered in time, with status 200.
- Every value was true: the current one if the collector succeeded, the last good one or none if it failed. A failure was
  never shown as 0, nor as a missing agent.
- The failing collector was reported: `flatfile_exporter_collector_success` was 0,
  `flatfile_exporter_collector_last_success_timestamp_seconds` did not move, and `flatfile_exporter_collector_errors_total`
  increased for the `reason` below and for no other. The other collectors succeeded.
- One scrape after the fault (or the pause that the answer asked for) everything was right, with each event, run and job
  counted once. Only `flatfile_agent_queue_lag_seconds`, which needs two collectors, may take one more.
- With answers of {huge} MB the process grew by no more than `requests.max_response_bytes` for each concurrent request.
- No redirect was followed, no other request was sent, no secret was logged.

## Faults

| reason | faults | recovery |
| --- | --- | --- |
"""
ENDPOINTS = """\

Until then the last values are shown, at most for the collector's `max_age` (15m by default); there are none if nothing was
known before. After a 403 in one environment, only that one has old values.

## Collectors by endpoint

| endpoint that fails | failing collectors, from the start | in the steady state | `flatfile_up` |
| --- | --- | --- | --- |
"""
MORE = """\

## Limits and delays

- **Refused credentials**: any 4xx of `{auth}` except 408 and 429. They are tried again after about {wait:.0f} seconds, then less
  often.
- **Repeated failures** make a collector wait, up to 5 minutes, a 429 all of them ([retries](operating.md#behavior)).
- **Hidden environments.** Lists of the whole account may omit an environment that the token may not read. The exporter queries a
  silent environment by itself, for events within a third of `collectors.events.max_age` (5 minutes by default; {believed:.0f}
  seconds in these tests). New events there go unnoticed until then.
- **Undetectable errors.** A wrong list without a total (`/events`, `/guests`) cannot be told from a right one. If it repeats
  itself, it ends there.
- **`{account}`** is requested once an hour, so its faults were tried from the start only.

## Hostile answers and wrong clocks

From `tests/e2e/test_hostile_answers.py` and `tests/collectors/test_clocks.py`:

- 100,000 rows in one page: scrapes and `/-/healthy` are in time; values follow later
- 20,000 environments: as above; beyond `environments.max_series`, none is read
- bodies in single bytes, many 1xx answers: that request fails; scrapes are in time
- names and topics of megabytes: cut at 1,000 characters, 200 on the page
- ids of more than 500 characters: the list fails, `bad_response`
- a list without end: `too_large` at `requests.max_rows` or `requests.max_pages`; nothing of it is shown
- wrong clocks, the system's or of `Date` headers: values stay right
- an event of the year 9999: counted; `flatfile_event_last_timestamp_seconds` ignores it

## Appendix: differences by endpoint

All other faults had the reason of the table above at each endpoint. {coped}: the exporter copes and gets all data.
`a`, then `b`: `a` from the start, `b` in the steady state.

| fault | endpoints that differ | where it cannot occur |
| --- | --- | --- |
"""


def render(results: Sequence[Result]) -> str:
    """The whole page."""
    seen = {(result.path, result.trial, result.start): result for result in results}
    paths = _paths(results)
    return (
        OPENING.format(cells=len(results), huge=HUGE // 1_000_000)
        + _rows(_faults())
        + ENDPOINTS
        + _rows(_endpoint(path, results) for path in (HOST, *paths))
        + MORE.format(
            account=ACCOUNT, auth=AUTH, wait=REFUSED_CREDENTIALS_WAIT, believed=SILENCE_BELIEVED, coped=f"**{COPED}**"
        )
        + _rows(_differences(seen, paths))
    )


def _paths(results: Sequence[Result]) -> list[str]:
    tried = {result.path for result in results} - {HOST}
    return [path for path in COLLECTORS if path in tried]


def _faults() -> Iterator[tuple[str, ...]]:
    """The faults with the same reason and recovery in one row."""
    groups: dict[tuple[str, str], list[str]] = {}
    for trial in (*TRIALS, *HOST_TRIALS):
        groups.setdefault(_outcome(trial), []).append(trial.what)
    for (reason, recovery), faults in groups.items():
        yield reason, "; ".join(faults), recovery


def _outcome(trial: Trial) -> tuple[str, str]:
    if trial.reason == COPED:
        return "none", "at once"
    return f"`{trial.reason}`", "after the pause" if trial.wait else "next scrape"


def _endpoint(path: str, results: Sequence[Result]) -> tuple[str, ...]:
    failed = [result for result in results if result.path == path and result.failed]
    name = "any, with the host" if path == HOST else f"`{path}`"
    return (name, *(_collectors(failed, start) for start in STARTS), " or ".join(sorted({r.up for r in failed})))


def _collectors(failed: Iterable[Result], start: str) -> str:
    most = max((result.failed for result in failed if result.start == start), key=len, default=())
    if not most:
        return "not asked"
    return "all" if set(most) == set(REGISTRY) else ", ".join(f"`{name}`" for name in most)


def _differences(seen: Seen, paths: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """A row for each fault of which something else was seen at an endpoint than its reason."""
    for trial in (*TRIALS, *HOST_TRIALS):
        places = [HOST] if trial in HOST_TRIALS else paths
        usual = f"**{COPED}**" if trial.reason == COPED else f"`{trial.reason}`"
        cells: dict[str, list[str]] = {}
        for path in places:
            cells.setdefault(_cell(trial, path, seen), []).append("any" if path == HOST else f"`{path}`")
        absent = cells.pop(NOT_APPLICABLE, [])
        others = [f"{cell} at {', '.join(where)}" for cell, where in cells.items() if cell != usual]
        if absent or others:
            yield trial.what, "; ".join(others) or "none", ", ".join(absent) or "–"


def _cell(trial: Trial, path: str, seen: Seen) -> str:
    found = [seen.get((path, trial.id, start)) for start in STARTS]
    words = [" and ".join(f"`{reason}`" for reason in result.reasons) or f"**{COPED}**" for result in found if result]
    return ", then ".join(dict.fromkeys(words)) or NOT_APPLICABLE


def _rows(rows: Iterable[Sequence[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)
