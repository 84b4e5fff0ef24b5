"""`check-config --probe`: query each account as two scrapes would, and report what that allows and costs."""

import asyncio
from collections.abc import Sequence
from typing import TextIO

from exporter.account.account import Account, Status
from exporter.account.one_shot import TIMEOUT, query, troubles, with_collectors
from exporter.account.page import ROOT
from exporter.cli.check_report import AccountFacts, CollectorFacts, as_json, text
from exporter.cli.objects import Objects, objects
from exporter.collectors import environments, executions, jobs, users
from exporter.config import AccountConfig
from exporter.core.clock import Clock
from exporter.flatfile.errors import FlatfileError

FIRST_PART = 0.7  # of the time is for the first refresh
LONG_REFRESH = 2.0  # seconds for a refresh that no scrape would wait for; requests to each of many spaces are not made


def probe(accounts: Sequence[AccountConfig], fmt: str, out: TextIO, timeout: float = TIMEOUT) -> int:
    """Query the accounts, print a report as `text` or `json`, and return the exit status: 0, or 1 if something cannot work.

    `timeout` is in seconds, for all of it. Raises ConfigError if connections cannot be set up.
    """
    configured = {account.name: account for account in accounts}
    enabled = [
        with_collectors(account, {ROOT, *(name for name, settings in account.collectors.items() if settings.enabled)})
        for account in accounts
    ]

    async def ask(account: Account, deadline: float) -> AccountFacts:
        return await facts(account, configured[account.name], deadline)

    found = asyncio.run(query(enabled, ask, Clock(), timeout))
    out.write(as_json(found) if fmt == "json" else text(found))
    return 0 if all(account.ok for account in found) else 1


async def facts(account: Account, config: AccountConfig, deadline: float) -> AccountFacts:
    """Refresh an account twice until `deadline` (loop time). `config` has its limits and intervals."""
    loop = asyncio.get_running_loop()
    first_until = loop.time() + (deadline - loop.time()) * FIRST_PART
    await account.refresh(first_until)
    await account.settle(min(first_until, loop.time() + LONG_REFRESH))
    first = {status.collector: (status, status.trace.number) for status in account.status()}
    names = [name for name, (status, _) in first.items() if not status.running and _reached(status)]
    second = await asyncio.gather(*(_requests_of_another(account, name, deadline) for name in names))
    steady = dict(zip(names, second, strict=True))
    there = await objects(account)
    latest = {status.collector: status for status in account.status()}
    return AccountFacts(
        account.name,
        config.base_url,
        config.requests.per_second,
        [
            _collector(config, there, *first[name], latest[name], steady.get(name))
            for name in config.collectors
            if name in first
        ],
        account_id=there.account[0] if there.account else None,
        account_name=there.account[1] if there.account else None,
        unmatched=account.unmatched(),
    )


async def _requests_of_another(account: Account, name: str, deadline: float) -> int | None:
    """Refresh a collector once more, and count the requests; `None` if it failed or took too long."""
    try:
        async with asyncio.timeout_at(deadline):
            await account.force_refresh(name, deadline)
    except (FlatfileError, TimeoutError):
        return None
    return next(status.trace.number for status in account.status() if status.collector == name)


def _reached(status: Status) -> bool:
    return status.outcome is not None and status.outcome.reached


def _collector(
    config: AccountConfig, there: Objects, status: Status, first: int, latest: Status, steady: int | None
) -> CollectorFacts:
    """Return the facts of a collector: its `status` after the first refresh of `first` requests, `latest` at the end."""
    name, settings = status.collector, config.collectors[status.collector]
    if status.outcome is None:  # it may have ended meanwhile
        status, first = latest, latest.trace.number
    finished = status.outcome is not None
    # It takes long, but it works. (Not so the environments: their list is short, and another endpoint may have answered.)
    works = not finished and name != ROOT and any(code.startswith("2") for _, code in status.trace.codes)
    failed = [] if works else troubles(status) or (troubles(latest) if latest.outcome is not None else [])
    known: int | None = first if works or _reached(status) else None
    estimated = False
    if name == "guests" and works and "spaces" in there.counted:
        known, steady, estimated = there.counted["spaces"] + 1, 0, True  # one for each space, one for all in vain
    elif steady is None and finished and not failed:
        steady, estimated = first, True  # no time was left for it: it hardly takes more
    return CollectorFacts(
        name,
        settings.interval,
        settings.max_age,
        failed,
        reached=_reached(latest) or works,
        finished=finished,
        first=known,
        steady=steady,
        resync=_full_resync(config, name),
        estimated=estimated,
        count=there.counted.get(name) if _reached(status) or _reached(latest) else None,
        window={"events": config.events.window, "jobs": config.jobs.window}.get(name),
        unknown=[(id_, there.environments[id_]) for id_ in there.unread.get(name, ())],
    )


def _full_resync(config: AccountConfig, name: str) -> float | None:
    """Return the seconds within which a collector makes the requests again that its first refresh needs."""
    return {
        "environments": environments.ACCOUNT_INTERVAL,
        "spaces": config.spaces.full_resync,
        "users": users.FULL_RESYNC,
        "guests": config.guests.full_resync,
        "executions": min(executions.ROTATION, config.collectors["executions"].max_age / 3),  # where nothing happens
        "events": config.collectors["events"].max_age / 3,  # of environments without events, each by itself
        "jobs": jobs.FULL_EVERY,
    }.get(name)
