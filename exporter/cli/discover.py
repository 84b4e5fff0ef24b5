"""The command `discover`: prints `expected_agents` for the agents that are deployed now."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import TextIO

from exporter.account.account import Account
from exporter.account.one_shot import TIMEOUT, Trouble, query, troubles, with_collectors
from exporter.cli.expected_agents import expected_agents
from exporter.cli.objects import list_environments
from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.core.printable import printable


def discover(accounts: Sequence[AccountConfig], out: TextIO, err: TextIO, timeout: float = TIMEOUT) -> int:
    """Print the YAML and return the exit status: 0, or 1 if something could not be listed. `timeout` is in seconds.

    Raises ConfigError if connections cannot be set up.
    """
    only = [with_collectors(account, ("environments", "agents")) for account in accounts]
    found = asyncio.run(query(only, deployed, Clock(), timeout))
    out.write("\n".join(text for text, _ in found))
    for account, (_, failures) in zip(accounts, found, strict=True):
        err.writelines(f"flatfile-exporter: account {printable(account.name)}: {why}\n" for why in failures)
    return 1 if any(failures for _, failures in found) else 0


async def deployed(account: Account, deadline: float) -> tuple[str, list[str]]:
    """List an account's agents until `deadline` (loop time). Return the YAML, and sentences on what could not be listed."""
    await account.refresh(deadline)
    failed = {status.collector: troubles(status) for status in account.status()}
    listed = await list_environments(account)
    if listed is None:
        why = failed["environments"]
        failures = [f"environments could not be listed: {trouble}" for trouble in why]
        return expected_agents(account.name, (), _reasons(why)), failures
    why = failed["agents"]
    found = [replace(each, why=_reasons(why)) for each in listed[1]]
    failures = [
        f"agents of environment {printable(f'{each.name} ({each.id})')} could not be listed: {trouble}"
        for each in found
        if each.agents is None
        for trouble in why
    ]
    return expected_agents(account.name, found), failures


def _reasons(troubles: Sequence[Trouble]) -> str:
    return ", ".join(dict.fromkeys(trouble.reason for trouble in troubles))
