"""The commands."""

import argparse
import asyncio
import contextlib
import io
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path
from typing import TextIO, cast

from exporter import __version__
from exporter.account.accounts import Accounts
from exporter.cli.flags import parse
from exporter.cli.healthcheck import healthcheck
from exporter.config import Config, ConfigError, from_environment, load
from exporter.core.clock import Clock
from exporter.core.logs import configure, fields
from exporter.storage import Storage, StorageError
from exporter.web.app import Web, WebSettings
from exporter.web.max_requests import MaxRequests
from exporter.web.server import allow_open_files, listen, serve, shown
from exporter.web.signals import Signals, run
from exporter.web_config import Gate, ListeningContext, WebFile, both, load_web

log = logging.getLogger(__name__)
Source = Callable[[], Config]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0, or 1 for a bad configuration, an address in use, a sick exporter.

    Raises SystemExit with status 2 for bad flags.
    """
    flags = parse(sys.argv[1:] if argv is None else argv)
    if flags.command == "healthcheck":
        return healthcheck(flags.url)
    source = _source(flags.config_file)
    if flags.command == "check-config":
        return _check_config(flags, source)
    if flags.command == "discover":
        return _discover(flags, source)
    if flags.command == "audit":
        return _audit(flags, source)
    configure(flags.log_level, flags.log_format, sys.stderr, background=True)
    try:
        if flags.command == "demo":
            from exporter.demo.serving import serving  # only the demo needs it

            run(_run(flags, serving))
        else:
            run(_run(flags, lambda: contextlib.nullcontext(source)))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (OSError, StorageError) as error:
        sys.stderr.write(f"flatfile-exporter: {error}\n")
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        pass  # told to end before it served
    _ends()
    return 0


def _ends() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # it ends already, and with status 0


def _discover(flags: argparse.Namespace, source: Source) -> int:
    from exporter.account.one_shot import chosen
    from exporter.cli.discover import discover

    def run() -> int:
        config = source()
        _warn(config.warnings)
        return discover(chosen(config, flags.accounts), _in_utf8(sys.stdout), sys.stderr)

    return _asked(run)


def _asked(command: Callable[[], int]) -> int:
    """Run a command that asks Flatfile by itself, and tells in its own words what fails."""
    from exporter.account.one_shot import UnknownAccount  # only these commands need it

    configure("error", "logfmt", sys.stderr)
    try:
        return command()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
    except UnknownAccount as error:
        sys.stderr.write(f"flatfile-exporter: {error}\n")
    except KeyboardInterrupt:
        pass  # told to end before it had an answer
    return 1


def _warn(warnings: Iterable[str]) -> None:
    sys.stderr.writelines(f"warning: {warning}\n" for warning in warnings)


def _in_utf8(stream: TextIO) -> TextIO:
    """What is printed goes into files that are UTF-8, whatever the terminal is."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")
    return stream


def _audit(flags: argparse.Namespace, source: Source) -> int:
    from exporter.audit.command import audit  # only this command needs it
    from exporter.audit.flags import options
    from exporter.audit.options import BadOptions
    from exporter.audit.progress import Progress

    progress = Progress(sys.stderr)
    configure(flags.log_level, flags.log_format, cast(TextIO, progress))
    try:
        status = audit(options(flags), source, os.environ, progress)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except BadOptions as error:
        sys.stderr.write(f"flatfile-exporter: {error}\n")
        return 2
    _ends()
    return status


def _check_config(flags: argparse.Namespace, source: Source) -> int:
    """Say whether the configuration holds, every problem on a line of its own; with --probe also whether it works."""
    said: list[str] = []

    def check_web() -> None:
        if flags.web_config_file is not None:
            web = load_web(flags.web_config_file)
            _warn(web.warnings)
            said.append(f"web configuration is valid: {web.config.summary}")

    try:
        config = both(source, check_web)()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    _warn(config.warnings)
    names = ", ".join(account.name for account in config.accounts)
    number = len(config.accounts)
    said.insert(0, f"configuration is valid: {number} account{'s' if number > 1 else ''} ({names})")
    if flags.format == "text":
        sys.stdout.writelines(f"{line}\n" for line in said)
    return _probe(flags, config) if flags.probe else 0


def _probe(flags: argparse.Namespace, config: Config) -> int:
    from exporter.account.one_shot import chosen
    from exporter.cli.check import probe

    return _asked(lambda: probe(chosen(config, flags.accounts), flags.format, _in_utf8(sys.stdout)))


async def _run(flags: argparse.Namespace, made: Callable[[], contextlib.AbstractAsyncContextManager[Source]]) -> None:
    signals = Signals()
    clock = Clock()
    allow_open_files()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [stack.enter_context(opened) for address in flags.listen_address for opened in listen(address)]
        if flags.command == "demo":
            log.info("this is the demo: the account is made up, and nothing is asked of Flatfile")
        source = await stack.enter_async_context(made())
        web_file = None if flags.web_config_file is None else WebFile(flags.web_config_file)
        if web_file is not None:
            source = both(source, web_file.check)
        storage = None if flags.storage_path is None else stack.enter_context(Storage(flags.storage_path))
        accounts = await stack.enter_async_context(_accounts(source, clock, storage))
        web = Web(accounts, WebSettings(flags.telemetry_path, flags.timeout_offset, flags.enable_lifecycle), clock)
        signals.on_hangup = web.try_reload
        for opened in sockets:
            url = _url(shown(opened), tls=web_file is not None and web_file.tls)
            log.info("listening", extra=fields(address=shown(opened), url=url, version=__version__))
        admitted = MaxRequests(web.app(), flags.max_requests)
        app = admitted if web_file is None else Gate(admitted, web_file)
        tls = ListeningContext(web_file.context) if web_file is not None and web_file.tls else None
        await serve(app, sockets, signals, web.shorten_deadlines, tls)
    log.info("stopped")


@contextlib.asynccontextmanager
async def _accounts(source: Source, clock: Clock, storage: Storage | None) -> AsyncIterator[Accounts]:
    accounts = Accounts(source, clock, storage=storage)
    await accounts.reload()
    try:
        yield accounts
    finally:
        await accounts.aclose()


def _url(address: str, *, tls: bool) -> str:
    """What to open in a browser on this machine."""
    host, _, port = address.rpartition(":")
    return f"{'https' if tls else 'http'}://{'localhost' if host in ('0.0.0.0', '[::]') else host}:{port}/"  # noqa: S104 - read, not bound


def _source(config_file: Path | None) -> Source:
    if config_file is not None:
        return lambda: load(config_file)
    return lambda: from_environment(os.environ)
