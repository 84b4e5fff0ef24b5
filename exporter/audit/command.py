"""The command `audit`: from its options to an exit status."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping

from exporter.account.one_shot import UnknownAccount, select_accounts
from exporter.audit.account import AccountAudit, Manner
from exporter.audit.actors import telling
from exporter.audit.cursor import Cursor, Place
from exporter.audit.disk import Disk
from exporter.audit.line import Format, line_format
from exporter.audit.log_file import LogFile
from exporter.audit.names import Names
from exporter.audit.options import Options
from exporter.audit.outputs import File, Journal, Stream, learn
from exporter.audit.progress import Progress
from exporter.audit.reading import Reader
from exporter.audit.selection import Selection
from exporter.audit.state import AuditError, StateFile
from exporter.config import AccountConfig, Config
from exporter.core.clock import Clock
from exporter.core.logs import fields
from exporter.flatfile.connect import connect
from exporter.web.signals import Signals

log = logging.getLogger(__name__)
STANDARD_OUTPUT = 1


def audit(options: Options, load: Callable[[], Config], environ: Mapping[str, str], progress: Progress) -> int:
    """Run the command and give its exit status: 0, or 1 where something could not be read or written.

    Raises ConfigError and BadOptions. The log goes to `progress`.
    """
    clock = Clock()
    options.check(clock.wall())
    key = options.key(environ)
    config = load()
    try:
        return asyncio.run(_audit(options, _chosen(config, options), key, clock, progress))
    except BrokenPipeError:
        return 0  # the reader has seen enough
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 0  # told to end
    except (AuditError, UnknownAccount, OSError) as error:
        progress.write(f"flatfile-exporter: {error}\n")
    except sqlite3.Error as error:
        progress.write(f"flatfile-exporter: no room for what is sorted on disk (in the folder TMPDIR): {error}\n")
    finally:
        progress.clear()
    return 1


def _chosen(config: Config, options: Options) -> list[AccountConfig]:
    accounts = select_accounts(config, options.accounts)
    for warning in config.warnings:
        log.warning(warning)
    return accounts


async def _audit(options: Options, accounts: list[AccountConfig], key: bytes, clock: Clock, progress: Progress) -> int:
    signals = Signals()
    now = clock.wall()
    lines = line_format(options.format, people=options.people, payload=options.payload)
    async with contextlib.AsyncExitStack() as stack:
        journal, places = stack.enter_context(_opened(options, lines, [account.name for account in accounts], now))
        signals.on_hangup = lambda: _reopen(journal)
        audits = []
        for account in accounts:
            client = connect(account, progress, clock)
            stack.push_async_callback(client.session.aclose)
            chosen = Selection(account.environments, options.environments, options.topics, options.until_at(now))
            reader = Reader(client, chosen, payload=options.payload, progress=progress.read)
            cursor = Cursor(places[account.name], account.events.overlap)
            manner = Manner(lines, telling(options.actors, key), options.people, options.payload)
            audits.append(
                AccountAudit(
                    account.name, reader, Names(client, people=options.people), cursor, journal, manner, progress
                )
            )
        if options.follow:
            await asyncio.gather(*(one.follow(options.interval) for one in audits))
        whole = [await one.whole() for one in audits]
    progress.clear()
    log.info("audit ended", extra=fields(events=progress.written))
    return 0 if all(whole) else 1


@contextlib.contextmanager
def _opened(
    options: Options, lines: Format, accounts: Iterable[str], now: float
) -> Iterator[tuple[Journal, Mapping[str, Place]]]:
    """Open the output where it was left, and give each account's place in its events."""
    disk = Disk()
    state = None if options.state is None else StateFile(options.state, disk)
    saved = state.load() if state is not None else None
    places = {name: Place(options.since.at(now)) for name in accounts} | (saved.accounts if saved else {})
    if options.output is None:
        journal = Journal(Stream(STANDARD_OUTPUT, lines.header, disk), places, state)
        journal.save()
        yield journal, places
        return
    file = LogFile(options.output, lines.header, disk)
    try:
        learn(file.open(saved.output if saved else None), lines, places)
        journal = Journal(File(file), places, state)
        journal.save()
        yield journal, places
    finally:
        file.close()


async def _reopen(journal: Journal) -> None:
    """What SIGHUP does: the output was renamed, and goes on under its old name in a new file."""
    try:
        await journal.reopen()
    except (AuditError, OSError) as error:
        log.warning("the output could not be opened anew: it goes on in the old file", extra=fields(error=error))
    else:
        log.info("the output was opened anew")
