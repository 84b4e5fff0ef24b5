"""The command `flatfile-exporter`: reads the flags and runs one of the commands."""

import argparse
import io
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import TextIO, cast

from exporter.audit.options import BadOptions
from exporter.audit.options import Options as AuditOptions
from exporter.cli.flags import PROG
from exporter.cli.healthcheck import healthcheck
from exporter.cli.parser import parse
from exporter.config import AccountConfig, Config, ConfigError, from_environment, load
from exporter.core.logs import configure
from exporter.web_config import both, load_web

Source = Callable[[], Config]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0, or 1 if the configuration is invalid or the command failed.

    Raises SystemExit with status 2 for bad flags. Each command imports what only it needs.
    """
    flags = parse(sys.argv[1:] if argv is None else argv)
    if flags.command == "healthcheck":
        return healthcheck(flags.url)

    def source() -> Config:
        return from_environment(os.environ) if flags.config_file is None else load(flags.config_file)

    try:
        return COMMANDS[flags.command](flags, source)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
    except BadOptions as error:
        sys.stderr.write(f"{PROG}: {error}\n")
        return 2
    except KeyboardInterrupt:
        pass  # told to stop before there was an answer
    return 1


def _serve(flags: argparse.Namespace, source: Source) -> int:
    from exporter.cli import serve

    status = serve.run(flags, source)
    _ignore_signals()
    return status


def _ignore_signals() -> None:
    """Keep a late signal from changing the exit status."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _audit(flags: argparse.Namespace, source: Source) -> int:
    from exporter.audit.command import audit
    from exporter.audit.progress import Progress

    progress = Progress(sys.stderr)
    configure(flags.log_level, flags.log_format, cast(TextIO, progress))
    status = audit(AuditOptions.of(flags), source, os.environ, progress)
    _ignore_signals()
    return status


def _discover(flags: argparse.Namespace, source: Source) -> int:
    from exporter.cli.discover import discover

    config = source()
    _warn(config.warnings)
    return discover(_accounts(flags, config), _in_utf8(sys.stdout), sys.stderr)


def _inventory(flags: argparse.Namespace, source: Source) -> int:
    from exporter.cli.inventory import inventory
    from exporter.cli.inventory_report import Options

    options = Options(**{field.name: getattr(flags, field.name) for field in fields(Options)})
    config = source()
    _warn(config.warnings)
    accounts = _accounts(flags, config)
    if flags.matrix and flags.format == "csv" and len(accounts) > 1:
        raise BadOptions("--matrix --format=csv is for one account: choose it with --account")
    try:
        return inventory(options, accounts, _in_utf8(sys.stdout), sys.stderr)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nor may it be written to at the end
        return 0  # the reader has seen enough
    except OSError as error:
        sys.stderr.write(f"{PROG}: cannot write {options.output or 'the output'}: {error.strerror or error}\n")
        return 1


def _check_config(flags: argparse.Namespace, source: Source) -> int:
    """Validate the configuration, every error on its own line; with --probe also query the API."""
    from exporter.account.accounts import check_connections

    summaries: list[str] = []

    def check_web() -> None:
        if flags.web_config_file is not None:
            web = load_web(flags.web_config_file)
            _warn(web.warnings)
            summaries.append(f"web configuration is valid: {web.config.summary}")

    config = both(source, check_web)()
    check_connections(config)
    names = ", ".join(account.name for account in config.accounts)
    number = len(config.accounts)
    summaries.insert(0, f"configuration is valid: {number} account{'s' if number > 1 else ''} ({names})")
    _warn(config.warnings)
    if flags.format != "json":
        sys.stdout.writelines(f"{line}\n" for line in summaries)
    if not flags.probe:
        return 0
    from exporter.cli.check import probe

    return probe(_accounts(flags, config), flags.format or "text", _in_utf8(sys.stdout))


def _accounts(flags: argparse.Namespace, config: Config) -> list[AccountConfig]:
    """Return the accounts to query. The command itself reports failures of the queries: they are not logged."""
    from exporter.account.one_shot import select_accounts

    configure("error", "logfmt", sys.stderr)
    return select_accounts(config, flags.accounts)


def _warn(warnings: Iterable[str]) -> None:
    sys.stderr.writelines(f"warning: {warning}\n" for warning in warnings)


def _in_utf8(stream: TextIO) -> TextIO:
    """Make the output UTF-8 whatever the terminal is: it goes into files that are."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8")
    return stream


COMMANDS = {
    "serve": _serve,
    "demo": _serve,
    "check-config": _check_config,
    "discover": _discover,
    "inventory": _inventory,
    "audit": _audit,
}
