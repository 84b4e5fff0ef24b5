"""Configures one account named `default` from environment variables."""

from collections.abc import Mapping
from pathlib import Path

from exporter.config.account import Settings
from exporter.config.check import AUTH_VALUES, credential_problems
from exporter.config.files import check_secret_file
from exporter.config.problems import Place
from exporter.config.proxy import with_proxy
from exporter.config.reader import Block, Setting
from exporter.config.schema import keys
from exporter.config.types import ACCOUNT, Config, ConfigError
from exporter.config.url import is_plain_http_to_elsewhere
from exporter.config.values import CLIENT_ID, FILE, check_value

ACCOUNT_NAME = "default"

_NOTHING = (
    "No configuration found. Provide one of:",
    "  a file: --config.file=config.yaml (config.example.yaml has every key)",
    "  environment variables: FLATFILE_CLIENT_ID with FLATFILE_CLIENT_SECRET, or FLATFILE_ACCESS_TOKEN "
    "(each also as …_FILE, the path of a file that contains the value)",
    "To try the exporter without an account: flatfile-exporter demo",
)


def variable(path: str) -> str:
    """Return the variable for a key of an account, such as FLATFILE_CLIENT_ID for `auth.client_id`."""
    return f"FLATFILE_{path.removeprefix('auth.').upper()}"


def from_environment(env: Mapping[str, str]) -> Config:
    """Return the account of `FLATFILE_…` variables; an empty variable counts as not set. Raises ConfigError."""
    known = {path: key for path, key in keys(ACCOUNT) if path.startswith("auth.")}
    given = {path: env[variable(path)] for path in known if env.get(variable(path))}
    if not given:
        raise ConfigError(_NOTHING)
    known |= {path: key for path, key in keys(ACCOUNT) if path == "base_url"}
    given |= {path: env[variable(path)] for path in known if env.get(variable(path))}
    problems = credential_problems([path.removeprefix("auth.") for path in given], variable)
    warnings: list[str] = []
    here = Place(1, 1, "")
    block = Block(here, {"name": Setting(ACCOUNT_NAME, here)})
    for path, text in given.items():
        try:
            value = check_value(text, known[path].kind)
            if path == "base_url" and is_plain_http_to_elsewhere(value):
                raise ValueError(
                    "must begin with https://: http:// would send the credentials in the clear "
                    "(a configuration file can allow it for an account)"
                )
            if isinstance(value, Path):
                kind = AUTH_VALUES[path.removeprefix("auth.").removesuffix("_file")]
                found = check_secret_file(value, kind, confidential=kind is not CLIENT_ID)
                warnings += (f"{variable(path)}: {warning}" for warning in found)
            block.settings[path] = Setting(value, here)
        except ValueError as error:
            problems.append(f"{variable(path)}{':' if known[path].kind is FILE else ''} {error}")
    if problems:
        raise ConfigError(tuple(problems))
    return Config((with_proxy(Settings(None, block).build(), env, warnings),), tuple(warnings))
