"""One account named `default` from environment variables alone."""

from collections.abc import Mapping
from pathlib import Path

from exporter.config.build import build_account
from exporter.config.check import AUTH_VALUES, credential_problems
from exporter.config.files import warn_about_file
from exporter.config.keys import ACCOUNT
from exporter.config.problems import Place
from exporter.config.reader import Block, Setting
from exporter.config.schema import Kind, keys
from exporter.config.settings import Settings
from exporter.config.types import Config, ConfigError
from exporter.config.url import is_plain_http_to_elsewhere
from exporter.config.values import check_text, text_value

ACCOUNT_NAME = "default"
BASE_URL = "FLATFILE_BASE_URL"

_NOTHING = (
    "there is no configuration: give it in one of these two ways",
    "  a file: --config.file=config.yaml (config.example.yaml shows every key)",
    "  environment variables: FLATFILE_CLIENT_ID with FLATFILE_CLIENT_SECRET, or FLATFILE_ACCESS_TOKEN "
    "(each also as …_FILE, the path of a file that holds the value)",
    "to look around without an account: flatfile-exporter demo",
)


def variable(name: str) -> str:
    """The variable for a key of `auth`."""
    return f"FLATFILE_{name.upper()}"


def from_environment(env: Mapping[str, str]) -> Config:
    """The account of `FLATFILE_…` variables; an empty variable counts as not set. Raises ConfigError."""
    kinds = {path.removeprefix("auth."): key for path, key in keys(ACCOUNT) if path.startswith("auth.")}
    given = {name: env[variable(name)] for name in kinds if env.get(variable(name))}
    base_url = env.get(BASE_URL)
    if not given:
        raise ConfigError(_NOTHING)
    problems = credential_problems(given, variable)
    warnings: list[str] = []
    here = Place(1, 1, "")
    block = Block(here, {"name": Setting(ACCOUNT_NAME, here)})
    for name, text in given.items():
        key = kinds[name]
        try:
            check_text(text)
            block.settings[f"auth.{name}"] = Setting(text_value(text, key), here)
        except ValueError as error:
            problems.append(f"{variable(name)} {error}")
            continue
        if key.kind is Kind.FILE:
            confidential = name.removesuffix("_file") in AUTH_VALUES[1:]
            warnings += (f"{variable(name)}: {warning}" for warning in warn_about_file(Path(text), confidential))
    if base_url:
        url_key = dict(keys(ACCOUNT))["base_url"]
        try:
            url = text_value(base_url, url_key)
            if is_plain_http_to_elsewhere(str(url)):
                raise ValueError(
                    "must begin with https://: http:// would send the credentials in the clear "
                    "(a configuration file can allow it for an account)"
                )
            block.settings["base_url"] = Setting(url, here)
        except ValueError as error:
            problems.append(f"{BASE_URL} {error}")
    if problems:
        raise ConfigError(tuple(problems))
    return Config((build_account(Settings(None, block), (), Path()),), tuple(warnings))
