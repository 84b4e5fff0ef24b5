"""What the exporter says of an account and of its collectors' refreshes, beside what the collectors know."""

from collections.abc import Iterator, Sequence

from exporter.account.refresh import Refresh
from exporter.exposition.families import Desc, Family, Sample

UP = Desc(
    "flatfile_up",
    "gauge",
    "1 when the last refresh could authenticate and list the environments, else 0.",
    ("account",),
)
SUCCESS = Desc(
    "flatfile_exporter_collector_success",
    "gauge",
    "1 when the collector's last finished refresh got all it asked for, else 0. Absent before the first has finished.",
    ("account", "collector"),
)
DURATION = Desc(
    "flatfile_exporter_collector_duration_seconds",
    "gauge",
    "How long the collector's last finished refresh took.",
    ("account", "collector"),
)
LAST_SUCCESS = Desc(
    "flatfile_exporter_collector_last_success_timestamp_seconds",
    "gauge",
    "When the API was last asked and gave all that the collector needs, in unix seconds. Absent before the first time.",
    ("account", "collector"),
)
INTERVAL = Desc(
    "flatfile_exporter_collector_interval_seconds",
    "gauge",
    "The collector's configured interval; 0 is every scrape.",
    ("account", "collector"),
)
MAX_AGE = Desc(
    "flatfile_exporter_collector_max_age_seconds",
    "gauge",
    "The collector's configured max_age: older data is withheld.",
    ("account", "collector"),
)
STORAGE_SUCCESS = Desc(
    "flatfile_exporter_storage_success",
    "gauge",
    "1 while state is written to --storage.path, 0 while it is kept in memory because the file cannot be used.",
    ("account",),
)
DROPPED = Desc(
    "flatfile_exporter_series_dropped",
    "gauge",
    "Objects without series of their own because there are more than the collector's max_series.",
    ("account", "collector"),
)
TRUNCATED = Desc(
    "flatfile_exporter_label_values_truncated_total",
    "counter",
    "Label values longer than 200 characters that were cut, counted each time that they are rendered.",
    ("account",),
)
TOKEN_EXPIRY = Desc(
    "flatfile_exporter_token_expiry_timestamp_seconds",
    "gauge",
    "When the access token in use ends, in unix seconds. Absent for a token that is used as it is.",
    ("account",),
)
FAMILIES = (UP, SUCCESS, DURATION, LAST_SUCCESS, INTERVAL, MAX_AGE, STORAGE_SUCCESS, DROPPED, TRUNCATED, TOKEN_EXPIRY)


def outcomes(account: str, shown: Sequence[Refresh], token_expiry: float | None, set_by: float) -> Iterator[Family]:
    """Yield what came of the collectors' last refreshes. `set_by`: seconds by which the wall clock was set since the start."""
    samples: dict[Desc, list[Sample]] = {desc: [] for desc in (SUCCESS, DURATION, LAST_SUCCESS, INTERVAL, MAX_AGE)}
    for refresh in shown:
        labels = (account, refresh.name)
        outcome = refresh.outcome
        if outcome is not None:
            samples[SUCCESS].append((labels, 1 if outcome.success else 0))
            samples[DURATION].append((labels, outcome.duration))
        if refresh.last_success is not None:
            samples[LAST_SUCCESS].append((labels, refresh.last_success + set_by))
        samples[INTERVAL].append((labels, refresh.settings.interval))
        samples[MAX_AGE].append((labels, refresh.settings.max_age))
    yield from (Family(desc, found) for desc, found in samples.items())
    if token_expiry is not None:
        yield Family(TOKEN_EXPIRY, [((account,), token_expiry)])
