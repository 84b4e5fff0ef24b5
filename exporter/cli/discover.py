"""The command `discover`: asks what is deployed now, and prints what the configuration would have to expect."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from exporter.account.account import Account
from exporter.account.one_shot import TIMEOUT, Trouble, query, troubles, with_collectors
from exporter.cli.expected_agents import Agent, Environment, expected_agents
from exporter.collectors import agents, environments
from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.core.printable import printable


@dataclass(frozen=True, slots=True)
class Deployed:
    """What is deployed in an account. `why`: the environments could not be listed. `troubles` are sentences for the user."""

    account: str
    environments: Sequence[Environment]
    why: str
    troubles: Sequence[str]


def discover(accounts: Sequence[AccountConfig], out: TextIO, err: TextIO, timeout: float = TIMEOUT) -> int:
    """Run the command and give its exit status: 0, or 1 where something could not be asked. `timeout` in seconds.

    Raises ConfigError where connections cannot be set up.
    """
    wanted = [with_collectors(account, ("environments", "agents")) for account in accounts]
    found = asyncio.run(query(wanted, deployed, Clock(), timeout))
    out.write("\n".join(expected_agents(one.account, one.environments, one.why) for one in found))
    for one in found:
        err.writelines(f"flatfile-exporter: account {printable(one.account)}: {trouble}\n" for trouble in one.troubles)
    return 1 if any(one.troubles for one in found) else 0


async def deployed(account: Account, deadline: float) -> Deployed:
    """List an account's environments and agents until `deadline` (loop time)."""
    await account.refresh(deadline)
    families = {family.desc: family.samples for family in account.families()}
    failed = {status.collector: troubles(status) for status in account.status()}
    if environments.ENVIRONMENT_INFO not in families:
        whys = failed["environments"]
        return Deployed(account.name, (), _reasons(whys), [f"environments could not be listed: {why}" for why in whys])
    by_environment: dict[str, list[Agent]] = {labels[1]: [] for labels, _ in families.get(agents.AGENTS, ())}
    for labels, _ in families.get(agents.INFO, ()):
        by_environment[labels[1]].append(Agent(labels[3], labels[4], labels[6] == "true"))
    whys = failed["agents"]
    found = [
        Environment(labels[1], labels[2], by_environment.get(labels[1]), _reasons(whys))
        for labels, _ in families[environments.ENVIRONMENT_INFO]
    ]
    unknown = [f"{env.name} ({env.id})" for env in found if env.agents is None]
    return Deployed(
        account.name,
        found,
        "",
        [f"agents of environment {printable(env)} could not be listed: {why}" for env in unknown for why in whys],
    )


def _reasons(troubles: Sequence[Trouble]) -> str:
    return ", ".join(dict.fromkeys(trouble.reason for trouble in troubles))
