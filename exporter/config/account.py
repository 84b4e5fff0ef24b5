"""Builds a frozen AccountConfig from an account's own keys, those at the top of the file, and the defaults."""

from dataclasses import replace
from typing import Any

from exporter.config.reader import BROKEN, Block, Setting
from exporter.config.schema import Key, Section, keys
from exporter.config.types import ACCOUNT, ACCOUNTS, COLLECTORS, MAX_AGE_INTERVALS, AccountConfig
from exporter.config.values import default_of

DEFAULTS = {path: default_of(key) for path, key in keys(ACCOUNT)}


class Settings:
    """The settings of one account over those at the top of the file; `ca_pem` is what its ca_file holds."""

    def __init__(self, top: Block | None, account: Block) -> None:
        self.account = account
        self.ca_pem: str | None = None
        self.written: dict[str, Setting] = (top.settings if top else {}) | account.settings

    def get(self, path: str) -> Any:
        """Return the value, by default the schema's; BROKEN where it is written but unusable."""
        return self.written[path].value if path in self.written else DEFAULTS[path]

    def usable(self, path: str) -> Setting | None:
        """Return what is written there, if it is and is not BROKEN."""
        setting = self.written.get(path)
        return None if setting is None or setting.value is BROKEN else setting

    def build(self) -> AccountConfig:
        """Return the account. None of its settings is BROKEN."""
        for name in COLLECTORS:
            max_age = f"collectors.{name}.max_age"
            if max_age not in self.written:
                least = MAX_AGE_INTERVALS * self.get(f"collectors.{name}.interval")
                self.written[max_age] = Setting(max(DEFAULTS[max_age], least), self.account.place)
        account: AccountConfig = self._build(ACCOUNTS, "")
        return replace(account, ca_pem=self.ca_pem, proxy=account.requests.proxy_url)

    def _build(self, entry: Section, prefix: str) -> Any:
        values: dict[str, Any] = {}
        for child in entry.children:
            path = prefix + child.name
            if isinstance(child, Key):
                values[child.name] = self.get(path)
            elif child.many:
                values[child.name] = tuple(
                    child.make(**{key.name: _get(block, key) for key in child.children if isinstance(key, Key)})
                    for block in self.account.lists.get(path, ())
                )
            else:
                values[child.name] = self._build(child, path + ".")
        return entry.make(**values)


def _get(block: Block, key: Key) -> Any:
    return block.settings[key.name].value if key.name in block.settings else default_of(key)
