"""The command line: commands and their flags. Nothing else reads it."""

import argparse
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from exporter import __version__
from exporter.audit import flags as audit
from exporter.cli import flag_types
from exporter.cli.healthcheck import DEFAULT_ADDRESS
from exporter.core.logs import LEVELS
from exporter.core.printable import printable
from exporter.web.max_requests import DEFAULT_MAX_REQUESTS
from exporter.web.server import Address, parse_address

DEFAULT_PORT = 10056
COMMANDS = {
    "serve": "serve metrics of your accounts; also without any command",
    "demo": "serve metrics of a made-up account, to look around without credentials",
    "check-config": "say whether the configuration is valid or, with --probe, whether it works, and exit",
    "discover": "print expected_agents for what is deployed now, ready to paste into the configuration",
    "audit": "write what happened in your accounts, and who did it, as one line an event",
    "healthcheck": "say whether an exporter that runs is alive, as health checks of containers do, and exit",
}
DEFAULT_COMMAND = "serve"
FORMATS = {"check-config": ("text", "json"), "audit": ("jsonl", "csv")}
"""What `--format` takes, by command; the first is the default."""
DESCRIPTION = """\
Prometheus exporter for Flatfile: environments, spaces, agents and their runs, events, jobs, users and guests
of whole accounts."""
DEFAULTS: dict[str, Any] = {
    "config_file": None,
    "web_config_file": None,
    "listen_address": [Address("", DEFAULT_PORT)],
    "telemetry_path": "/metrics",
    "enable_lifecycle": False,
    "max_requests": DEFAULT_MAX_REQUESTS,
    "timeout_offset": 0.5,
    "storage_path": None,
    "log_level": "info",
    "log_format": "logfmt",
    "url": DEFAULT_ADDRESS,
    "accounts": [],
    "probe": False,
    **audit.DEFAULTS,
}
EPILOG = f"""\
Credentials come from the configuration file or, without one, from the environment:
  FLATFILE_CLIENT_ID and FLATFILE_CLIENT_SECRET, or FLATFILE_ACCESS_TOKEN
  each also as ..._FILE, the path of a file that holds the value
  FLATFILE_BASE_URL, where the account is not at https://platform.flatfile.com/v1

Examples:
  flatfile-exporter demo                      then open http://localhost:{DEFAULT_PORT}/
  flatfile-exporter --config.file=config.yaml
  flatfile-exporter check-config --config.file=config.yaml
  flatfile-exporter check-config --probe      whether it works with your account, and what it costs
  flatfile-exporter check-config --help       its flags alone
  flatfile-exporter audit --since=1h          what happened in the last hour, and who did it

Exit status: 0 ended as told, 1 bad configuration, address not free, exporter not alive,
something that cannot be asked, or an audit log that is not whole, 2 bad flags."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {printable(message)} ({self.prog} --help shows commands and flags)\n")


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
    if command == "check-config" and not given.get("probe"):
        for dest, flag_name in (("format", "--format"), ("accounts", "--account")):
            if dest in given:
                parser.error(f"{flag_name} goes with check-config --probe")
    formats = FORMATS.get(command, ("",))
    if given.setdefault("format", formats[0]) not in formats:
        parser.error(
            f"argument --format: {given['format']!r} is no format of {command}: it takes {' or '.join(formats)}"
        )
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
            type=flag_types.flag(flag_types.file),
            metavar="FILE",
            help="TLS, users and headers of the exporter's own HTTP side, as in exporter-toolkit (default: none of them)",
        )
    ]


def _configuration_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--config.file",
            dest="config_file",
            type=flag_types.flag(flag_types.file),
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
            type=flag_types.flag(parse_address),
            action="append",
            metavar="ADDRESS",
            help=f"HOST:PORT, or :PORT for all interfaces; may be repeated (default: :{DEFAULT_PORT})",
        ),
        add(
            "--web.telemetry-path",
            dest="telemetry_path",
            type=flag_types.flag(flag_types.path),
            metavar="PATH",
            help="path of the metrics (default: /metrics)",
        ),
        add(
            "--web.max-requests",
            dest="max_requests",
            type=flag_types.flag(flag_types.number),
            metavar="NUMBER",
            help=f"maximum number of responses made at a time; 0 for no limit (default: {DEFAULT_MAX_REQUESTS})",
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
            type=flag_types.flag(flag_types.offset),
            metavar="DURATION",
            help="how much earlier than Prometheus' own timeout to answer (default: 0.5s; never more than a tenth of it)",
        ),
        add(
            "--storage.path",
            dest="storage_path",
            type=flag_types.flag(flag_types.directory),
            metavar="DIRECTORY",
            help="keep counters here, so that they go on after a restart (default: they begin anew at 0)",
        ),
    ]


def _account_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--account",
            dest="accounts",
            action="append",
            metavar="NAME",
            help="an account of the configuration; may be repeated (default: all)",
        )
    ]


def _probe_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--probe",
            dest="probe",
            action="store_true",
            default=argparse.SUPPRESS,
            help="ask Flatfile: what do the credentials allow, and how many requests will it take? (at most 60s)",
        )
    ]


def _format_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    choices = ", ".join(f"{' or '.join(formats)} ({command})" for command, formats in FORMATS.items())
    return [
        group.add_argument(
            "--format",
            dest="format",
            metavar="FORMAT",
            help=f"format of the output: {choices} (default: the first)",
        )
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
    return audit.add_flags(group, flag_types.flag, flag_types.file)


def _healthcheck_flags(group: argparse._ArgumentGroup) -> list[argparse.Action]:
    return [
        group.add_argument(
            "--url",
            dest="url",
            metavar="URL",
            help=f"where the exporter listens: a URL, or HOST:PORT for either HTTP or HTTPS (default: {DEFAULT_ADDRESS})",
        )
    ]


GROUPS = (
    _Group(("serve", "check-config", "discover", "audit"), _configuration_flags),
    _Group(("serve", "demo", "check-config"), _web_configuration_flags),
    _Group(("serve", "demo"), _serving_flags),
    _Group(("serve", "demo", "audit"), _log_flags),
    _Group(("check-config",), _probe_flags),
    _Group(("check-config", "discover", "audit"), _account_flags),
    _Group(("check-config", "audit"), _format_flags),
    _Group(("audit",), _audit_flags),
    _Group(("healthcheck",), _healthcheck_flags),
)
