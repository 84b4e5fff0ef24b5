"""The flags of each command."""

import argparse
import math
import platform
from collections.abc import Callable
from typing import Any, NoReturn

from exporter import __version__
from exporter.audit.actors import MODES
from exporter.audit.options import KEY, KEY_FILE
from exporter.audit.selection import parse_time
from exporter.cli import flag_types
from exporter.cli.healthcheck import DEFAULT_ADDRESS
from exporter.core.logs import LEVELS
from exporter.core.printable import printable
from exporter.core.units import format_duration
from exporter.web.max_requests import DEFAULT_MAX_REQUESTS
from exporter.web.server import parse_address

PROG = "flatfile-exporter"
DEFAULT_PORT = 10056
DEFAULT_TIMEOUT = 600.0  # seconds, of `inventory`
KINDS = ("environments", "spaces", "agents", "users", "guests", "jobs")  # of `inventory`


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{PROG}: {printable(message)} (see {self.prog} --help)\n")


def _group(title: str, *names: str, **more: Any) -> Parser:
    """Return a parser of one argument, which several commands can share."""
    parser = Parser(add_help=False)
    parser.add_argument_group(title).add_argument(*names, **more)
    return parser


def _flag(name: str, metavar: str, words: str, read: Callable[[str], Any] = str, **more: Any) -> Parser:
    """Declare a flag with a value. `read` gives the value of a text, and raises ValueError with a text for the user."""
    more = {"dest": _dest(name), "type": flag_types.flag(read), **more}
    return _group("flags", name, metavar=metavar, help=words, **more)


def _repeated(name: str, metavar: str, words: str) -> Parser:
    return _flag(name, metavar, words, action="append", default=[], dest=f"{_dest(name)}s")


def _switch(name: str, words: str) -> Parser:
    return _group("flags", name, dest=_dest(name), action="store_true", help=words)


def _format(*formats: str, default: str | None) -> Parser:
    words = f"format of the output: {' or '.join(formats)} (default: {formats[0]})"
    return _flag("--format", "FORMAT", words, choices=formats, default=default)


def _dest(name: str) -> str:
    """`--web.listen-address` is `web_listen_address` of the result."""
    return name.removeprefix("--").replace(".", "_").replace("-", "_")


COMMON = [
    _group("flags", "-h", "--help", action="help", help="show this text and exit"),
    _group(
        "flags",
        "--version",
        action="version",
        version=f"{PROG} {__version__} (Python {platform.python_version()})",
        help="show the version and exit",
    ),
]
CONFIG = _flag(
    "--config.file",
    "FILE",
    "configuration file (default: one account from the environment, see below)",
    flag_types.file,
)
WEB_CONFIG = _flag(
    "--web.config.file",
    "FILE",
    "TLS, users and headers of the exporter's own HTTP server, in the format of exporter-toolkit (default: none)",
    flag_types.optional_file,
)
SERVING = [
    _flag(
        "--web.listen-address",
        "ADDRESS",
        f"HOST:PORT, or :PORT for all interfaces; may be repeated (default: :{DEFAULT_PORT})",
        parse_address,
        action="append",
    ),
    _switch(
        "--web.systemd-socket",
        "listen on the sockets of systemd's socket activation instead of --web.listen-address (Linux)",
    ),
    _flag(
        "--web.external-url",
        "URL",
        "URL under which the exporter is reached from outside, for example through a reverse proxy",
        flag_types.external_url,
    ),
    _flag(
        "--web.route-prefix",
        "PATH",
        "prefix of all paths that are served (default: the path of --web.external-url)",
        flag_types.prefix,
    ),
    _flag(
        "--web.telemetry-path",
        "PATH",
        "path of the metrics (default: %(default)s)",
        flag_types.path,
        default="/metrics",
    ),
    _flag(
        "--web.max-requests",
        "NUMBER",
        "maximum number of concurrent requests, others get status 503; 0 for no limit (default: %(default)s)",
        flag_types.number,
        default=DEFAULT_MAX_REQUESTS,
    ),
    _switch("--web.enable-lifecycle", "reload the configuration on POST /-/reload (SIGHUP always does)"),
    _flag(
        "--web.scrape-timeout-offset",
        "DURATION",
        "answer this long before Prometheus' scrape timeout (default: 500ms, at most a tenth of the timeout)",
        flag_types.offset,
        default=0.5,
    ),
    _flag(
        "--storage.path",
        "DIRECTORY",
        "directory for state, so that event counters persist across restarts (default: none, they restart at 0)",
        flag_types.directory,
    ),
]
LOG = [
    _flag(
        "--log.level",
        "LEVEL",
        f"least severe messages to log: {', '.join(LEVELS)} (default: %(default)s)",
        choices=[*LEVELS],
        default="info",
    ),
    _flag(
        "--log.format",
        "FORMAT",
        "format of the log on standard error: logfmt or json (default: %(default)s)",
        choices=["logfmt", "json"],
        default="logfmt",
    ),
]
ACCOUNT = _repeated("--account", "NAME", "an account of the configuration; may be repeated (default: all)")
PROBE = _switch(
    "--probe", "query the API: what do the credentials allow, and how many requests will it take? (at most 60s)"
)
ENVIRONMENT = _repeated(
    "--environment", "GLOB", "environments, by name or id; may be repeated (default: those of the configuration)"
)
KIND = _group(
    "arguments",
    "kind",
    nargs="?",
    type=flag_types.flag(flag_types.one_of(KINDS)),
    default="environments",
    metavar="KIND",
    help=f"what to list: {', '.join(KINDS)} (default: %(default)s)",
)
INVENTORY = [
    ENVIRONMENT,
    _flag(
        "--inactive",
        "DURATION",
        "of spaces: only active ones without activity for that long, such as 90d",
        flag_types.duration,
    ),
    _switch("--matrix", "of agents: a row for each environment and a column for each agent"),
    _switch(
        "--people",
        "of users and guests: add names and e-mail addresses, which are read for the output and stored nowhere else "
        "(default: only ids)",
    ),
    _flag("--output", "FILE", "write to this file, which is replaced (default: standard output)", flag_types.file),
    _flag(
        "--storage.path",
        "DIRECTORY",
        "answer from the directory of a running exporter, read-only and without asking Flatfile (default: ask)",
        flag_types.directory,
    ),
    _flag(
        "--timeout",
        "DURATION",
        f"print what is known after this time; what is missing is named (default: {format_duration(DEFAULT_TIMEOUT)})",
        flag_types.duration,
        default=DEFAULT_TIMEOUT,
    ),
]
AUDIT = [
    _flag(
        "--since",
        "TIME",
        "begin there: a duration ago (24h) or a time (2026-11-01T09:30:00Z) (default: 24h)",
        parse_time,
        default="24h",
    ),
    _flag(
        "--until",
        "TIME",
        "end there, in the same form (default: with the newest event)",
        parse_time,
        default=math.inf,
    ),
    ENVIRONMENT,
    _repeated("--topic", "GLOB", "topics; may be repeated (default: all)"),
    _flag(
        "--actors",
        "HOW",
        "show people with name and e-mail (full), only by id (id), or as keyed hashes (hash) (default: full)",
        choices=[*MODES],
        default="full",
    ),
    _flag("--hash-key-file", "FILE", f"key of --actors=hash (default: from {KEY_FILE} or {KEY})", flag_types.file),
    _switch("--payload", "include the payloads of events, which hold customers' data"),
    _flag("--output", "FILE", "append to this file, reopened on SIGHUP (default: standard output)", flag_types.file),
    _switch("--follow", "continue with new events until stopped"),
    _flag(
        "--state",
        "FILE",
        "resume where this file says and keep it up to date, so that each event is written exactly once",
        flag_types.file,
    ),
    _flag(
        "--interval",
        "DURATION",
        "how often --follow queries new events (default: 15s)",
        flag_types.interval,
        default=15.0,
    ),
]
URL = _flag(
    "--url",
    "URL",
    "where the exporter listens: a URL, or HOST:PORT for HTTP or HTTPS (default: %(default)s)",
    default=DEFAULT_ADDRESS,
)
FLAGS_OF = {
    "serve": [CONFIG, WEB_CONFIG, *SERVING, *LOG],
    "demo": [WEB_CONFIG, *SERVING, *LOG],
    "check-config": [CONFIG, WEB_CONFIG, PROBE, ACCOUNT, _format("text", "json", default=None)],
    "discover": [CONFIG, ACCOUNT],
    "inventory": [KIND, CONFIG, ACCOUNT, *INVENTORY, _format("table", "json", "csv", default="table")],
    "audit": [CONFIG, ACCOUNT, *AUDIT, _format("jsonl", "csv", default="jsonl"), *LOG],
    "healthcheck": [URL],
}
