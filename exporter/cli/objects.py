"""How many objects an account has, and of which environments that is known."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from exporter.account.account import Account
from exporter.collectors import agents, environments, events, guests, jobs, spaces, users
from exporter.exposition.families import Desc, HistogramValue

COUNTED: Mapping[str, tuple[Desc, Desc | None]] = {
    "environments": (environments.ENVIRONMENTS, None),
    "spaces": (spaces.SPACES, spaces.SPACES),
    "agents": (agents.AGENTS, agents.AGENTS),
    "users": (users.USERS, None),
    "guests": (guests.GUESTS, guests.GUESTS),
    "events": (events.PER_SECOND, events.TOTAL),
    "jobs": (jobs.JOBS, jobs.JOBS),
}
"""By collector: the family whose sum counts the objects, and one that has every environment that was read."""


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of an account.

    `counted` is the number by collector, without those of which not all is known. `environments` are names by id, `unread`
    the ids of those that a collector has not read yet. `account` is Flatfile's id and name of the account.
    """

    counted: Mapping[str, int]
    environments: Mapping[str, str]
    unread: Mapping[str, Collection[str]]
    account: tuple[str, str] | None


async def objects(account: Account) -> Objects:
    """Return what is known of an account now."""
    families = {family.desc: family.samples for family in account.families()}
    listed = {labels[1]: labels[2] for labels, _ in families.get(environments.ENVIRONMENT_INFO, ())}
    counted, unread = {}, {}
    for name, (desc, by_environment) in COUNTED.items():
        if by_environment is not None:
            read = {labels[1] for labels, _ in families.get(by_environment, ())}
            unread[name] = [id_ for id_ in listed if id_ not in read]
        if desc in families and not unread.get(name):
            number = math.fsum(value for _, value in families[desc] if not isinstance(value, HistogramValue))
            counted[name] = round(number * account.config.events.window if name == "events" else number)
    info = next((labels[1:3] for labels, _ in families.get(environments.ACCOUNT_INFO, ())), None)
    return Objects(counted, listed, unread, (info[0], info[1]) if info else None)
