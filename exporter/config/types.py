"""Every key of the configuration: type, default, range and meaning, as the frozen values that the exporter sees.

The reader, the documentation, the example's test and the chart's schema follow from these declarations. All durations
are seconds, all sizes bytes. Everything compares by value, so that a reload can tell which accounts stayed as they were.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType

from exporter.config.declare import entries, key, section, sections
from exporter.config.schema import Entry, Key, Section
from exporter.config.values import (
    BOOLEAN,
    CLIENT_ID,
    DURATION,
    DURATIONS,
    FILE,
    GLOBS,
    INTEGER,
    NUMBER,
    PROXY,
    SECRET,
    SIZE,
    TEXT,
    TEXTS,
    TOKEN,
    URL,
)
from exporter.core.secret import Secret

MAX_AGE_INTERVALS = 3
"""`max_age` is at least this many intervals."""

COLLECTORS = {
    "environments": ("60s", "The list of environments; all other collectors depend on it."),
    "spaces": ("60s", "Spaces, their files, workbooks and last activity."),
    "agents": ("5m", "Deployed agents, and whether the expected ones exist."),
    "executions": ("30s", "Results and durations of agent runs."),
    "events": ("0s", "Events by topic and by actor."),
    "users": ("5m", "Users of the account."),
    "guests": ("5m", "Guests of each environment."),
    "jobs": ("60s", "Jobs by status."),
}
"""The default interval of each collector, and what it collects."""


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """Due when its last success is older than `interval` (0: every scrape); withheld after `max_age`."""

    enabled: bool = key(BOOLEAN, "true", "Whether the collector runs.")
    interval: float = key(
        DURATION, "60s", "Refresh at a scrape when the last success is older than this; 0s: at every scrape."
    )
    max_age: float = key(
        DURATION,
        "15m",
        "Withhold data older than this. At least 3 intervals, also by default.",
        minimum="1s",
    )


def _collector(name: str, interval: str, meaning: str) -> Section:
    keys = [each for each in entries(CollectorConfig) if isinstance(each, Key)]
    keys = [replace(each, default=interval) if each.name == "interval" else each for each in keys]
    return Section(name, meaning, tuple(keys), CollectorConfig)


def _collectors(**settings: CollectorConfig) -> Mapping[str, CollectorConfig]:
    return MappingProxyType(settings)


_COLLECTORS = Section(
    "collectors",
    "Which collectors run, and how often.",
    tuple(_collector(name, interval, meaning) for name, (interval, meaning) in COLLECTORS.items()),
    _collectors,
)


@dataclass(frozen=True, slots=True)
class Globs:
    """Case-sensitive shell patterns (`*`, `?`, `[abc]`)."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    @property
    def matches_all(self) -> bool:
        """Whether nothing is left out."""
        return self.include == ("*",) and not self.exclude

    def match(self, *values: str) -> bool:
        """Return whether any of the values matches an include and none of them matches an exclude."""
        return matches(self.include, *values) and not matches(self.exclude, *values)


def matches(patterns: Iterable[str], *values: str) -> bool:
    """Return whether any of the values matches any of the patterns."""
    return any(fnmatchcase(value, pattern) for pattern in patterns for value in values)


@dataclass(frozen=True, slots=True)
class EnvironmentsConfig(Globs):
    """Which environments are exported. `ids` empty: those that the API lists."""

    include: tuple[str, ...] = key(GLOBS, '["*"]', "Which environments: globs over name and id.", nonempty=True)
    exclude: tuple[str, ...] = key(GLOBS, "[]", "Which of these to exclude: globs over name and id.")

    ids: tuple[str, ...] = key(
        TEXTS,
        "[]",
        "Ids of environments to query one by one, for a secret key of one environment, which cannot list them. "
        "Empty: all environments that Flatfile lists.",
    )
    max_series: int = key(
        INTEGER,
        "1000",
        "Maximum number of environments with series of their own; `flatfile_exporter_series_dropped` counts the rest.",
        minimum="1",
    )


@dataclass(frozen=True, slots=True)
class AgentsConfig:
    """How agents are exposed."""

    max_series: int = key(
        INTEGER,
        "5000",
        "Maximum number of agents with series of their own; `flatfile_exporter_series_dropped` counts the rest.",
        minimum="1",
    )


@dataclass(frozen=True, slots=True)
class ExpectedAgents:
    """Agents that an environment should have. `min` None: the number is not checked, and `agents` is not empty."""

    environment: str = key(TEXT, None, "The environment: a glob over name and id.", required=True)
    agents: tuple[str, ...] = key(GLOBS, "[]", "The agents: globs over slug and id. May be empty only with `min`.")
    min: int | None = key(INTEGER, "null", "Minimum number of agents in the environment.", minimum="1")


@dataclass(frozen=True, slots=True)
class SpacesConfig:
    """`inactive_after` is in the order written, without duplicates."""

    inactive_after: tuple[float, ...] = key(
        DURATIONS,
        "[30d, 90d]",
        "Count the active spaces without activity for each of these durations.",
        nonempty=True,
        minimum="1s",
    )
    full_resync: float = key(
        DURATION,
        "1h",
        "Read the whole list of spaces at least this often, changed or not.",
        minimum="1s",
    )
    per_space: bool = key(BOOLEAN, "false", "Expose series for each space.")
    max_series: int = key(
        INTEGER, "1000", "Maximum number of spaces with series of their own, most recently active first.", minimum="1"
    )


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """How events are counted."""

    window: float = key(DURATION, "5m", "Window over which events per second are computed.", minimum="1s")
    overlap: float = key(DURATION, "60s", "How late an event may appear in the API's list and still be counted.")
    max_catch_up: float = key(
        DURATION,
        "1h",
        "With `--storage.path`: event counts resume after an interruption up to this long; "
        "after a longer one they restart at 0.",
        minimum="1s",
    )
    include: tuple[str, ...] = key(
        GLOBS, '["*"]', "Which events: globs over the event's topic, such as job:failed.", nonempty=True
    )
    exclude: tuple[str, ...] = key(GLOBS, "[]", "Which of these to exclude: globs over the event's topic.")
    max_topics: int = key(
        INTEGER,
        "200",
        "Maximum number of unknown topics counted under their own names; the rest are counted as `other`.",
        minimum="1",
    )

    @property
    def topics(self) -> Globs:
        """Which topics are counted."""
        return Globs(self.include, self.exclude)


@dataclass(frozen=True, slots=True)
class JobsConfig:
    """How jobs are counted."""

    window: float = key(DURATION, "24h", "Jobs created within this time are counted.", minimum="1s")


@dataclass(frozen=True, slots=True)
class GuestsConfig:
    """How guests are counted."""

    full_resync: float = key(
        DURATION,
        "6h",
        "Read the guests of every space at least this often, changed or not.",
        minimum="1s",
    )


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How the server's certificate is verified. `ca_file` None: with the default CA certificates."""

    ca_file: Path | None = key(
        FILE,
        "null",
        "CA certificates (PEM) to trust instead of the default ones; read again at reloads and after an untrusted certificate.",
    )
    insecure_skip_verify: bool = key(
        BOOLEAN, "false", "Accept any certificate. Anyone on the network path can then read the credentials."
    )


@dataclass(frozen=True, slots=True)
class RequestsConfig:
    """Limits of one account's requests to the API."""

    concurrency: int = key(INTEGER, "4", "Maximum number of concurrent requests.", minimum="1", maximum="64")
    per_second: float = key(
        NUMBER, "10", "Maximum requests per second; a burst may have twice as many.", above="0", maximum="10000"
    )
    timeout: float = key(DURATION, "10s", "Timeout of one attempt.", above="0s")
    retries: int = key(INTEGER, "3", "Attempts for one request, including the first.", minimum="1", maximum="10")
    max_response_bytes: int = key(
        SIZE, "64MiB", "Maximum size of one response, uncompressed; a larger one is an error.", minimum="64KiB"
    )
    max_pages: int = key(INTEGER, "10000", "Maximum number of pages of one list; more are an error.", minimum="1")
    max_rows: int = key(
        INTEGER,
        "2000000",
        "Maximum number of rows of one list, far above any real account; more are an error.",
        minimum="1",
    )
    proxy_url: Secret | None = key(
        PROXY,
        "null",
        "HTTP proxy, such as http://proxy:3128, also with user:password@ before the host. null: as "
        "the environment variables say.",
    )
    tls: TlsConfig = section(TlsConfig, "How Flatfile's certificate is verified.")


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Where the bearer comes from: a client id with a client secret, or a ready access token.

    Exactly one of the two ways is set, and of each value either the value or its file.
    """

    client_id: str | None = key(CLIENT_ID, None, "The client id.")
    client_id_file: Path | None = key(FILE, None, "A file that holds the client id.")
    client_secret: Secret | None = key(SECRET, None, "The secret that belongs to the client id.")
    client_secret_file: Path | None = key(FILE, None, "A file that holds that secret.")
    access_token: Secret | None = key(TOKEN, None, "A token that is used as it is, such as a personal access token.")
    access_token_file: Path | None = key(FILE, None, "A file that holds that token.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The keys that may be in an account, and at the top of the file for all accounts.

    `collectors` holds every known collector by name, also those that are not enabled.
    """

    collectors: Mapping[str, CollectorConfig] = field(hash=False, metadata={"entry": _COLLECTORS})
    agents: AgentsConfig = section(AgentsConfig, "How agents are exposed.")
    spaces: SpacesConfig = section(SpacesConfig, "How spaces are counted.")
    events: EventsConfig = section(EventsConfig, "How events are counted.")
    jobs: JobsConfig = section(JobsConfig, "How jobs are counted.")
    guests: GuestsConfig = section(GuestsConfig, "How guests are counted.")
    requests: RequestsConfig = section(RequestsConfig, "Limits of the requests to Flatfile, per account.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountConfig(Shared):
    """One account with all that applies to it. `base_url` has a scheme and ends in `/v1`.

    `ca_pem` is what `requests.tls.ca_file` held when the configuration was read: another content is another account.
    `proxy` is `requests.proxy_url`, or what the environment's variables give for the base URL.
    """

    name: str = key(TEXT, None, "The value of the `account` label. Each account needs its own.", required=True)
    base_url: str = key(
        URL,
        "https://platform.flatfile.com/v1",
        "The URL of the API. `https://` and `/v1` may be left out.",
    )
    allow_http: bool = key(BOOLEAN, "false", "Allow a base_url with http:// that is not this machine.")
    auth: AuthConfig = section(
        AuthConfig, "The credentials: a client id with a client secret, or an access token; each as a value or a file."
    )
    environments: EnvironmentsConfig = section(EnvironmentsConfig, "Which environments to export; all by default.")
    expected_agents: tuple[ExpectedAgents, ...] = sections(
        ExpectedAgents, "Agents that should be deployed; `flatfile_agent_missing` reports those that are not."
    )
    ca_pem: str | None = field(default=None, repr=False)
    proxy: Secret | None = None


SHARED: tuple[Entry, ...] = entries(Shared)
ACCOUNT: tuple[Entry, ...] = (*(each for each in entries(AccountConfig) if each not in SHARED), *SHARED)
ACCOUNTS = Section(
    "accounts", "The accounts to export, at least one.", ACCOUNT, AccountConfig, many=True, required=True
)
ROOT: tuple[Entry, ...] = (ACCOUNTS, *SHARED)


@dataclass(frozen=True, slots=True)
class Config:
    """At least one account, with different names. `warnings` are lines for the log."""

    accounts: tuple[AccountConfig, ...]
    warnings: tuple[str, ...]


class ConfigError(Exception):
    """A configuration that cannot be used. `problems`: one line each; no line ever holds a credential."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
