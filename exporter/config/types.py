"""The configuration as frozen values: what the rest of the exporter sees of it.

All durations are seconds, all sizes bytes. Everything compares by value, so that a reload can tell which
accounts stayed as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from exporter.core.secret import Secret


@dataclass(frozen=True, slots=True)
class CollectorConfig:
    """Due when its last success is older than `interval` (0: every scrape); withheld after `max_age`."""

    enabled: bool
    interval: float
    max_age: float


@dataclass(frozen=True, slots=True)
class Globs:
    """Case-sensitive shell patterns (`*`, `?`, `[abc]`)."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]

    def match(self, *values: str) -> bool:
        """True when any of the values matches an include and none of them matches an exclude."""
        return _any_matches(values, self.include) and not _any_matches(values, self.exclude)


def _any_matches(values: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns for value in values)


@dataclass(frozen=True, slots=True)
class ExpectedAgents:
    """Agents that an environment should have: `agents` are globs, `min` the least number of them.

    `environment` is a glob, too; both match a name or an id. `min` None: the number is not checked and
    `agents` is not empty.
    """

    environment: str
    agents: tuple[str, ...]
    min: int | None


@dataclass(frozen=True, slots=True)
class SpacesConfig:
    """`inactive_after` in the order written, without duplicates. `full_resync`: within this time all spaces are read anew."""

    inactive_after: tuple[float, ...]
    full_resync: float
    per_space: bool
    max_series: int


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """`topics` chooses what is counted; an event may become visible `overlap` late and is still counted.

    `max_catch_up`: after a restart counting goes on where it was, if that is not longer ago.
    """

    window: float
    overlap: float
    max_catch_up: float
    topics: Globs
    max_topics: int


@dataclass(frozen=True, slots=True)
class JobsConfig:
    """`window`: jobs created within it are counted."""

    window: float


@dataclass(frozen=True, slots=True)
class GuestsConfig:
    """`full_resync`: within this time every space's guests are read anew."""

    full_resync: float


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How the server's certificate is checked. `ca_file` None: against the usual authorities."""

    ca_file: Path | None
    insecure_skip_verify: bool


@dataclass(frozen=True, slots=True)
class RequestsConfig:
    """Limits of one account's requests to the API. `retries` is the number of tries, the first included."""

    concurrency: int
    per_second: float
    timeout: float
    retries: int
    max_response_bytes: int
    max_pages: int
    proxy_url: Secret | None
    tls: TlsConfig


@dataclass(frozen=True, slots=True)
class AuthConfig:
    """Where the bearer comes from: a client id with a client secret, or a ready access token.

    Exactly one of the two ways is set, and of each value either the value or its file.
    """

    client_id: str | None
    client_id_file: Path | None
    client_secret: Secret | None
    client_secret_file: Path | None
    access_token: Secret | None
    access_token_file: Path | None


@dataclass(frozen=True, slots=True)
class AccountConfig:
    """One account with all that applies to it. `base_url` has a scheme and ends in `/v1`.

    `collectors` holds every known collector by name, also those that are not enabled.
    """

    name: str
    base_url: str
    auth: AuthConfig
    environments: Globs
    expected_agents: tuple[ExpectedAgents, ...]
    collectors: Mapping[str, CollectorConfig] = field(hash=False)
    spaces: SpacesConfig
    events: EventsConfig
    jobs: JobsConfig
    guests: GuestsConfig
    requests: RequestsConfig


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
