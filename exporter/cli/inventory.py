"""The command `inventory`: what accounts hold, as lists; asked of Flatfile, or from the database of a running exporter."""

import asyncio
import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

from exporter.account.account import Account
from exporter.account.one_shot import query, troubles, with_collectors
from exporter.cli.inventory_kinds import HOUR
from exporter.cli.inventory_people import read_people
from exporter.cli.inventory_report import Options, Report, Source, Unread
from exporter.collectors import executions
from exporter.config import AccountConfig, EnvironmentsConfig, matches
from exporter.core.clock import Clock
from exporter.core.progress_line import ProgressLine
from exporter.store.directory import StorageError, api_identity
from exporter.store.read_only import open_read_only

MAX_ENVIRONMENTS = 1_000_000
STEP = 0.1  # seconds between two looks at how far the reading has come
SPACES_READ = """
SELECT (SELECT count(*) FROM guest_space WHERE asked_at IS NOT NULL),
  (SELECT count(*) FROM space JOIN environment ON environment.id = environment_id WHERE shown)"""


@dataclass(frozen=True)
class _Narrowed(EnvironmentsConfig):
    """The environments that the configuration selects and that one of the `globs` matches, if there are any."""

    globs: Sequence[str] = ()

    def match(self, *values: str) -> bool:
        return EnvironmentsConfig.match(self, *values) and matches(self.globs or "*", *values)


def inventory(options: Options, accounts: Sequence[AccountConfig], out: TextIO, err: TextIO) -> int:
    """Print the inventory and return the exit status: 0, or 1 if a part of it could not be read.

    Raises ConfigError if connections cannot be set up, OSError where the output cannot be written.
    """
    with _opened(options.output, out) as stream:
        report = Report(options, stream, err, several=len(accounts) > 1)
        if options.storage_path is None:
            asyncio.run(_ask(options, accounts, report, ProgressLine(err)))
        else:
            _look_up(options.storage_path, accounts, report)
        stream.flush()
    return 0 if report.complete else 1


@contextlib.contextmanager
def _opened(path: Path | None, out: TextIO) -> Iterator[TextIO]:
    """Open the output; a file that is new is its owner's alone, since it may name people."""
    if path is None:
        yield out
        return
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w", encoding="utf-8"
    ) as file:
        yield file


def _look_up(directory: Path, accounts: Sequence[AccountConfig], report: Report) -> None:
    """Report what a running exporter knows, each account as of one moment; an account that it does not have is named."""
    for account in accounts:
        try:
            with open_read_only(directory, account.name, api_identity(account.base_url)) as db:
                report.account(db, account, Source(Clock().wall(), {}, read_by_exporter=True))
        except StorageError as error:
            report.failed(account.name, str(error))


async def _ask(options: Options, accounts: Sequence[AccountConfig], report: Report, progress: ProgressLine) -> None:
    """Read all accounts side by side, and report them one after the other in the order of the configuration."""
    configs = {account.name: account for account in accounts}
    narrowed = [_narrowed(account, options) for account in accounts]
    turns = {account.name: asyncio.Event() for account in accounts}
    following = dict(zip(configs, [*list(turns.values())[1:], asyncio.Event()], strict=True))
    turns[accounts[0].name].set()
    read: dict[str, tuple[int, int, int]] = {}

    async def ask(account: Account, deadline: float) -> None:
        shown = asyncio.create_task(_show(account, read, progress))
        try:
            source = await _read(account, options, deadline)
        finally:
            shown.cancel()
            await asyncio.gather(shown, return_exceptions=True)
        await turns[account.name].wait()
        progress.clear()
        await account.database.run(lambda db: report.account(db, configs[account.name], source))
        following[account.name].set()

    try:
        await query(narrowed, ask, Clock(), options.timeout)
    finally:
        progress.clear()


def _narrowed(account: AccountConfig, options: Options) -> AccountConfig:
    """Return the account for one reading of what is asked for: names of spaces too, and no environment left out as too many."""
    chosen = account.environments
    environments = _Narrowed(chosen.include, chosen.exclude, chosen.ids, MAX_ENVIRONMENTS, options.environments)
    return replace(
        with_collectors(account, options.collectors, options.timeout),
        environments=environments,
        spaces=replace(account.spaces, per_space=options.kind == "spaces"),
    )


async def _read(account: Account, options: Options, deadline: float) -> Source:
    """Read an account until `deadline` (loop time)."""
    if "executions" in options.collectors:
        await account.refresh(deadline, {"agents"})
        await account.settle(deadline)
        since = account.now - HOUR
        await account.database.run(lambda db: executions.count_since(db, since))
    await account.refresh(deadline, {*options.collectors})
    await account.settle(deadline)
    failed = {status.collector: troubles(status) for status in account.status()}
    people, unread = None, []
    if options.people:
        people, trouble = await read_people(account, options.kind, deadline)
        unread = [Unread(f"names of {options.kind}", None, str(trouble))] if trouble else []
    now = account.now
    return Source(now, failed, unread, people, now - Clock().wall(), account.client.session.token_expiry)


async def _show(account: Account, read: dict[str, tuple[int, int, int]], progress: ProgressLine) -> None:
    """Show how far the reading of all accounts has come until cancelled. `read`: requests, spaces asked, spaces, by account."""
    while progress.terminal:
        asked, there = await account.database.run(lambda db: db.execute(SPACES_READ).fetchone())
        requests = sum(status.trace.number for status in account.status())
        read[account.name] = (requests, asked, there if asked else 0)
        progress.show(lambda: _progress(*(sum(numbers) for numbers in zip(*read.values(), strict=True))))
        await asyncio.sleep(STEP)


def _progress(requests: int, asked: int, spaces: int) -> str:
    guests = f", guests of {asked:,} of {spaces:,} spaces" if spaces else ""
    return f"{requests:,} requests{guests}"
