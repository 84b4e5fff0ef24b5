"""The commands `serve` and `demo`: from flags to a running server."""

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from exporter import __version__
from exporter.account.accounts import Accounts
from exporter.cli.flags import DEFAULT_PORT, PROG
from exporter.config import Config, ConfigError
from exporter.core.clock import Clock
from exporter.core.logs import configure, fields
from exporter.core.malloc import return_large_blocks
from exporter.store.directory import Directory, StorageError
from exporter.web import signals as web_signals
from exporter.web.app import Web, WebSettings
from exporter.web.max_requests import MaxRequests
from exporter.web.server import Address, allow_open_files, inherited, listen, serve, shown
from exporter.web.signals import Signals
from exporter.web_config import Gate, ListeningContext, WebFile, both

log = logging.getLogger(__name__)
Source = Callable[[], Config]
FIRST_SCRAPE = 5.0  # seconds at most, for the demo


def run(flags: argparse.Namespace, source: Source) -> int:
    """Serve until told to stop, and return the exit status: 0, or 1 for what makes it impossible to start."""
    configure(flags.log_level, flags.log_format, sys.stderr, background=True)
    return_large_blocks()
    try:
        web_signals.run(_serve(flags, _demo() if flags.command == "demo" else contextlib.nullcontext(source)))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (OSError, StorageError) as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        pass  # told to stop before it served
    return 0


async def _serve(flags: argparse.Namespace, configured: contextlib.AbstractAsyncContextManager[Source]) -> None:
    signals = Signals()
    clock = Clock()
    allow_open_files()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [stack.enter_context(opened) for opened in _listening(flags)]
        source = await stack.enter_async_context(configured)
        web_file = None if flags.web_config_file is None else WebFile(flags.web_config_file)
        if web_file is not None:
            source = both(source, web_file.check)
        storage = None if flags.storage_path is None else stack.enter_context(Directory(flags.storage_path))
        accounts = Accounts(source, clock, storage=storage)
        stack.push_async_callback(accounts.aclose)
        await accounts.reload()
        settings = WebSettings(
            flags.web_telemetry_path,
            flags.web_scrape_timeout_offset,
            flags.web_enable_lifecycle,
            flags.web_external_url,
            flags.web_route_prefix,
            simulated=flags.command == "demo",
        )
        web = Web(accounts, settings, clock)
        signals.on_hangup = web.try_reload
        if flags.command == "demo":
            await _scrape(accounts)
        for opened in sockets:
            url = _url(opened, flags.web_route_prefix, tls=web_file is not None and web_file.tls)
            log.info("listening", extra=fields(address=shown(opened), url=url, version=__version__))
        admitted = MaxRequests(web.app(), flags.web_max_requests)
        app = admitted if web_file is None else Gate(admitted, web_file)
        tls = ListeningContext(web_file.context) if web_file is not None and web_file.tls else None
        await serve(app, sockets, signals, web.shorten_deadlines, tls)
    log.info("stopped")


def _listening(flags: argparse.Namespace) -> Iterator[socket.socket]:
    if flags.web_systemd_socket:
        yield from inherited(os.environ)
        return
    for address in flags.web_listen_address or [Address("", DEFAULT_PORT)]:
        yield from listen(address)


@contextlib.asynccontextmanager
async def _demo() -> AsyncIterator[Source]:
    """Serve the simulated account, and print the commands that can be tried with it."""
    from exporter.demo.serving import commands, serving  # only the demo needs it

    log.info("the account is simulated, no request is sent to Flatfile")
    async with serving() as source:
        with contextlib.suppress(OSError):  # nobody reads it
            sys.stdout.write(commands(source().accounts[0].base_url, _program()))
            sys.stdout.flush()
        yield source


def _program() -> str:
    """Return what was typed to start this program, as far as that is known."""
    started = Path(sys.argv[0])
    path = started if started.name == PROG else Path(sys.executable)
    shown_path = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return str(shown_path) if path == started else f"{shown_path} -m exporter"


async def _scrape(accounts: Accounts) -> None:
    """Refresh once, so that the landing page has something to show."""
    deadline = asyncio.get_running_loop().time() + FIRST_SCRAPE
    await asyncio.gather(*(account.refresh(deadline) for account in accounts))


def _url(opened: socket.socket, prefix: str, *, tls: bool) -> str | None:
    """Return the URL for a browser on this machine, `None` for a Unix socket."""
    if opened.family == socket.AF_UNIX:
        return None
    host, _, port = shown(opened).rpartition(":")
    host = "localhost" if host in ("0.0.0.0", "[::]") else host  # noqa: S104 - read, not bound
    return f"{'https' if tls else 'http'}://{host}:{port}{prefix}/"
