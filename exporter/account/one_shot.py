"""Accounts that a command queries once, without a scrape: side by side, and within a limited time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from exporter.account.account import Account, Status
from exporter.account.accounts import Accounts
from exporter.config import AccountConfig, Config, ConfigError
from exporter.core.clock import Clock
from exporter.core.printable import printable
from exporter.flatfile.errors import Reason, advice

T = TypeVar("T")

TIMEOUT = 55.0
"""Seconds for all queries of a command: with its start and end, less than a minute."""


def select_accounts(config: Config, names: Collection[str]) -> list[AccountConfig]:
    """Return the accounts of these names in the configuration's order, all if none is named. Raises ConfigError."""
    known = [account.name for account in config.accounts]
    unknown = [name for name in names if name not in known]
    if unknown:
        problem = f"flatfile-exporter: unknown account {unknown[0]!r}; the configuration has {', '.join(known)}"
        raise ConfigError((problem,))
    return [account for account in config.accounts if not names or account.name in names]


def with_collectors(account: AccountConfig, collectors: Collection[str], timeout: float = TIMEOUT) -> AccountConfig:
    """Return the account with only these collectors, and with a `max_age` that no command of `timeout` seconds outlasts."""
    return replace(
        account,
        collectors={
            name: replace(settings, enabled=name in collectors, max_age=max(settings.max_age, 2 * timeout))
            for name, settings in account.collectors.items()
        },
    )


async def query(
    accounts: Sequence[AccountConfig], ask: Callable[[Account, float], Awaitable[T]], clock: Clock, timeout: float
) -> list[T]:
    """Call `ask` for all accounts side by side, with the loop time at which it must end, and return the results.

    `timeout` is in seconds. Raises ConfigError if connections cannot be set up.
    """
    config = Config(tuple(accounts), ())
    made = Accounts(lambda: config, clock)
    await made.reload()
    try:
        deadline = asyncio.get_running_loop().time() + timeout
        return await asyncio.gather(*(ask(account, deadline) for account in made))
    finally:
        await made.aclose()


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of failure. `text` holds no secret; `status` is the HTTP status, if one came."""

    reason: Reason
    endpoint: str
    status: int | None
    text: str

    @property
    def advice(self) -> str:
        """What to check or to do."""
        return advice(self.reason, self.status)

    def __str__(self) -> str:
        where = f" at {self.endpoint}" if self.endpoint else ""
        return printable(f"{self.reason}{where}: {self.text}. {self.advice}")


def troubles(status: Status) -> list[Trouble]:
    """Return the kinds of failure of a collector. One that has not ended took too long."""
    if status.outcome is None:
        return [Trouble("timeout", "", None, "not finished in time")]
    return [*dict.fromkeys(Trouble(e.reason, e.endpoint, e.status, str(e)) for e in status.outcome.errors)]
