"""Commands and flags; nothing else reads the command line."""

import argparse
import asyncio
import contextlib
import logging
import os
import platform
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from exporter import __version__
from exporter.accounts import Accounts
from exporter.clock import Clock
from exporter.config import Config, ConfigError, from_environment, load
from exporter.logs import LEVELS, configure, fields
from exporter.server import Address, listen, parse_address, serve, shown
from exporter.units import parse_duration
from exporter.web import Web, WebSettings

log = logging.getLogger(__name__)
T = TypeVar("T")

DEFAULT_PORT = 10056
COMMANDS = ("serve", "check-config", "demo")
DESCRIPTION = """\
Prometheus exporter for Flatfile: environments, spaces, agents, events, users and guests of whole accounts.
Without a command it serves. Without --config.file, FLATFILE_CLIENT_ID and FLATFILE_CLIENT_SECRET (or
FLATFILE_ACCESS_TOKEN) name one account; `flatfile-exporter demo` needs no account at all."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0, 1 for a bad configuration or an address in use; exits with 2 for bad flags."""
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    if not arguments or (arguments[0].startswith("-") and arguments[0] not in ("-h", "--help", "--version")):
        arguments.insert(0, "serve")
    flags = _parser().parse_args(arguments)
    source = _source(getattr(flags, "config_file", None))
    if flags.command == "check-config":
        return check_config(source)
    configure(flags.log_level, flags.log_format, sys.stderr)
    try:
        if flags.command == "demo":
            from exporter.demo.serving import serving  # only the demo needs it

            asyncio.run(_run(flags, serving))
        else:
            asyncio.run(_run(flags, lambda: contextlib.nullcontext(source)))  # type: ignore[arg-type,return-value]
    except (ConfigError, OSError) as error:
        sys.stderr.write(f"flatfile-exporter: {error}\n")
        return 1
    return 0


def check_config(source: Callable[[], Config]) -> int:
    """Say whether the configuration holds, without asking anybody; every problem on a line of its own."""
    try:
        config = source()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in config.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    names = ", ".join(account.name for account in config.accounts)
    number = len(config.accounts)
    sys.stdout.write(f"configuration is valid: {number} account{'s' if number > 1 else ''} ({names})\n")
    return 0


async def _run(
    flags: argparse.Namespace, made: Callable[[], contextlib.AbstractAsyncContextManager[Callable[[], Config]]]
) -> None:
    addresses = flags.listen_address or [Address("", DEFAULT_PORT)]
    sockets = [opened for address in addresses for opened in listen(address)]
    clock = Clock()
    async with made() as source, _accounts(source, clock) as accounts:
        settings = WebSettings(flags.telemetry_path, flags.timeout_offset, flags.enable_lifecycle)
        web = Web(accounts, settings, clock)
        for opened in sockets:
            log.info("listening", extra=fields(address=shown(opened), version=__version__))
        await serve(web.app(), sockets, web.try_reload)
    log.info("stopped")


@contextlib.asynccontextmanager
async def _accounts(source: Callable[[], Config], clock: Clock) -> AsyncIterator[Accounts]:
    accounts = Accounts(source, clock)
    await accounts.reload()
    try:
        yield accounts
    finally:
        await accounts.aclose()


def _source(config_file: Path | None) -> Callable[[], Config]:
    if config_file is not None:
        return lambda: load(config_file)
    return lambda: from_environment(os.environ)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flatfile-exporter",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = f"flatfile-exporter {__version__} (Python {platform.python_version()})"
    parser.add_argument("--version", action="version", version=version)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, text in (
        ("serve", "serve metrics (the default)"),
        ("check-config", "say whether the configuration is valid, and exit"),
        ("demo", "serve metrics of a made-up account, without any credentials"),
    ):
        command = commands.add_parser(name, help=text, description=text.capitalize() + ".", allow_abbrev=False)
        if name != "demo":
            command.add_argument(
                "--config.file",
                dest="config_file",
                type=Path,
                metavar="FILE",
                help="configuration (default: one account from the environment, FLATFILE_CLIENT_ID and so on)",
            )
        if name != "check-config":
            _serving_flags(command)
    return parser


def _serving_flags(command: argparse.ArgumentParser) -> None:
    add = command.add_argument
    add(
        "--web.listen-address",
        dest="listen_address",
        type=_flag(parse_address),
        action="append",
        metavar="ADDRESS",
        help=f"HOST:PORT, or :PORT for all interfaces; may be repeated (default: :{DEFAULT_PORT})",
    )
    add(
        "--web.telemetry-path",
        dest="telemetry_path",
        type=_flag(_path),
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default: /metrics)",
    )
    add(
        "--web.enable-lifecycle",
        dest="enable_lifecycle",
        action="store_true",
        help="reload the configuration on POST /-/reload (SIGHUP always does)",
    )
    add(
        "--web.scrape-timeout-offset",
        dest="timeout_offset",
        type=_flag(_offset),
        default=0.5,
        metavar="DURATION",
        help="how much earlier than Prometheus' own timeout to answer (default: 0.5s; never more than a tenth of it)",
    )
    add(
        "--log.level",
        dest="log_level",
        choices=[*LEVELS],
        default="info",
        help="least severe messages to log (default: info)",
    )
    add(
        "--log.format",
        dest="log_format",
        choices=["logfmt", "json"],
        default="logfmt",
        help="format of the log on standard error (default: logfmt)",
    )


def _flag(read: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse show the reader's own words."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _path(text: str) -> str:
    if not text.startswith("/") or any(c in text for c in "?#{} ") or text.startswith(("/-/", "/probe", "/sd")):
        raise ValueError(f"{text!r} cannot be the path: it starts with / and is not one of the exporter's own")
    return text


def _offset(text: str) -> float:
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = parse_duration(text)
    if not 0 <= seconds < 300:
        raise ValueError(f"{text!r} is no offset: it is a duration such as 0.5s, from 0 to 300s")
    return seconds
