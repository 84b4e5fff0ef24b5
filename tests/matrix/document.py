"""docs/reliability.md, from what was seen in the cells. Pure: the same results give the same text."""

from collections.abc import Iterable, Sequence

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

OPENING = """\
# What happens when Flatfile fails

<!-- Written by the run of tests/matrix: each line says what was seen there. Do not edit by hand. -->

Everything on this page was tried and seen: {cells} times an account was given to the real exporter process, on a simulated
Flatfile API that failed in one way at one endpoint (`/auth` is where credentials are exchanged for a token). Each time there were
three scrapes with every collector due: before the fault (left out where the fault was there from the start), during it, and
after it. Between the first and the last something changed in everything that is counted, so that an old value can be told
from a new one.

## What held every time

- The scrape was answered in time, with status 200.
- Every value on the page was true: the present one where the collector succeeded, the last good one where it did not, or none.
  A failure is never shown as 0, and never as an agent that is missing.
- The collector that met the fault said so: `flatfile_exporter_collector_success` 0,
  `flatfile_exporter_collector_last_success_timestamp_seconds` where it was, and
  `flatfile_exporter_collector_errors_total` one or more higher for the `reason` in the tables, and for no other.
- The other collectors succeeded, and their series were exactly those of an account without any fault (or, where they build on
  what the failing one knows, as old as that).
- One scrape after the end of the fault everything was there and right, with each event, run and job counted once. Where the
  answer asks for a pause, the exporter keeps to it: then it was the first scrape after the pause. Only
  `flatfile_agent_queue_lag_seconds`, for which two collectors must have seen the same event, may take one scrape more.
- Memory stayed bounded: an answer is read up to `requests.max_response_bytes` (64 MiB by default, 16 here), unpacked, and no
  further. For {huge} MB the process grew by no more than that for each request under way.
- No redirect was followed, nothing but the allowed requests was sent, and no secret was logged.

## What was tried

Where nothing was known yet, "the last values" are none: a series appears once its value is known. Values older than the
collector's `max_age` (15 minutes unless configured) are withheld. At `/auth` a refusal is `unauthorized` whatever its
status, and "next scrape" is the next one after a wait of about {wait:.0f} seconds.

"""
LEGEND = """\

## Each fault at each endpoint

A cell is the `reason` that was counted; `a`, then `b`, where it was `a` before the first success and `b` in the steady state.
**{coped}**: the exporter copes, and gets all that it asks for. {na}: the endpoint cannot fail in that way.

"""
LESS = """\

## Where to know more

- **`{account}` is asked once an hour** (it tells the account's name). It is not due in the steady state of these cells, so
  its faults were tried at the start alone.
- **Refused credentials** (any 4xx of `{auth}` but 408 and 429) are not tried again for about {wait:.0f} seconds, then
  less and less often, up to every 5 minutes. Changing a `*_file` that they come from ends that
  wait; a collector's own, below, stays.
- **Failures in a row.** After a first failure the next scrape tries again; after more the collector waits 5 seconds,
  doubling up to 5 minutes. Once the cause is mended, that is how long it may take to show.
- **A 429 pauses all requests of the account**, so other collectors may answer later than usual. A pause that would last
  longer than the scrape waits is not waited for: what is due fails as `rate_limited`, and its last values stay.
- **An environment that is hidden without an error.** Lists of the whole account may leave out an environment that the
  token may not read. The exporter asks for a silent environment by itself now and then: for events within a third of
  `collectors.events.max_age` (5 minutes unless configured), during which new events there go unnoticed. The cells are
  with {believed:.0f} seconds.
- **What cannot be seen.** A list that does not say how long it is (`/events`, `/guests`) and is wrong in itself cannot be
  told from a right one. Where it repeats itself, it ends there.

## What to look at

| question | query |
| --- | --- |
| Is an account cut off? | `flatfile_up == 0` |
| Which collectors fail? | `flatfile_exporter_collector_success == 0` |
| Why? | `increase(flatfile_exporter_collector_errors_total[15m]) > 0` |
| How old is what is shown? | `time() - flatfile_exporter_collector_last_success_timestamp_seconds` |

The log tells of a failure with the endpoint, the status and the number of tries. [Alerts](alerts.md) stand on these metrics.
"""


def render(results: Sequence[Result]) -> str:
    """The whole page."""
    seen = {(result.path, result.trial, result.start): result for result in results}
    return (
        OPENING.format(cells=len(results), huge=HUGE // 1_000_000, wait=REFUSED_CREDENTIALS_WAIT)
        + _table(("what goes wrong", "reason", "shown meanwhile", "well again"), map(_tried, (*TRIALS, *HOST_TRIALS)))
        + "\n## Which collectors an endpoint takes along\n\n"
        + _table(
            ("endpoint", "fail before the first success", "fail in the steady state", "`flatfile_up` meanwhile"),
            (_endpoint(path, results) for path in (HOST, *_paths(results))),
        )
        + LEGEND.format(coped=COPED, na=NOT_APPLICABLE)
        + _table(
            ("", *(f"`{path}`" for path in _paths(results))),
            (
                *((trial.what, *(_cell(trial, path, seen) for path in _paths(results))) for trial in TRIALS),
                *((trial.what, *(_cell(trial, HOST, seen) for _ in _paths(results))) for trial in HOST_TRIALS),
            ),
        )
        + LESS.format(account=ACCOUNT, auth=AUTH, wait=REFUSED_CREDENTIALS_WAIT, believed=SILENCE_BELIEVED)
    )


def _paths(results: Sequence[Result]) -> list[str]:
    tried = {result.path for result in results} - {HOST}
    return [path for path in COLLECTORS if path in tried]


def _tried(trial: Trial) -> tuple[str, ...]:
    if trial.reason == COPED:
        return (trial.what, "none", "everything, as new as ever", "at once")
    meanwhile = "that environment: the last values; the others: as ever" if trial.one_environment else "the last values"
    return (trial.what, f"`{trial.reason}`", meanwhile, "after the pause asked for" if trial.wait else "next scrape")


def _endpoint(path: str, results: Sequence[Result]) -> tuple[str, ...]:
    failed = [result for result in results if result.path == path and result.failed]
    name = "any, with the host" if path == HOST else f"`{path}`"
    return (name, *(_collectors(failed, start) for start in STARTS), " or ".join(sorted({r.up for r in failed})))


def _collectors(failed: Iterable[Result], start: str) -> str:
    most = max((result.failed for result in failed if result.start == start), key=len, default=())
    if not most:
        return "not asked"
    return "all" if set(most) == set(REGISTRY) else ", ".join(f"`{name}`" for name in most)


def _cell(trial: Trial, path: str, seen: dict[tuple[str, str, str], Result]) -> str:
    found = [seen.get((path, trial.id, start)) for start in STARTS]
    words = [" and ".join(f"`{reason}`" for reason in result.reasons) or f"**{COPED}**" for result in found if result]
    return ", then ".join(dict.fromkeys(words)) or NOT_APPLICABLE


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
