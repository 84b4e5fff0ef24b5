"""`check-config --probe`: tries each account's collectors as a scrape would, twice, and tells what came of it."""

import asyncio
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TextIO

from exporter.account.account import ROOT, Account, Status
from exporter.account.one_shot import TIMEOUT, query, troubles, with_collectors
from exporter.cli.check_facts import AccountFacts, CollectorFacts
from exporter.cli.check_report import as_json, text
from exporter.collectors import agents, environments, events, guests, jobs, spaces, users
from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.exposition.families import Desc, HistogramValue, Sample
from exporter.flatfile.errors import FlatfileError

FIRST_PART = 0.7  # of the time is for the first pass
LONG_PASS = 2.0  # seconds that a pass gets which no scrape would wait for; a request to each space is not made
STEP = 0.05  # seconds between two looks at it

COUNTS: Mapping[str, Desc] = {
    "environments": environments.ENVIRONMENTS,
    "spaces": spaces.SPACES,
    "agents": agents.AGENTS,
    "users": users.USERS,
    "guests": guests.GUESTS,
    "events": events.PER_SECOND,
    "jobs": jobs.JOBS,
}
"""The family whose sum is the number of objects (of events: of those in the window, over its seconds)."""
TOLD_BY: Mapping[str, Desc] = {
    "spaces": spaces.SPACES,
    "agents": agents.AGENTS,
    "guests": guests.GUESTS,
    "events": events.TOTAL,
    "jobs": jobs.JOBS,
}
"""The family that has samples of an environment as soon as anything is known of it."""

Families = Mapping[Desc, Sequence[Sample]]


def probe(accounts: Sequence[AccountConfig], fmt: str, out: TextIO, timeout: float = TIMEOUT) -> int:
    """Ask, print what was found as `text` or `json`, and give the exit status: 0, or 1 where something cannot work.

    `timeout` are the seconds for all of it. Raises ConfigError where connections cannot be set up.
    """
    configured = {account.name: account for account in accounts}
    wanted = [with_collectors(account, {ROOT, *_enabled(account)}) for account in accounts]

    async def ask(account: Account, deadline: float) -> AccountFacts:
        return await facts(account, configured[account.name], deadline)

    found = asyncio.run(query(wanted, ask, Clock(), timeout))
    out.write(as_json(found) if fmt == "json" else text(found))
    return 0 if all(account.ok for account in found) else 1


def _enabled(account: AccountConfig) -> list[str]:
    return [name for name, settings in account.collectors.items() if settings.enabled]


async def facts(account: Account, config: AccountConfig, deadline: float) -> AccountFacts:
    """Try an account's collectors until `deadline` (loop time). `config` is what its limits and intervals are taken from."""
    loop = asyncio.get_running_loop()
    first_until = loop.time() + (deadline - loop.time()) * FIRST_PART
    await account.refresh(first_until)
    long_until = min(first_until, loop.time() + LONG_PASS)
    while any(status.running for status in account.status()) and loop.time() < long_until:  # noqa: ASYNC110 - nothing tells of its end
        await asyncio.sleep(STEP)
    first = {status.collector: (status, status.trace.number) for status in account.status()}
    again = [name for name, (status, _) in first.items() if not status.running and _reached(status)]
    steady = await _again(account, again, deadline)
    families = {family.desc: family.samples for family in account.families()}
    latest = {status.collector: status for status in account.status()}
    info = next(iter(families.get(environments.ACCOUNT_INFO, ())), None)
    return AccountFacts(
        account.name,
        config.base_url,
        config.requests.per_second,
        [
            _collector(config, families, status, number, latest[name], steady.get(name))
            for name, (status, number) in ((name, first[name]) for name in config.collectors if name in first)
        ],
        account_id=info[0][1] if info else None,
        account_name=info[0][2] if info else None,
    )


async def _again(account: Account, names: Collection[str], deadline: float) -> dict[str, int]:
    """Refresh once more, and count the requests of those that came to an end."""
    loop = asyncio.get_running_loop()

    async def once(name: str) -> tuple[str, int]:
        await account.anew(name, deadline)
        return name, next(status.trace.number for status in account.status() if status.collector == name)

    tasks = [loop.create_task(once(name)) for name in names]
    if not tasks:
        return {}
    done, pending = await asyncio.wait(tasks, timeout=max(0.0, deadline - loop.time()))
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    found = {}
    for task in done:
        try:
            name, number = task.result()
        except FlatfileError:
            continue  # its outcome tells
        found[name] = number
    return found


def _reached(status: Status) -> bool:
    return status.outcome is not None and status.outcome.reached


def _collector(
    config: AccountConfig, families: Families, status: Status, first: int, latest: Status, steady: int | None
) -> CollectorFacts:
    """What came of one collector: `status` after the first pass, which took `first` requests, `latest` at the end."""
    name, settings = status.collector, config.collectors[status.collector]
    if status.outcome is None:  # it may have come to its end meanwhile
        status, first = latest, latest.trace.number
    # the list of environments is short, and what has answered may be the account itself
    answered = name != ROOT and any(code.startswith("2") for _, code in status.trace.codes)
    listed = {labels[1]: labels[2] for labels, _ in families.get(environments.ENVIRONMENT_INFO, ())}
    known = _environments(families, TOLD_BY[name]) if name in TOLD_BY else {*listed}
    failed = troubles(status) or (troubles(latest) if latest.outcome is not None else [])
    unfinished = status.outcome is None
    if unfinished and answered:
        failed = []  # it takes long, and it works
    ever = _reached(status) or _reached(latest)
    found = CollectorFacts(
        name,
        settings.interval,
        settings.max_age,
        failed,
        reached=_reached(latest) or (unfinished and answered),
        finished=not unfinished,
        first=first if _reached(status) or (unfinished and answered) else None,
        steady=steady,
        anew=_anew(config, name),
        count=_count(config, families, name) if ever and listed.keys() <= known else None,
        window={"events": config.events.window, "jobs": config.jobs.window}.get(name),
        unknown=[(id_, listed[id_]) for id_ in listed if id_ not in known],
    )
    if name == "guests" and unfinished and answered:
        return _of_each_space(config, families, found, complete=listed.keys() <= _environments(families, spaces.SPACES))
    if steady is None and found.finished and not failed:
        return replace(found, steady=first, estimated=True)  # no time was left for it: it is hardly more than that
    return found


def _of_each_space(
    config: AccountConfig, families: Families, guests: CollectorFacts, *, complete: bool
) -> CollectorFacts:
    """Guests that are asked space by space: as many requests as there are spaces, and one in vain for all of them at once."""
    number = _count(config, families, "spaces") if complete else None
    if number is None:
        return guests
    return replace(guests, first=number + 1, steady=0, estimated=True)


def _environments(families: Families, desc: Desc) -> set[str]:
    """The ids of the environments of which a family knows something."""
    return {labels[1] for labels, _ in families.get(desc, ())}


def _count(config: AccountConfig, families: Families, name: str) -> int | None:
    """How many objects there are, `None` where no number of them is exported."""
    desc = COUNTS.get(name)
    if desc is None or desc not in families:
        return None
    number = math.fsum(value for _, value in families[desc] if not isinstance(value, HistogramValue))
    return round(number * config.events.window if name == "events" else number)


def _anew(config: AccountConfig, name: str) -> float | None:
    """Seconds within which a collector asks again what otherwise only its first pass asks."""
    periods = {
        "environments": environments.ACCOUNT_INTERVAL,
        "spaces": config.spaces.full_resync,
        "users": users.FULL_RESYNC,
        "guests": config.guests.full_resync,
        "executions": config.collectors["executions"].max_age / 3,  # environments in which nothing happens
        "events": config.collectors["events"].max_age / 3,  # environments without any, by themselves
        "jobs": jobs.FULL_EVERY,
    }
    return periods.get(name)
