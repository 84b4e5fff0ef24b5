"""The command `discover`: prints `expected_agents` for the agents that are deployed now."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TextIO

from exporter.account.account import Account
from exporter.account.one_shot import TIMEOUT, Trouble, query, troubles, with_collectors
from exporter.cli.expected_agents import Environment, expected_agents
from exporter.cli.objects import list_environments
from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.core.printable import printable


@dataclass(frozen=True, slots=True)
class Deployment:
    """What is deployed in an account. `why` is the reason if the environments could not be listed.

    `failures` are sentences for the user.
    """

    account: str
    environments: Sequence[Environment]
    why: str
    failures: Sequence[str]


def discover(accounts: Sequence[AccountConfig], out: TextIO, err: TextIO, timeout: float = TIMEOUT) -> int:
    """Print the YAML and return the exit status: 0, or 1 if something could not be listed. `timeout` is in seconds.

    Raises ConfigError if connections cannot be set up.
    """
    only = [with_collectors(account, ("environments", "agents")) for account in accounts]
    found = asyncio.run(query(only, deployment, Clock(), timeout))
    out.write("\n".join(expected_agents(each.account, each.environments, each.why) for each in found))
    for each in found:
        err.writelines(f"flatfile-exporter: account {printable(each.account)}: {why}\n" for why in each.failures)
    return 1 if any(each.failures for each in found) else 0


async def deployment(account: Account, deadline: float) -> Deployment:
    """List an account's environments and agents until `deadline` (loop time)."""
    await account.refresh(deadline)
    failed = {status.collector: troubles(status) for status in account.status()}
    listed = await list_environments(account)
    if listed is None:
        why = failed["environments"]
        failures = [f"environments could not be listed: {trouble}" for trouble in why]
        return Deployment(account.name, (), _reasons(why), failures)
    why = failed["agents"]
    found = [replace(each, why=_reasons(why)) for each in listed[1]]
    failures = [
        f"agents of environment {printable(f'{each.name} ({each.id})')} could not be listed: {trouble}"
        for each in found
        if each.agents is None
        for trouble in why
    ]
    return Deployment(account.name, found, "", failures)


def _reasons(troubles: Sequence[Trouble]) -> str:
    return ", ".join(dict.fromkeys(trouble.reason for trouble in troubles))
