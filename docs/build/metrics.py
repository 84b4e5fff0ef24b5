"""docs/metrics.md from the code: `python -m docs.build.metrics` prints it."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import prod

from exporter.account.account import FAMILIES as ACCOUNT_FAMILIES
from exporter.account.accounts import Accounts
from exporter.account.api_metrics import ApiMetrics
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
    "E": "environments that the configuration selects",
    "A": "deployed agents, in all environments together",
    "X": "expected agents (`expected_agents[].agents`), once for each environment that the entry's glob matches",
    "M": "entries of `expected_agents` with `min`, once for each environment that the entry's glob matches",
    "K": f"known event topics that `events.include` and `events.exclude` choose: {len(KNOWN_TOPICS)} by default",
    "T": "topics of events that the exporter has seen since its start",
    "I": "entries of `spaces.inactive_after`: 2 by default",
    "S": "spaces that are shown by themselves: at most `spaces.max_series`, and none without `spaces.per_space`",
    "D": "2, with `spaces.per_space` 3",
    "J": f"types of jobs that an environment has had since counting began: at most {len(jobs.TYPES) + 1}",
    "C": f"collectors that are enabled: {len(REGISTRY)} by default",
    "P": f"paths of the API that have been asked: {len(Endpoint) - 1} by default",
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
NOTES = {
    "flatfile_environment_guest_authentication": "1 more where guests may enter in two ways",
    "flatfile_exporter_storage_success": "0 without `--storage.path`",
    "flatfile_agent_executions_total": "2 more in an environment with runs of which the agent is not known",
    "flatfile_agent_execution_duration_seconds": "0 for an agent that has not run",
    "flatfile_jobs": "1 more for each status that is not known, at most 20 and `other`",
    "flatfile_job_oldest_open_timestamp_seconds": "0 for a status in which no job is open",
    "flatfile_events_total": "1 more for each topic that is not known, in the environments that have it",
    "flatfile_exporter_api_requests_total": "1 more for each other status that came",
    "flatfile_exporter_token_expiry_timestamp_seconds": "0 with an access token",
    "flatfile_environment_last_space_created_timestamp_seconds": "0 where there is no space",
    "flatfile_environment_last_activity_timestamp_seconds": "0 where no space has one",
    "flatfile_event_last_timestamp_seconds": "0 before the first event",
}

LABELS = {
    "account": "the account's name in the configuration; `default` when environment variables name the account",
    "account_id": "the account's id",
    "account_name": "the account's display name in Flatfile",
    "environment_id": "the environment's id; it alone identifies, because two environments may share a name",
    "environment_name": "the environment's display name",
    "production": "`true` or `false`: whether Flatfile marks the environment as production",
    "agent_id": "the agent's id; empty for runs of which the agent is not known",
    "agent": "the agent's slug, or its id where it has none; in `flatfile_agent_missing` the configured glob; "
    "`unknown` for runs of which the agent is not known",
    "flatfile_namespace": "the agent's or the space's namespace, empty where it has none",
    "space_id": "the space's id",
    "space": "the space's name",
    "app_id": "the id of the space's app, empty where it has none",
    "system": "`true` for agents of Flatfile's own, else `false`",
    "result": "`success` or `failure`",
    "status": ", ".join(f"`{name}`" for name in jobs.STATUSES)
    + "; others under their own name, `unknown` where there is none",
    "type": ", ".join(f"`{name}`" for name in jobs.TYPES) + "; `other` for any other type",
    "method": "`shared_link`, `magic_link`, or another one that Flatfile names",
    "state": "`active`, `archived` or `expired`",
    "idle": "how long without activity: the values of `spaces.inactive_after`, by default `30d` and `90d`",
    "window": "the time until now: `1d`, `7d` or `30d`",
    "topic": "the event's topic, such as `job:failed`; `other` beyond `events.max_topics`",
    "actor_type": ", ".join(f"`{name}`" for name in ACTOR_TYPES),
    "collector": ", ".join(f"`{name}`" for name in REGISTRY),
    "reason": ", ".join(f"`{name}`" for name in REASONS),
    "endpoint": "path of the API: " + ", ".join(f"`{endpoint}`" for endpoint in Endpoint),
    "code": "the answer's status, or `error` where none came",
    "version": "the exporter's version",
    "revision": "the source revision it was built from, empty where that is not known",
    "pythonversion": "the version of Python that it runs on",
    "path": "the exporter's own path that was asked for",
    "outcome": "`complete` or `partial`",
}

_HEAD = """\
# Metrics

<!-- Generated by `python -m docs.build.metrics`: change the families in the code or the texts there, not this file. -->

Names, labels and meanings are the exporter's interface: they may be added to, and are not changed without notice in
[CHANGELOG.md](../CHANGELOG.md). Times are unix seconds, durations seconds.

**Not known is never zero.** A series that is missing means "not known". When Flatfile fails to answer, the last good
value stays until it is older than the collector's `max_age` (15m by default); then its series go away. A failure in one
environment touches that environment's series alone. An environment, space or agent that Flatfile no longer lists is
gone at the next refresh. `0` means that Flatfile said so.

**How old a value can be.** A scrape asks Flatfile only for what is older than the collector's `interval`, given at each
heading below. Of more than two pages of spaces or users, it asks for what has changed, and trusts that if the result has
as many rows as Flatfile counts: a change that shows in no count, in no time of activity and in no event is seen within
`spaces.full_resync` (1h by default; 1h for users). Where Flatfile neither counts nor sorts, all of a long list is read, at
least every third of `max_age`. `flatfile_exporter_collector_last_success_timestamp_seconds` says when that was.

**Counters start at 0 with the exporter.** They count what is created from then on, and known topics are there from the
beginning, so that `increase()` sees a first event. With `--storage.path` they persist across restarts.

**Joins.** Join on `(account, environment_id)`, for example
`flatfile_guests * on (account, environment_id) group_left (production) flatfile_environment_info`.

**Target labels.** A target must not have a label `account`: Prometheus would rename the exporter's to `exported_account`. The
other labels do not collide with common target labels.

## Series

The column "series" says how many there are for one account, with

"""

_TAIL = """\
## The process

Beside these, `prometheus_client` adds its usual metrics about the process and Python, among them
`process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds`, `process_start_time_seconds`,
`python_info` and `python_gc_collections_total`.

The metrics about the exporter as a whole, which have no `account` label, are on `/metrics` and not on `/probe`.
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
        parts.append(f"## Collector `{name}`\n\n{summary} Interval by default: {when}.\n\n")
        parts += _table(module.FAMILIES)
    parts.append("## Each account's refreshes and requests\n\n")
    parts += _table((*ACCOUNT_FAMILIES, *telemetry_families()))
    parts.append("## The exporter as a whole\n\n")
    parts += _table(exporter_families())
    used = dict.fromkeys(label for desc in families() for label in desc.labels)
    parts.append("## Labels\n\n| label | value |\n| --- | --- |\n")
    parts += [f"| `{label}` | {LABELS[label]} |\n" for label in used]
    return "".join([*parts, "\n", _TAIL])


def _table(families: Iterable[Desc]) -> Iterator[str]:
    yield "| metric | type | labels | series | meaning |\n| --- | --- | --- | --- | --- |\n"
    for desc in families:
        labels = ", ".join(f"`{label}`" for label in desc.labels)
        note = f" ({NOTES[desc.name]})" if desc.name in NOTES else ""
        count = _product(*SERIES[desc.name]) + note
        yield f"| `{desc.name}` | {desc.type} | {labels} | {count} | {desc.help} |\n"
    yield "\n"


def _total() -> str:
    """All series of an account together, and what that comes to."""
    numbers: Counter[str] = Counter()
    for desc in families():
        if "account" in desc.labels:
            number, symbols = SERIES[desc.name]
            numbers[symbols] += number
    by_environment = [
        _product(number, symbols.removesuffix("E")) for symbols, number in numbers.items() if "E" in symbols
    ]
    terms = [_product(number, symbols) for symbols, number in numbers.items() if "E" not in symbols]
    together = f"({' + '.join(sorted(by_environment))}) × E + {' + '.join(sorted(terms))}"
    example = dict.fromkeys(SYMBOLS, 0) | EXAMPLE
    total = sum(series(desc.name, example) for desc in families() if "account" in desc.labels)
    numbers_of = ", ".join(f"{symbol} = {number}" for symbol, number in EXAMPLE.items())
    return f"Together: {together}. With {numbers_of} and nothing expected, that is {total:,}.\n"


def _product(number: int, symbols: str) -> str:
    return " × ".join([*(() if number == 1 and symbols else (str(number),)), *symbols])


if __name__ == "__main__":
    sys.stdout.write(render())
