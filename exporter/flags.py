"""The command line: commands and their flags. Nothing else reads it."""

import argparse
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from exporter import __version__
from exporter.admission import DEFAULT_MOST
from exporter.audit import flags as audit
from exporter.healthcheck import DEFAULT_ADDRESS
from exporter.logs import LEVELS
from exporter.server import Address, parse_address
from exporter.units import parse_duration
from exporter.web import OWN_PATHS

T = TypeVar("T")

DEFAULT_PORT = 10056
COMMANDS = {
    "serve": "serve metrics of your accounts; also without any command",
    "demo": "serve metrics of a made-up account, to look around without credentials",
    "check-config": "say whether the configuration is valid, without asking Flatfile, and exit",
    "audit": "write what happened in your accounts, and who did it, as one line an event",
    "healthcheck": "say whether an exporter that runs is alive, as health checks of containers do, and exit",
}
DEFAULT_COMMAND = "serve"
DESCRIPTION = """\
Prometheus exporter for Flatfile: environments, spaces, agents, events, users and guests of whole accounts."""
DEFAULTS: dict[str, Any] = {
    "config_file": None,
    "web_config_file": None,
    "listen_address": [Address("", DEFAULT_PORT)],
    "telemetry_path": "/metrics",
    "enable_lifecycle": False,
    "max_requests": DEFAULT_MOST,
    "timeout_offset": 0.5,
    "storage_path": None,
    "log_level": "info",
    "log_format": "logfmt",
    "url": DEFAULT_ADDRESS,
    **audit.DEFAULTS,
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
  flatfile-exporter check-config --help       its flags alone
  flatfile-exporter audit --since=1h          what happened in the last hour, and who did it

Exit status: 0 ended as told, 1 bad configuration, address not free, exporter not alive
or an audit log that is not whole, 2 bad flags."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in message)
        self.exit(2, f"{self.prog}: {line} ({self.prog} --help shows commands and flags)\n")


@dataclass(frozen=True, slots=True)
class _Group:
    """Flags that go together, and the commands that take them."""

    commands: tuple[str, ...]
    add: Callable[[argparse._ArgumentGroup], list[argparse.Action]]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; each flag must be one of the command's.

    Raises SystemExit with status 2 for bad flags, with status 0 where only help or the version was asked for.
    """
    parser, groups = _parser([*COMMANDS])
    given = vars(parser.parse_args(arguments))
    if given.pop("help", False):
        shown, _ = _parser([given["command"]] if given["command"] else [*COMMANDS])
        shown.print_help()
        shown.exit()
    command = given["command"] = given["command"] or DEFAULT_COMMAND
    for group, flags in groups:
        for flag in flags:
            if flag.dest in given and command not in group.commands:
                parser.error(f"{flag.option_strings[0]} is no flag of {command}")
    return argparse.Namespace(**(DEFAULTS | given))


def _parser(commands: Sequence[str]) -> tuple[_Parser, list[tuple[_Group, list[argparse.Action]]]]:
    """A parser of the flags that any of these commands takes, and those flags by group."""
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
    listed = parser.add_argument_group("commands", "\n".join(f"{name:14}{text}" for name, text in COMMANDS.items()))
    listed.add_argument("command", nargs="?", choices=[*COMMANDS], default=None, help=argparse.SUPPRESS)
    groups = []
    for group in GROUPS:
        theirs = [name for name in group.commands if name in commands]
        if theirs:
            title = f"flags of {theirs[0]}" if len(commands) == 1 else f"flags of {', '.join(theirs)}"
            section = next((known for known in parser._action_groups if known.title == title), None)
            groups.append((group, group.add(section or parser.add_argument_group(title))))
    other = parser.add_argument_group("flags of all commands")
    other.add_argument("-h", "--help", action="store_true", help="show this text, or that of a command, and exit")
    version = f"flatfile-exporter {__version__} (Python {platform.python_version()})"
    other.add_argument("--version", action="version", version=version, help="show the version and exit")
    return parser, groups


def _web_configuration_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--web.config.file",
            dest="web_config_file",
            type=_flag(_file),
            metavar="FILE",
            help="TLS, users and headers of the exporter's own HTTP side, as in exporter-toolkit (default: none of them)",
        )
    ]


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
            "--web.max-requests",
            dest="max_requests",
            type=_flag(_number),
            metavar="NUMBER",
            help=f"most requests answered at a time, the rest gets status 503; 0 for any number (default: {DEFAULT_MOST})",
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
            "--storage.path",
            dest="storage_path",
            type=_flag(_directory),
            metavar="DIRECTORY",
            help="keep counters here, so that they go on after a restart (default: they begin anew at 0)",
        ),
    ]


def _log_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    add = group.add_argument
    return [
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


def _audit_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return audit.add_flags(group, _flag, _file)


def _healthcheck_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--url",
            dest="url",
            metavar="URL",
            help=f"where the exporter listens: a URL, or HOST:PORT for either HTTP or HTTPS (default: {DEFAULT_ADDRESS})",
        )
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


def _directory(text: str) -> Path:
    if not text:
        raise ValueError("it takes the path of a directory")
    return Path(text)


def _path(text: str) -> str:
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} cannot be the path: it takes one such as /metrics, of letters, digits and . _ ~ -")
    if text in OWN_PATHS or text.startswith("/-/"):
        raise ValueError(f"{text!r} cannot be the path: it is another one of the exporter's own")
    return text


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"{text[:100]!r} is no number: it takes one such as 40, or 0")
    return int(text)


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


GROUPS = (
    _Group(("serve", "check-config", "audit"), _configuration_flags),
    _Group(("serve", "demo", "check-config"), _web_configuration_flags),
    _Group(("serve", "demo"), _serving_flags),
    _Group(("serve", "demo", "audit"), _log_flags),
    _Group(("audit",), _audit_flags),
    _Group(("healthcheck",), _healthcheck_flags),
)
