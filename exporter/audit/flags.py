"""The flags that only `audit` has."""

import argparse
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from exporter.audit.actors import MODES
from exporter.audit.options import KEY, KEY_FILE, Options
from exporter.audit.selection import parse_moment
from exporter.core.units import parse_duration

T = TypeVar("T")
MAX_INTERVAL = 3600.0
_PREFIX = "audit_"
_SHARED = ("accounts", "format")  # flags that other commands take as well

DEFAULTS = {
    _PREFIX + field.name: [*field.default] if isinstance(field.default, tuple) else field.default
    for field in fields(Options)
    if field.name not in _SHARED
}


def options(flags: argparse.Namespace) -> Options:
    """Return the options of a parsed command line."""
    given: dict[str, Any] = {}
    for field in fields(Options):
        value = getattr(flags, field.name if field.name in _SHARED else _PREFIX + field.name)
        given[field.name] = tuple(value) if isinstance(value, list) else value
    return Options(**given)


def add_flags(
    group: argparse._ArgumentGroup,
    checked: Callable[[Callable[[str], Any]], Callable[[str], Any]],
    file: Callable[[str], Path],
) -> list[argparse.Action]:
    """Add the flags. `checked` has argparse show a reader's ValueError as it is, `file` reads a path."""

    def add(name: str, dest: str, **more: Any) -> argparse.Action:
        return group.add_argument(name, dest=_PREFIX + dest, default=argparse.SUPPRESS, **more)

    return [
        add(
            "--since",
            "since",
            type=checked(parse_moment),
            metavar="TIME",
            help="begin there: a duration ago (24h) or a time (2026-11-01T09:30:00Z) (default: 24h)",
        ),
        add(
            "--until",
            "until",
            type=checked(parse_moment),
            metavar="TIME",
            help="end there, in the same form (default: with the newest event)",
        ),
        add(
            "--environment",
            "environments",
            action="append",
            metavar="GLOB",
            help="environments, by name or id; may be repeated (default: those of the configuration)",
        ),
        add("--topic", "topics", action="append", metavar="GLOB", help="topics; may be repeated (default: all)"),
        add(
            "--actors",
            "actors",
            choices=[*MODES],
            metavar="HOW",
            help="show people with name and e-mail (full), only by id (id), or as keyed hashes (hash) (default: full)",
        ),
        add(
            "--hash-key-file",
            "hash_key_file",
            type=checked(file),
            metavar="FILE",
            help=f"key of --actors=hash (default: from {KEY_FILE} or {KEY})",
        ),
        add(
            "--payload",
            "payload",
            action="store_true",
            help="include the payloads of events, which hold customers' data",
        ),
        add(
            "--output",
            "output",
            type=checked(file),
            metavar="FILE",
            help="append to this file, reopened on SIGHUP (default: standard output)",
        ),
        add("--follow", "follow", action="store_true", help="continue with new events until stopped"),
        add(
            "--state",
            "state",
            type=checked(file),
            metavar="FILE",
            help="resume where this file says and keep it up to date, so that each event is written exactly once",
        ),
        add(
            "--interval",
            "interval",
            type=checked(_interval),
            metavar="DURATION",
            help="how often --follow queries new events (default: 15s)",
        ),
    ]


def _interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{text!r} {error}") from None
    if not 0 < seconds <= MAX_INTERVAL:
        raise ValueError(f"{text!r} is out of range: from 1ms to {MAX_INTERVAL:g}s")
    return seconds
