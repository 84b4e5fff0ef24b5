"""docs/metrics.md from the code: `python -m docs.build.metrics` prints it."""

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod

from exporter.account.accounts import Accounts
from exporter.account.api_metrics import ApiMetrics
from exporter.account.families import FAMILIES as ACCOUNT_FAMILIES
from exporter.collectors import REGISTRY, executions, jobs
from exporter.config import Config
from exporter.config.types import COLLECTORS
from exporter.core.clock import Clock
from exporter.exposition.families import Desc
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import REASONS
from exporter.flatfile.topics import ACTOR_TYPES, KNOWN_TOPICS
from exporter.web.self_metrics import OwnMetrics

SYMBOLS = {
    "E": "selected environments",
    "A": "deployed agents in all environments",
    "X": "expected agents, for each environment that the entry matches",
    "M": "entries of `expected_agents` with `min`, likewise",
    "K": f"selected known event topics: {len(KNOWN_TOPICS)} by default",
    "T": "event topics seen since the start",
    "I": "entries of `spaces.inactive_after`: 2 by default",
    "S": "spaces with `spaces.per_space`, at most `spaces.max_series`; else 0",
    "D": "2, with `spaces.per_space` 3",
    "J": f"types of jobs in an environment, at most {len(jobs.TYPES) + 1}",
    "C": f"enabled collectors: {len(REGISTRY)} by default",
    "P": f"requested paths of the API: {len(Endpoint) - 1}, with `environments.ids` one more",
}

EXAMPLE = {
    "E": 6,
    "D": 2,
    "A": 24,
    "T": 12,
    "K": len(KNOWN_TOPICS),
    "I": 2,
    "J": 3,
    "C": len(REGISTRY),
    "P": len(Endpoint) - 1,
}

# Series of each family for one account: a number, and the symbols to multiply it with.
SERIES: Mapping[str, tuple[int, str]] = {
    "flatfile_up": (1, ""),
    "flatfile_account_info": (1, ""),
    "flatfile_environments": (2, ""),
    "flatfile_environment_info": (1, "E"),
    "flatfile_environment_guest_authentication": (1, "E"),
    "flatfile_spaces": (3, "E"),
    "flatfile_spaces_inactive": (1, "IE"),
    "flatfile_files": (1, "E"),
    "flatfile_workbooks": (1, "E"),
    "flatfile_environment_last_space_created_timestamp_seconds": (1, "E"),
    "flatfile_environment_last_activity_timestamp_seconds": (1, "E"),
    "flatfile_space_info": (1, "S"),
    "flatfile_space_files": (1, "S"),
    "flatfile_space_workbooks": (1, "S"),
    "flatfile_space_last_activity_timestamp_seconds": (1, "S"),
    "flatfile_space_guests": (1, "S"),
    "flatfile_exporter_series_dropped": (1, "D"),
    "flatfile_agents": (2, "E"),
    "flatfile_agent_info": (1, "A"),
    "flatfile_agent_created_timestamp_seconds": (1, "A"),
    "flatfile_agent_updated_timestamp_seconds": (1, "A"),
    "flatfile_agent_missing": (1, "X"),
    "flatfile_agents_expected_min": (1, "M"),
    "flatfile_agent_executions_total": (2, "A"),
    "flatfile_agent_execution_duration_seconds": (len(executions.BOUNDS) + 3, "A"),
    "flatfile_agent_queue_lag_seconds": (len(executions.BOUNDS) + 3, "E"),
    "flatfile_jobs": (len(jobs.STATUSES), "E"),
    "flatfile_job_oldest_open_timestamp_seconds": (len(jobs.STATUSES) - len(jobs.ENDS), "E"),
    "flatfile_jobs_finished_total": (len(jobs.ENDS), "JE"),
    "flatfile_job_wait_seconds": (len(jobs.BOUNDS) + 3, "JE"),
    "flatfile_job_duration_seconds": (len(jobs.BOUNDS) + 3, "JE"),
    "flatfile_events_per_second": (1, "TE"),
    "flatfile_events_total": (1, "KE"),
    "flatfile_events_by_actor_total": (len(ACTOR_TYPES), "E"),
    "flatfile_event_last_timestamp_seconds": (1, "E"),
    "flatfile_users": (1, ""),
    "flatfile_users_active": (3, ""),
    "flatfile_guests": (1, "E"),
    "flatfile_guest_memberships": (1, "E"),
    "flatfile_guests_active": (3, "E"),
    "flatfile_exporter_collector_success": (1, "C"),
    "flatfile_exporter_collector_duration_seconds": (1, "C"),
    "flatfile_exporter_collector_last_success_timestamp_seconds": (1, "C"),
    "flatfile_exporter_collector_interval_seconds": (1, "C"),
    "flatfile_exporter_collector_max_age_seconds": (1, "C"),
    "flatfile_exporter_storage_success": (1, ""),
    "flatfile_exporter_token_expiry_timestamp_seconds": (1, ""),
    "flatfile_exporter_label_values_truncated_total": (1, ""),
    "flatfile_exporter_collector_errors_total": (len(REASONS), "C"),
    "flatfile_exporter_api_requests_total": (1, "P"),
    "flatfile_exporter_api_request_duration_seconds": (12, "P"),
    "flatfile_exporter_api_response_bytes_total": (len(Endpoint), ""),
    "flatfile_exporter_api_retries_total": (len(Endpoint), ""),
    "flatfile_exporter_build_info": (1, ""),
    "flatfile_exporter_config_last_reload_successful": (1, ""),
    "flatfile_exporter_config_last_reload_success_timestamp_seconds": (1, ""),
    "flatfile_exporter_scrapes_total": (4, ""),
}
LABELS = {  # empty: the name says it
    "account": "",
    "account_id": "",
    "account_name": "",
    "environment_id": "",
    "environment_name": "",
    "production": "",
    "agent_id": "",
    "agent": "the agent's slug, else its id; in `flatfile_agent_missing` the configured glob; "
    "`unknown`, with an empty `agent_id`, for runs of unknown agents",
    "flatfile_namespace": "empty if there is none",
    "space_id": "",
    "space": "",
    "app_id": "",
    "system": "`true` for Flatfile's own agents",
    "result": "`success` or `failure`",
    "status": ", ".join(f"`{name}`" for name in jobs.STATUSES) + "; others by their name, `unknown` if there is none",
    "type": ", ".join(f"`{name}`" for name in jobs.TYPES) + "; `other` for any other type",
    "method": "`shared_link`, `magic_link`, or another one of Flatfile's",
    "state": "",
    "idle": "the values of `spaces.inactive_after`",
    "window": "`1d`, `7d` or `30d`",
    "topic": "the event's topic, such as `job:failed`; `other` beyond `events.max_topics`",
    "actor_type": ", ".join(f"`{name}`" for name in ACTOR_TYPES),
    "collector": "",
    "reason": ", ".join(f"`{name}`" for name in REASONS),
    "endpoint": "[path of the API](operating.md#permissions)",
    "code": "the HTTP status, or `error` without a response",
    "version": "",
    "revision": "",
    "pythonversion": "",
    "path": "",
    "outcome": "`complete` or `partial`",
}

_HEAD = """\
# Metrics

<!-- Generated by `python -m docs.build.metrics`: change the families in the code or the texts there, not this file. -->

Times are unix seconds, durations seconds. [stability.md](stability.md) says what may change.

**An unknown value is never 0.** A missing series means "not known", and `0` means that Flatfile said so. When a request
fails, the last value stays until it is older than the collector's `max_age` (15m by default), then its series end. What
Flatfile no longer lists is gone at the next refresh.

**Age of values.** A scrape refreshes what is older than the collector's `interval`. Of more than two pages of spaces or
users, only changed rows are read, if the result has as many rows as Flatfile counts. A change that shows in no count, no
time of activity and no event is seen within `spaces.full_resync` (1h by default; users: 1h). If Flatfile neither counts
nor sorts, a long list is read completely, at least every third of `max_age`.

**Counters start at 0 with the exporter**, and persist across restarts with `--storage.path`. Known topics exist from the
beginning, so that `increase()` sees a first event.

**Types.** Metrics whose name ends in `_total` are counters; histograms are marked; all others are gauges.

**Labels.** All metrics have the label `account`, except those of [the exporter](#exporter). Those of agents, events,
executions, guests, jobs and spaces also have `environment_id` and `environment_name`. Only other labels are listed.
Join on `(account, environment_id)`, for example
`flatfile_guests * on (account, environment_id) group_left (production) flatfile_environment_info`. A target must not have a
label `account`: Prometheus would rename the exporter's to `exported_account`.

## Number of series

For each collector, the page gives the series of one account with these symbols. Unknown topics, statuses and agents add
series; what has not happened yet (a run, an event, an open job) has none.

"""
_ENVIRONMENT = ("environment_id", "environment_name")

_TAIL = """\
## Process

`prometheus_client` adds its usual metrics of the process and Python, among them `process_resident_memory_bytes`,
`process_cpu_seconds_total`, `process_open_fds` and `process_start_time_seconds`.
"""


def series(name: str, account: Mapping[str, int]) -> int:
    """How many series a family has for an account, given each symbol's number."""
    number, symbols = SERIES[name]
    return number * prod(account[symbol] for symbol in symbols)


def telemetry_families() -> list[Desc]:
    """The families that count the exporter's requests and errors, as its registry has them."""
    api_metrics = ApiMetrics("")
    for name in REGISTRY:
        api_metrics.expect(name)
    api_metrics.request(str(Endpoint.AUTH), "200", 0.0, 0)
    return [family.desc for family in api_metrics.families()]


def exporter_families() -> list[Desc]:
    """The exporter's own families, as its registry has them; without those about the process and Python."""

    def nothing() -> Config:
        raise NotImplementedError  # the families do not depend on a configuration

    accounts = Accounts(nothing, Clock())
    accounts.reloaded_at = 0.0
    own = OwnMetrics(accounts)
    own.expect("/metrics", "/probe")
    return [family.desc for family in own.families() if family.desc.name.startswith("flatfile_")]


def families() -> list[Desc]:
    """All families in the order of the page."""
    collected = [desc for module in REGISTRY.values() for desc in module.FAMILIES]
    return [*collected, *ACCOUNT_FAMILIES, *telemetry_families(), *exporter_families()]


def render() -> str:
    """The page as Markdown. Raises KeyError for a family without `SERIES`, or a label without `LABELS`."""
    parts = [_HEAD, *(f"- **{symbol}**: {meaning}\n" for symbol, meaning in SYMBOLS.items()), "\n", _total(), "\n"]
    for name, module in REGISTRY.items():
        summary = (module.__doc__ or "").splitlines()[0]
        interval = COLLECTORS[name][0]
        when = "at every scrape" if interval == "0s" else f"`{interval}`"
        by_environment = all(set(_ENVIRONMENT) <= {*desc.labels} for desc in module.FAMILIES)
        parts.append(
            f"## Collector `{name}`\n\n{summary} Default interval: {when}. Series: {_sum(module.FAMILIES)}.\n\n"
        )
        parts += _list(module.FAMILIES, hidden=("account", *_ENVIRONMENT) if by_environment else ("account",))
    own = (*ACCOUNT_FAMILIES, *telemetry_families())
    parts.append(f"## Refreshes and requests\n\nSeries: {_sum(own)}.\n\n")
    parts += _list(own)
    parts.append("## Exporter\n\nOnly on `/metrics`, not on `/probe`.\n\n")
    parts += _list(exporter_families())
    used = dict.fromkeys(label for desc in families() for label in desc.labels)
    parts.append("## Labels\n\n")
    parts += [f"- `{label}`: {LABELS[label]}\n" for label in used if LABELS[label]]
    return "".join([*parts, "\n", _TAIL])


def _list(families: Iterable[Desc], hidden: Sequence[str] = ("account",)) -> Iterator[str]:
    for desc in families:
        labels = ",".join(label for label in desc.labels if label not in hidden)
        name = f"{desc.name}{{{labels}}}" if labels else desc.name
        kind = "Histogram. " if desc.type == "histogram" else ""
        meaning = kind + re.sub(r", in (unix )?seconds| \(GET [^)]*\)", "", desc.help)
        yield f"- `{name}`: {meaning}\n"
    yield "\n"


def _total() -> str:
    """All series of an account together, and what that comes to."""
    counted = [desc for desc in families() if "account" in desc.labels]
    example = dict.fromkeys(SYMBOLS, 0) | EXAMPLE
    total = sum(series(desc.name, example) for desc in counted)
    numbers_of = ", ".join(f"{symbol}={number}" for symbol, number in EXAMPLE.items())
    return f"In all: {_sum(counted)}. Example: {total:,} with {numbers_of}.\n"


def _sum(families: Iterable[Desc]) -> str:
    """How many series some families have together."""
    numbers: Counter[str] = Counter()
    for desc in families:
        number, symbols = SERIES[desc.name]
        numbers[symbols] += number
    inner = [_product(number, symbols.removesuffix("E")) for symbols, number in numbers.items() if "E" in symbols]
    terms = [_product(number, symbols) for symbols, number in numbers.items() if "E" not in symbols]
    if inner:
        terms.append(f"{inner[0]}×E".removeprefix("1×") if len(inner) == 1 else f"({'+'.join(sorted(inner))})×E")
    return " + ".join(sorted(terms))


def _product(number: int, symbols: str) -> str:
    return "×".join([*(() if number == 1 and symbols else (str(number),)), *symbols])


if __name__ == "__main__":
    sys.stdout.write(render())
