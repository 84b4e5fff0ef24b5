"""The command line: a command and its flags."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from exporter.cli.flags import COMMON, CONFIG, DEFAULT_PORT, FLAGS_OF, PROG, Parser
from exporter.config.values import nearest

DEFAULT_COMMAND = "serve"
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


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; `command` of the result is the command's name.

    Of `serve` and `demo`: `web_external_url: str | None` without a slash at its end, `web_route_prefix: str` such as
    `/flatfile`, empty for none, `web_systemd_socket: bool`.

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
    if flags.web_route_prefix is None:
        flags.web_route_prefix = urlsplit(flags.web_external_url or "").path
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


def _parsers() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of the whole command line and, by name, those of the commands."""
    look: dict[str, Any] = {
        "allow_abbrev": False,
        "add_help": False,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    usage = f"{PROG} [COMMAND] [FLAG ...]"
    parser = Parser(PROG, usage, DESCRIPTION, EPILOG, [*COMMON, *FLAGS_OF[DEFAULT_COMMAND]], **look)
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


def _command_first(parser: Parser, words: list[str]) -> list[str]:
    """Move the command to the front, or put the default there: flags may come before a command."""
    for word in words:
        if word in COMMANDS:
            words.remove(word)
            return [word, *words]
    if words and not words[0].startswith("-"):
        parser.error(f"unknown command {words[0]!r}{_did_you_mean(words[0], COMMANDS)}")
    return words if words in (["-h"], ["--help"], ["--version"]) else [DEFAULT_COMMAND, *words]


def _unknown(word: str, command: str, commands: Mapping[str, Parser]) -> str:
    """Say what is wrong with an argument that the command does not take."""
    if not word.startswith("-"):
        return f"unexpected argument {word!r}"
    flag = word.partition("=")[0]
    if any(flag in parser._option_string_actions for parser in commands.values()):
        return f"{flag} is not a flag of {command}"
    return f"unknown flag {flag}{_did_you_mean(flag, commands[command]._option_string_actions)}"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    guess = nearest(word, known)
    return f"; did you mean {guess}?" if guess else ""
