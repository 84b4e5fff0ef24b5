"""From settings without a problem to the frozen configuration."""

from pathlib import Path
from types import MappingProxyType

from exporter.config.keys import COLLECTOR_INTERVALS, MAX_AGE_INTERVALS
from exporter.config.reader import Block
from exporter.config.settings import Settings
from exporter.config.types import (
    AccountConfig,
    AuthConfig,
    CollectorConfig,
    EventsConfig,
    ExpectedAgents,
    GuestsConfig,
    JobsConfig,
    RequestsConfig,
    SpacesConfig,
    TlsConfig,
)
from exporter.core.secret import Secret


def build_account(settings: Settings, expected: tuple[ExpectedAgents, ...], directory: Path) -> AccountConfig:
    """The account of settings that have no problem; `directory` is what relative paths start from."""

    def file(path: str) -> Path | None:
        value = settings.optional(path, Path)
        return None if value is None else directory / value

    return AccountConfig(
        name=settings.get("name", str),
        base_url=settings.get("base_url", str),
        auth=AuthConfig(
            client_id=settings.optional("auth.client_id", str),
            client_id_file=file("auth.client_id_file"),
            client_secret=settings.optional("auth.client_secret", Secret),
            client_secret_file=file("auth.client_secret_file"),
            access_token=settings.optional("auth.access_token", Secret),
            access_token_file=file("auth.access_token_file"),
        ),
        environments=settings.globs("environments"),
        expected_agents=expected,
        collectors=MappingProxyType({name: _collector(settings, name) for name in COLLECTOR_INTERVALS}),
        spaces=SpacesConfig(
            inactive_after=settings.get("spaces.inactive_after", tuple),
            full_resync=settings.seconds("spaces.full_resync"),
            per_space=settings.get("spaces.per_space", bool),
            max_series=settings.get("spaces.max_series", int),
        ),
        events=EventsConfig(
            window=settings.seconds("events.window"),
            overlap=settings.seconds("events.overlap"),
            max_catch_up=settings.seconds("events.max_catch_up"),
            topics=settings.globs("events"),
            max_topics=settings.get("events.max_topics", int),
        ),
        jobs=JobsConfig(window=settings.seconds("jobs.window")),
        guests=GuestsConfig(full_resync=settings.seconds("guests.full_resync")),
        requests=RequestsConfig(
            concurrency=settings.get("requests.concurrency", int),
            per_second=settings.get("requests.per_second", float),
            timeout=settings.seconds("requests.timeout"),
            retries=settings.get("requests.retries", int),
            max_response_bytes=settings.get("requests.max_response_bytes", int),
            max_pages=settings.get("requests.max_pages", int),
            proxy_url=settings.optional("requests.proxy_url", Secret),
            tls=TlsConfig(
                ca_file=file("requests.tls.ca_file"),
                insecure_skip_verify=settings.get("requests.tls.insecure_skip_verify", bool),
            ),
        ),
    )


def build_accounts(root: Block, directory: Path) -> tuple[AccountConfig, ...]:
    """Every account of a file that has no problem."""
    return tuple(
        build_account(Settings(root, account), _expected_agents(account), directory)
        for account in root.lists["accounts"]
    )


def _collector(settings: Settings, name: str) -> CollectorConfig:
    interval = settings.seconds(f"collectors.{name}.interval")
    max_age = settings.seconds(f"collectors.{name}.max_age")
    if settings.written(f"collectors.{name}.max_age") is None:
        max_age = max(max_age, MAX_AGE_INTERVALS * interval)
    return CollectorConfig(settings.get(f"collectors.{name}.enabled", bool), interval, max_age)


def _expected_agents(account: Block) -> tuple[ExpectedAgents, ...]:
    found = []
    for block in account.lists.get("expected_agents", []):
        values = {name: setting.value for name, setting in block.settings.items()}
        environment, agents, least = values["environment"], values.get("agents", ()), values.get("min")
        if not (isinstance(environment, str) and isinstance(agents, tuple) and isinstance(least, int | None)):
            raise TypeError("expected_agents does not follow its schema")
        found.append(ExpectedAgents(environment, tuple(str(agent) for agent in agents), least))
    return tuple(found)
