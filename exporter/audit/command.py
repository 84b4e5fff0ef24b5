"""The command `audit`: from its options to an exit status."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial

from exporter.account.one_shot import select_accounts
from exporter.audit.account import AccountAudit
from exporter.audit.actors import display
from exporter.audit.journal import Journal, StandardOutput
from exporter.audit.line import line_format
from exporter.audit.log_file import Disk, LogFile
from exporter.audit.names import Names
from exporter.audit.options import Options
from exporter.audit.progress import Progress
from exporter.audit.reading import EVENTS, EVENTS_WITH_PAYLOAD, Reader
from exporter.audit.selection import Selection
from exporter.audit.state import AuditError, State
from exporter.config import AccountConfig, Config, matches
from exporter.core.clock import Clock
from exporter.core.logs import fields
from exporter.core.worker import Worker
from exporter.flatfile.connect import connect
from exporter.flatfile.topics import KNOWN_TOPICS
from exporter.web.signals import Signals

log = logging.getLogger(__name__)
STANDARD_OUTPUT = 1


def audit(options: Options, load: Callable[[], Config], environ: Mapping[str, str], progress: Progress) -> int:
    """Run the command and return its exit status: 0, or 1 if something could not be read or written.

    Raises ConfigError and BadOptions. The log goes to `progress`.
    """
    options.check()
    key = options.key(environ)
    config = load()
    try:
        accounts = select_accounts(config, options.accounts)
        for warning in config.warnings:
            log.warning(warning)
        for glob in options.topics:
            if not matches([glob], *KNOWN_TOPICS):
                log.warning("--topic matches no topic that is known to this version", extra=fields(pattern=glob))
        return asyncio.run(_audit(options, accounts, key, Clock(), progress))
    except BrokenPipeError:
        return 0  # the reader has read enough
    except (asyncio.CancelledError, KeyboardInterrupt):
        return 0  # stopped by a signal
    except (AuditError, OSError) as error:
        progress.write(f"flatfile-exporter: {error}\n")
    except sqlite3.Error as error:
        place = f"{options.state}, or " if options.state else ""
        progress.write(f"flatfile-exporter: cannot write {place}temporary files in the directory TMPDIR: {error}\n")
    finally:
        progress.clear()
    return 1


async def _audit(options: Options, accounts: list[AccountConfig], key: bytes, clock: Clock, progress: Progress) -> int:
    signals = Signals()
    lines = line_format(options.format, people=options.people, payload=options.payload)
    worker, disk = Worker("audit"), Disk()
    async with AsyncExitStack() as stack:
        stack.callback(worker.close)
        state = State(options.state)
        stack.push_async_callback(worker.run, state.close)
        state.begin({account.name: account.events.overlap for account in accounts}, options.since)
        output = (
            LogFile(options.output, lines.header, disk)
            if options.output
            else StandardOutput(STANDARD_OUTPUT, lines.header, disk)
        )
        journal = Journal(state, output, lines, worker)
        stack.push_async_callback(worker.run, journal.close)
        await worker.run(journal.recover)
        signals.on_hangup = partial(worker.run, journal.reopen)
        audits = []
        for account in accounts:
            client = connect(account, progress, clock)
            stack.push_async_callback(client.aclose)
            ids, configured = account.environments.ids, account.environments
            selection = Selection(configured, options.environments, options.topics, options.until, ids)
            listing = EVENTS_WITH_PAYLOAD if options.payload else EVENTS
            reader = Reader(account.name, client, selection, journal, listing, progress.read)
            names = Names(client, people=options.people)
            shown = display(options.actors, key)
            audits.append(AccountAudit(account.name, reader, names, journal, lines, shown, options.payload, progress))
        if options.follow:
            await asyncio.gather(*(one.follow(options.interval) for one in audits))
        complete = [await one.run_to_end() for one in audits]
    progress.clear()
    log.info("audit finished", extra=fields(events=progress.written))
    return 0 if all(complete) else 1
