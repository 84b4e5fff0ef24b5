"""Accounts that a command asks by itself, without a scrape: side by side, once, and within a bounded time."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from exporter.account.account import Account, Status
from exporter.account.accounts import Accounts
from exporter.config import AccountConfig, Config
from exporter.core.clock import Clock
from exporter.core.printable import printable
from exporter.flatfile.errors import Reason
from exporter.web.landing_page import ADVICE

T = TypeVar("T")

PATIENCE = 55.0  # seconds for all that a command asks: with its start and end, less than a minute
IN_TIME = " It will be asked again by itself."  # what an advice says of an exporter that runs


class UnknownAccount(Exception):
    """An account was named that the configuration does not have. The text is for the user."""


def chosen(config: Config, names: Collection[str]) -> list[AccountConfig]:
    """Give the accounts of these names in the configuration's order, all where none is named. Raises UnknownAccount."""
    known = [account.name for account in config.accounts]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownAccount(f"there is no account {unknown[0]!r}: it is one of {', '.join(known)}")
    return [account for account in config.accounts if not names or account.name in names]


def asked_for(account: AccountConfig, collectors: Collection[str]) -> AccountConfig:
    """The same account with these collectors alone; nothing is too old to be shown before the command ends."""
    return replace(
        account,
        collectors={
            name: replace(settings, enabled=name in collectors, max_age=max(settings.max_age, 2 * PATIENCE))
            for name, settings in account.collectors.items()
        },
    )


async def each(
    accounts: Sequence[AccountConfig], ask: Callable[[Account, float], Awaitable[T]], clock: Clock, patience: float
) -> list[T]:
    """Ask all of them side by side; `ask` gets the loop time at which it must come to its end.

    Raises ConfigError where connections cannot be set up.
    """
    config = Config(tuple(accounts), ())
    made = Accounts(lambda: config, clock)
    await made.reload()
    try:
        deadline = asyncio.get_running_loop().time() + patience
        return await asyncio.gather(*(ask(account, deadline) for account in made))
    finally:
        await made.aclose()


@dataclass(frozen=True, slots=True)
class Trouble:
    """A way in which something failed. `text` holds no secret; `status` is the HTTP status where one came."""

    reason: Reason
    endpoint: str
    status: int | None
    text: str

    @property
    def advice(self) -> str:
        """What to make of it."""
        return ADVICE[self.reason].removesuffix(IN_TIME)

    def __str__(self) -> str:
        where = f" at {self.endpoint}" if self.endpoint else ""
        return printable(f"{self.reason}{where}: {self.text}. {self.advice}")


def troubles(status: Status) -> list[Trouble]:
    """In which ways a collector failed, each once. One that has not come to an end took too long."""
    if status.outcome is None:
        return [Trouble("timeout", "", None, "not ended in time")]
    return [*dict.fromkeys(Trouble(e.reason, e.endpoint, e.status, str(e)) for e in status.outcome.errors)]
