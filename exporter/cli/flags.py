"""The command line: commands and their flags."""

import argparse
import difflib
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn
from urllib.parse import urlsplit

from exporter import __version__
from exporter.audit import flags as audit
from exporter.cli import flag_types
from exporter.cli.healthcheck import DEFAULT_ADDRESS
from exporter.core.logs import LEVELS
from exporter.core.printable import printable
from exporter.core.units import format_duration
from exporter.web.max_requests import DEFAULT_MAX_REQUESTS
from exporter.web.server import parse_address

PROG = "flatfile-exporter"
DEFAULT_PORT = 10056
DEFAULT_COMMAND = "serve"
DEFAULT_TIMEOUT = 600.0  # seconds, of `inventory`
KINDS = ("environments", "spaces", "agents", "users", "guests", "jobs")  # of `inventory`
COMMANDS = {
    "serve": "serve the metrics of your accounts (the default command)",
    "demo": "serve the metrics of a simulated account; needs no credentials",
    "check-config": "validate the configuration and, with --probe, try it with the API",
    "discover": "print expected_agents for the agents that are deployed now, as YAML for the configuration",
    "inventory": "list what your accounts hold: environments, spaces, agents, users, guests or jobs",
    "audit": "write an audit log: each event with the person or agent behind it",
    "healthcheck": "check whether a running exporter is alive, for health checks of containers",
}
DESCRIPTION = """\
Prometheus exporter for Flatfile: environments, spaces, agents and their runs, events, jobs, users and guests
of whole accounts."""
ENVIRONMENT = """\
Without --config.file, the environment configures one account:
  FLATFILE_CLIENT_ID and FLATFILE_CLIENT_SECRET, or FLATFILE_ACCESS_TOKEN
  each also as ..._FILE, the path of a file that holds the value
  FLATFILE_BASE_URL, if your API endpoint is not https://platform.flatfile.com/v1"""
EPILOG = f"""\
These are the flags of serve. {PROG} COMMAND --help lists the flags of another command.

{ENVIRONMENT}

Examples:
  {PROG} demo                      then open http://localhost:{DEFAULT_PORT}/
  {PROG} --config.file=config.yaml
  {PROG} check-config --config.file=config.yaml
  {PROG} check-config --probe      do the credentials work, and how many requests will it take
  {PROG} inventory                 which environments there are, and what is in each
  {PROG} audit --since=1h          the events of the last hour, and who caused them

Exit status: 0 success, 1 the configuration is invalid or the command failed, 2 bad flags."""


class _Parser(argparse.ArgumentParser):
    """Reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROG}: {printable(message)} (see {self.prog} --help)\n")


def _flag(*names: str, **more: Any) -> _Parser:
    """Return a parser of one flag, which several commands can share."""
    parser = _Parser(add_help=False)
    parser.add_argument_group("flags").add_argument(*names, **more)
    return parser


def _format(*formats: str, default: str | None) -> _Parser:
    words = f"format of the output: {' or '.join(formats)} (default: {formats[0]})"
    return _flag("--format", dest="format", choices=formats, default=default, metavar="FORMAT", help=words)


def _kind() -> _Parser:
    """Return a parser of the list that is wanted, a word without a flag."""
    parser = _Parser(add_help=False)
    words = f"what to list: {', '.join(KINDS)} (default: %(default)s)"
    read = flag_types.flag(flag_types.one_of(KINDS))
    parser.add_argument_group("arguments").add_argument(
        "kind", nargs="?", type=read, default="environments", metavar="KIND", help=words
    )
    return parser


def _audit() -> _Parser:
    parser = _Parser(add_help=False)
    audit.add_flags(parser.add_argument_group("flags"), flag_types.flag, flag_types.file)
    return parser


COMMON = [
    _flag("-h", "--help", action="help", help="show this text and exit"),
    _flag(
        "--version",
        action="version",
        version=f"{PROG} {__version__} (Python {platform.python_version()})",
        help="show the version and exit",
    ),
]
CONFIG = _flag(
    "--config.file",
    dest="config_file",
    type=flag_types.flag(flag_types.file),
    metavar="FILE",
    help="configuration file (default: one account from the environment, see below)",
)
WEB_CONFIG = _flag(
    "--web.config.file",
    dest="web_config_file",
    type=flag_types.flag(flag_types.optional_file),
    metavar="FILE",
    help="TLS, users and headers of the exporter's own HTTP server, in the format of exporter-toolkit (default: none)",
)
SERVING = [
    _flag(
        "--web.listen-address",
        dest="listen_address",
        type=flag_types.flag(parse_address),
        action="append",
        metavar="ADDRESS",
        help=f"HOST:PORT, or :PORT for all interfaces; may be repeated (default: :{DEFAULT_PORT})",
    ),
    _flag(
        "--web.systemd-socket",
        dest="systemd_socket",
        action="store_true",
        help="listen on the sockets of systemd's socket activation instead of --web.listen-address (Linux)",
    ),
    _flag(
        "--web.external-url",
        dest="external_url",
        type=flag_types.flag(flag_types.external_url),
        metavar="URL",
        help="URL under which the exporter is reached from outside, for example through a reverse proxy",
    ),
    _flag(
        "--web.route-prefix",
        dest="route_prefix",
        type=flag_types.flag(flag_types.prefix),
        metavar="PATH",
        help="prefix of all paths that are served (default: the path of --web.external-url)",
    ),
    _flag(
        "--web.telemetry-path",
        dest="telemetry_path",
        type=flag_types.flag(flag_types.path),
        default="/metrics",
        metavar="PATH",
        help="path of the metrics (default: %(default)s)",
    ),
    _flag(
        "--web.max-requests",
        dest="max_requests",
        type=flag_types.flag(flag_types.number),
        default=DEFAULT_MAX_REQUESTS,
        metavar="NUMBER",
        help="maximum number of concurrent requests, others get status 503; 0 for no limit (default: %(default)s)",
    ),
    _flag(
        "--web.enable-lifecycle",
        dest="enable_lifecycle",
        action="store_true",
        help="reload the configuration on POST /-/reload (SIGHUP always does)",
    ),
    _flag(
        "--web.scrape-timeout-offset",
        dest="timeout_offset",
        type=flag_types.flag(flag_types.offset),
        default=0.5,
        metavar="DURATION",
        help="answer this long before Prometheus' scrape timeout (default: 500ms, at most a tenth of the timeout)",
    ),
    _flag(
        "--storage.path",
        dest="storage_path",
        type=flag_types.flag(flag_types.directory),
        metavar="DIRECTORY",
        help="directory for state, so that event counters persist across restarts (default: none, they restart at 0)",
    ),
]
LOG = [
    _flag(
        "--log.level",
        dest="log_level",
        choices=[*LEVELS],
        default="info",
        metavar="LEVEL",
        help=f"least severe messages to log: {', '.join(LEVELS)} (default: %(default)s)",
    ),
    _flag(
        "--log.format",
        dest="log_format",
        choices=["logfmt", "json"],
        default="logfmt",
        metavar="FORMAT",
        help="format of the log on standard error: logfmt or json (default: %(default)s)",
    ),
]
ACCOUNT = _flag(
    "--account",
    dest="accounts",
    action="append",
    default=[],
    metavar="NAME",
    help="an account of the configuration; may be repeated (default: all)",
)
PROBE = _flag(
    "--probe",
    dest="probe",
    action="store_true",
    help="query the API: what do the credentials allow, and how many requests will it take? (at most 60s)",
)
TIMEOUT = _flag(
    "--timeout",
    dest="timeout",
    type=flag_types.flag(flag_types.duration),
    default=DEFAULT_TIMEOUT,
    metavar="DURATION",
    help=f"print what is known after this time; what is missing is named (default: {format_duration(DEFAULT_TIMEOUT)})",
)
INVENTORY = [
    _flag(
        "--environment",
        dest="environments",
        action="append",
        default=[],
        metavar="GLOB",
        help="environments, by name or id; may be repeated (default: those of the configuration)",
    ),
    _flag(
        "--inactive",
        dest="inactive",
        type=flag_types.flag(flag_types.duration),
        metavar="DURATION",
        help="of spaces: only active ones without activity for that long, such as 90d",
    ),
    _flag(
        "--matrix",
        dest="matrix",
        action="store_true",
        help="of agents: a row for each environment and a column for each agent",
    ),
    _flag(
        "--people",
        dest="people",
        action="store_true",
        help="of users and guests: add names and e-mail addresses, which are read for the output and stored nowhere else "
        "(default: only ids)",
    ),
    _flag(
        "--output",
        dest="output",
        type=flag_types.flag(flag_types.file),
        metavar="FILE",
        help="write to this file, which is replaced (default: standard output)",
    ),
    _flag(
        "--storage.path",
        dest="storage_path",
        type=flag_types.flag(flag_types.directory),
        metavar="DIRECTORY",
        help="answer from the directory of a running exporter, read-only and without asking Flatfile (default: ask)",
    ),
    TIMEOUT,
]
URL = _flag(
    "--url",
    dest="url",
    default=DEFAULT_ADDRESS,
    metavar="URL",
    help="where the exporter listens: a URL, or HOST:PORT for HTTP or HTTPS (default: %(default)s)",
)
FLAGS_OF = {
    "serve": [CONFIG, WEB_CONFIG, *SERVING, *LOG],
    "demo": [WEB_CONFIG, *SERVING, *LOG],
    "check-config": [CONFIG, WEB_CONFIG, PROBE, ACCOUNT, _format("text", "json", default=None)],
    "discover": [CONFIG, ACCOUNT],
    "inventory": [_kind(), CONFIG, ACCOUNT, *INVENTORY, _format("table", "json", "csv", default="table")],
    "audit": [CONFIG, ACCOUNT, _audit(), _format("jsonl", "csv", default="jsonl"), *LOG],
    "healthcheck": [URL],
}


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; `command` of the result is the command's name.

    Of `serve` and `demo`: `external_url: str | None` without a slash at its end, `route_prefix: str` such as `/flatfile`, empty
    for none, `systemd_socket: bool`.

    Raises SystemExit with status 2 for bad flags, with status 0 after --help and --version.
    """
    parser, commands = _parsers()
    flags, unknown = parser.parse_known_args(_command_first(parser, [*arguments]))
    command = commands[flags.command]
    if unknown:
        command.error(_unknown(unknown[0], flags.command, commands))
    if flags.command == "check-config" and not flags.probe and (flags.accounts or flags.format):
        command.error(f"{'--account' if flags.accounts else '--format'} requires --probe")
    if flags.command == "inventory" and (problem := _inventory_problem(flags)):
        command.error(problem)
    if flags.route_prefix is None:
        flags.route_prefix = urlsplit(flags.external_url or "").path
    return flags


def _inventory_problem(flags: argparse.Namespace) -> str | None:
    """Say which flags of `inventory` do not go together."""
    if flags.matrix and flags.kind != "agents":
        return "--matrix is for: inventory agents"
    if flags.inactive is not None and flags.kind != "spaces":
        return "--inactive is for: inventory spaces"
    if flags.people and flags.kind not in ("users", "guests"):
        return "--people is for: inventory users, inventory guests"
    if flags.people and flags.storage_path is not None:
        return "--people needs Flatfile: an exporter does not store names of people; leave out --storage.path"
    return None


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    """Return the parser of the whole command line and, by name, those of the commands."""
    look: dict[str, Any] = {
        "allow_abbrev": False,
        "add_help": False,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    usage = f"{PROG} [COMMAND] [FLAG ...]"
    parser = _Parser(PROG, usage, DESCRIPTION, EPILOG, [*COMMON, *FLAGS_OF[DEFAULT_COMMAND]], **look)
    listed = parser.add_subparsers(prog=PROG, title="commands", metavar="COMMAND", dest="command")
    commands = {
        name: listed.add_parser(
            name,
            help=text,
            usage=f"{PROG} {name} {'[KIND] ' if name == 'inventory' else ''}[FLAG ...]",
            description=f"{text[0].upper()}{text[1:]}.",
            epilog=ENVIRONMENT if CONFIG in FLAGS_OF[name] else None,
            parents=[*COMMON, *FLAGS_OF[name]],
            **look,
        )
        for name, text in COMMANDS.items()
    }
    return parser, commands


def _command_first(parser: _Parser, words: list[str]) -> list[str]:
    """Move the command to the front, or put the default there: flags may come before a command."""
    for word in words:
        if word in COMMANDS:
            words.remove(word)
            return [word, *words]
    if words and not words[0].startswith("-"):
        parser.error(f"unknown command {words[0]!r}{_did_you_mean(words[0], COMMANDS)}")
    return words if words in (["-h"], ["--help"], ["--version"]) else [DEFAULT_COMMAND, *words]


def _unknown(word: str, command: str, commands: Mapping[str, _Parser]) -> str:
    """Say what is wrong with an argument that the command does not take."""
    if not word.startswith("-"):
        return f"unexpected argument {word!r}"
    flag = word.partition("=")[0]
    if any(flag in parser._option_string_actions for parser in commands.values()):
        return f"{flag} is not a flag of {command}"
    return f"unknown flag {flag}{_did_you_mean(flag, commands[command]._option_string_actions)}"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(word[:60], known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
