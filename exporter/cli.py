"""Commands and flags; nothing else reads the command line."""

import argparse
import asyncio
import contextlib
import logging
import os
import platform
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from exporter import __version__
from exporter.accounts import Accounts
from exporter.clock import Clock
from exporter.config import Config, ConfigError, from_environment, load
from exporter.logs import LEVELS, configure, fields
from exporter.server import Address, Signals, listen, parse_address, serve, shown
from exporter.units import parse_duration
from exporter.web import OWN_PATHS, Web, WebSettings
from exporter.web_config import Gate, ListeningContext, WebFile, both, load_web

log = logging.getLogger(__name__)
T = TypeVar("T")
Source = Callable[[], Config]

DEFAULT_PORT = 10056
COMMANDS = {
    "serve": "serve metrics of your accounts; also without any command",
    "demo": "serve metrics of a made-up account, to look around without credentials",
    "check-config": "say whether the configuration is valid, without asking Flatfile, and exit",
}
DESCRIPTION = """\
Prometheus exporter for Flatfile: environments, spaces, agents, events, users and guests of whole accounts."""
DEFAULTS: dict[str, Any] = {
    "config_file": None,
    "web_config_file": None,
    "listen_address": [Address("", DEFAULT_PORT)],
    "telemetry_path": "/metrics",
    "enable_lifecycle": False,
    "timeout_offset": 0.5,
    "log_level": "info",
    "log_format": "logfmt",
}
LONGEST_OFFSET = 60.0
_PATH = re.compile(r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")
_SECONDS = re.compile(r"[0-9]{1,3}([.][0-9]{1,9})?s?")
EPILOG = f"""\
Credentials come from the configuration file or, without one, from the environment:
  FLATFILE_CLIENT_ID and FLATFILE_CLIENT_SECRET, or FLATFILE_ACCESS_TOKEN
  each also as ..._FILE, the path of a file that holds the value
  FLATFILE_BASE_URL, where the account is not at https://platform.flatfile.com/v1

Examples:
  flatfile-exporter demo                      then open http://localhost:{DEFAULT_PORT}/
  flatfile-exporter --config.file=config.yaml
  flatfile-exporter check-config --config.file=config.yaml

Exit status: 0 ended as told, 1 bad configuration or address not free, 2 bad flags."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and give its exit status: 0, or 1 for a bad configuration or an address in use.

    Raises SystemExit with status 2 for bad flags.
    """
    flags = _parse(sys.argv[1:] if argv is None else argv)
    source = _source(flags.config_file)
    if flags.command == "check-config":
        return check_config(source, flags.web_config_file)
    configure(flags.log_level, flags.log_format, sys.stderr)
    try:
        if flags.command == "demo":
            from exporter.demo.serving import serving  # only the demo needs it

            asyncio.run(_run(flags, serving))
        else:
            asyncio.run(_run(flags, lambda: contextlib.nullcontext(source)))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"flatfile-exporter: {error}\n")
        return 1
    except (asyncio.CancelledError, KeyboardInterrupt):
        pass  # told to end before it served
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # it ends already, and with status 0
    return 0


def check_config(source: Source, web_config_file: Path | None = None) -> int:
    """Say whether the configuration holds, without asking anybody; every problem on a line of its own."""
    said: list[str] = []

    def check_web() -> None:
        if web_config_file is not None:
            web = load_web(web_config_file)
            sys.stderr.writelines(f"warning: {warning}\n" for warning in web.warnings)
            said.append(f"web configuration is valid: {web.config.summary}")

    try:
        config = both(source, check_web)()
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for warning in config.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    names = ", ".join(account.name for account in config.accounts)
    number = len(config.accounts)
    said.insert(0, f"configuration is valid: {number} account{'s' if number > 1 else ''} ({names})")
    sys.stdout.writelines(f"{line}\n" for line in said)
    return 0


async def _run(flags: argparse.Namespace, made: Callable[[], contextlib.AbstractAsyncContextManager[Source]]) -> None:
    signals = Signals()
    clock = Clock()
    async with contextlib.AsyncExitStack() as stack:
        sockets = [stack.enter_context(opened) for address in flags.listen_address for opened in listen(address)]
        if flags.command == "demo":
            log.info("this is the demo: the account is made up, and nothing is asked of Flatfile")
        source = await stack.enter_async_context(made())
        web_file = None if flags.web_config_file is None else WebFile(flags.web_config_file)
        if web_file is not None:
            source = both(source, web_file.check)
        accounts = await stack.enter_async_context(_accounts(source, clock))
        web = Web(accounts, WebSettings(flags.telemetry_path, flags.timeout_offset, flags.enable_lifecycle), clock)
        signals.on_hangup = web.try_reload
        for opened in sockets:
            url = _url(shown(opened), tls=web_file is not None and web_file.tls)
            log.info("listening", extra=fields(address=shown(opened), url=url, version=__version__))
        app = web.app() if web_file is None else Gate(web.app(), web_file)
        tls = ListeningContext(web_file.context) if web_file is not None and web_file.tls else None
        await serve(app, sockets, signals, web.hurry, tls)
    log.info("ended")


@contextlib.asynccontextmanager
async def _accounts(source: Source, clock: Clock) -> AsyncIterator[Accounts]:
    accounts = Accounts(source, clock)
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


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        self.exit(2, f"{self.prog}: {line} ({self.prog} --help shows commands and flags)\n")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; each flag must be one of the command's."""
    parser = _Parser(
        prog="flatfile-exporter",
        usage="flatfile-exporter [COMMAND] [FLAG ...]",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
        argument_default=argparse.SUPPRESS,
    )
    commands = parser.add_argument_group("commands", "\n".join(f"{name:14}{text}" for name, text in COMMANDS.items()))
    commands.add_argument("command", nargs="?", choices=[*COMMANDS], default="serve", help=argparse.SUPPRESS)
    of_configuration = _configuration_flags(parser.add_argument_group("flags of serve and check-config"))
    of_serving = _serving_flags(parser.add_argument_group("flags of serve and demo"))
    parser.add_argument_group("flags of all commands").add_argument(
        "--web.config.file",
        dest="web_config_file",
        type=_flag(_file),
        metavar="FILE",
        help="TLS, users and headers of the exporter's own HTTP side, as in exporter-toolkit (default: none of them)",
    )
    other = parser.add_argument_group("other flags")
    other.add_argument("-h", "--help", action="help", help="show this text and exit")
    version = f"flatfile-exporter {__version__} (Python {platform.python_version()})"
    other.add_argument("--version", action="version", version=version, help="show the version and exit")

    given = vars(parser.parse_args(arguments))
    for flags, theirs in ((of_configuration, ("serve", "check-config")), (of_serving, ("serve", "demo"))):
        for flag in flags:
            if flag.dest in given and given["command"] not in theirs:
                parser.error(f"{flag.option_strings[0]} is no flag of {given['command']}")
    return argparse.Namespace(**(DEFAULTS | given))


def _configuration_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--config.file",
            dest="config_file",
            type=_flag(_file),
            metavar="FILE",
            help="configuration (default: one account from the environment, see below)",
        )
    ]


def _serving_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
        add(
            "--web.listen-address",
            dest="listen_address",
            type=_flag(parse_address),
            action="append",
            metavar="ADDRESS",
            help=f"HOST:PORT, or :PORT for all interfaces; may be repeated (default: :{DEFAULT_PORT})",
        ),
        add(
            "--web.telemetry-path",
            dest="telemetry_path",
            type=_flag(_path),
            metavar="PATH",
            help="path of the metrics (default: /metrics)",
        ),
        add(
            "--web.enable-lifecycle",
            dest="enable_lifecycle",
            action="store_true",
            default=argparse.SUPPRESS,
            help="reload the configuration on POST /-/reload (SIGHUP always does)",
        ),
        add(
            "--web.scrape-timeout-offset",
            dest="timeout_offset",
            type=_flag(_offset),
            metavar="DURATION",
            help="how much earlier than Prometheus' own timeout to answer (default: 0.5s; never more than a tenth of it)",
        ),
        add(
            "--log.level",
            dest="log_level",
            choices=[*LEVELS],
            help=f"least severe messages to log: {', '.join(LEVELS)} (default: info)",
            metavar="LEVEL",
        ),
        add(
            "--log.format",
            dest="log_format",
            choices=["logfmt", "json"],
            help="format of the log on standard error: logfmt, json (default: logfmt)",
            metavar="FORMAT",
        ),
    ]


def _flag(read: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse show the reader's own words."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def _file(text: str) -> Path:
    if not text:
        raise ValueError("it takes the path of a file")
    return Path(text)


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} cannot be the path: it takes one such as /metrics, of letters, digits and . _ ~ -")
    if text in OWN_PATHS or text.startswith("/-/"):
        raise ValueError(f"{text!r} cannot be the path: it is another one of the exporter's own")
    return text


def _offset(text: str) -> float:
    seconds = float(text.removesuffix("s")) if _SECONDS.fullmatch(text) else None
    if seconds is None:
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise ValueError(f"{text!r} {error}") from None
    if seconds > LONGEST_OFFSET:
        raise ValueError(f"{text!r} is too long: at most {LONGEST_OFFSET:g}s")
    return seconds
