"""The configuration: types, and where to load them from."""

from exporter.config_types import (
    AccountConfig,
    AuthConfig,
    CollectorConfig,
    Config,
    ConfigError,
    EventsConfig,
    ExpectedAgents,
    Globs,
    GuestsConfig,
    JobsConfig,
    RequestsConfig,
    SpacesConfig,
    TlsConfig,
)

__all__ = [
    "AccountConfig",
    "AuthConfig",
    "CollectorConfig",
    "Config",
    "ConfigError",
    "EventsConfig",
    "ExpectedAgents",
    "Globs",
    "GuestsConfig",
    "JobsConfig",
    "RequestsConfig",
    "SpacesConfig",
    "TlsConfig",
]
