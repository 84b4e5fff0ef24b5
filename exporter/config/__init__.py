"""The configuration: its types, and loading it from a file or from the environment."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from exporter.config.account import Settings
from exporter.config.check import check
from exporter.config.environment import from_environment
from exporter.config.files import READABLE_BY_ALL, is_public, read_file, reason
from exporter.config.problems import Place, Problems
from exporter.config.proxy import with_proxy
from exporter.config.reader import Reader
from exporter.config.types import (
    ROOT,
    AccountConfig,
    CollectorConfig,
    Config,
    ConfigError,
    EnvironmentsConfig,
    EventsConfig,
    ExpectedAgents,
    Globs,
    matches,
)
from exporter.config.yaml_tree import MAX_CHARACTERS, YamlError, compose

__all__ = [
    "AccountConfig",
    "CollectorConfig",
    "Config",
    "ConfigError",
    "EnvironmentsConfig",
    "EventsConfig",
    "ExpectedAgents",
    "Globs",
    "from_environment",
    "load",
    "matches",
    "parse",
]


def load(path: Path, env: Mapping[str, str] | None = None) -> Config:
    """Return the configuration of a file; `env` (by default the process' own) is for proxies.

    Raises ConfigError with every problem as `file:line:column: path: message`.
    A file that cannot be read at all gives `file: message`.
    """
    try:
        content, mode = read_file(path, 4 * MAX_CHARACTERS)
    except OSError as error:
        raise ConfigError((f"{path}: {reason(error)}",)) from None
    try:
        text = content.decode("utf-8")  # PyYAML skips a byte order mark
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - (before.rfind(b"\n") + 1) + 1
        raise ConfigError((f"{path}:{line}:{column}: the file is not UTF-8 text",)) from None
    config = parse(text, str(path))
    warnings = list(config.warnings)
    environment = os.environ if env is None else env
    config = replace(config, accounts=tuple(with_proxy(account, environment, warnings) for account in config.accounts))
    if is_public(mode) and any(_holds_credentials(account) for account in config.accounts):
        warnings.append(f"{path}: it contains credentials, and {READABLE_BY_ALL}")
    return replace(config, warnings=tuple(dict.fromkeys(warnings)))


def _holds_credentials(account: AccountConfig) -> bool:
    auth, proxy = account.auth, account.requests.proxy_url
    return bool(auth.client_secret or auth.access_token or (proxy and "@" in proxy.reveal()))


def parse(text: str, filename: str) -> Config:
    """Return the configuration in a file's text; relative paths in it start at the directory of `filename`.

    Raises ConfigError with every problem as `file:line:column: path: message`.
    """
    problems = Problems(filename)
    accounts: list[Settings] = []
    try:
        root = Reader(ROOT, Path(filename).parent, problems).read(compose(text))
    except YamlError as error:
        problems.add(Place(error.line, error.column, ""), error.message)
    else:
        accounts = [Settings(root, account) for account in root.lists.get("accounts", ())]
        check(accounts, problems)
    if problems.count:
        raise ConfigError(problems.lines())
    return Config(tuple(settings.build() for settings in accounts), problems.warnings())
