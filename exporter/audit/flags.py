"""The flags that only `audit` has."""

import argparse
import math
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from exporter.audit.actors import MODES
from exporter.audit.options import KEY, KEY_FILE, Options
from exporter.audit.selection import parse_time
from exporter.core.units import parse_duration

MAX_INTERVAL = 3600.0


def options(flags: argparse.Namespace) -> Options:
    """Return the options of a parsed command line."""
    given: dict[str, Any] = {field.name: getattr(flags, field.name) for field in fields(Options)}
    given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return Options(**given)


def add_flags(
    group: argparse._ArgumentGroup,
    checked: Callable[[Callable[[str], Any]], Callable[[str], Any]],
    file: Callable[[str], Path],
) -> None:
    """Add the flags. `checked` makes argparse show a reader's ValueError as it is, `file` reads a path."""

    def add(name: str, metavar: str, help_: str, read: Callable[[str], Any] | None = None, **more: Any) -> None:
        group.add_argument(name, metavar=metavar, help=help_, type=checked(read or str), **more)

    def repeated(name: str, dest: str, help_: str) -> None:
        add(name, "GLOB", help_, action="append", default=[], dest=dest)

    def switch(name: str, help_: str) -> None:
        group.add_argument(name, action="store_true", help=help_)

    add(
        "--since",
        "TIME",
        "begin there: a duration ago (24h) or a time (2026-11-01T09:30:00Z) (default: 24h)",
        parse_time,
        default="24h",
    )
    add("--until", "TIME", "end there, in the same form (default: with the newest event)", parse_time, default=math.inf)
    repeated(
        "--environment",
        "environments",
        "environments, by name or id; may be repeated (default: those of the configuration)",
    )
    repeated("--topic", "topics", "topics; may be repeated (default: all)")
    add(
        "--actors",
        "HOW",
        "show people with name and e-mail (full), only by id (id), or as keyed hashes (hash) (default: full)",
        choices=[*MODES],
        default="full",
    )
    add("--hash-key-file", "FILE", f"key of --actors=hash (default: from {KEY_FILE} or {KEY})", file)
    switch("--payload", "include the payloads of events, which hold customers' data")
    add("--output", "FILE", "append to this file, reopened on SIGHUP (default: standard output)", file)
    switch("--follow", "continue with new events until stopped")
    add(
        "--state",
        "FILE",
        "resume where this file says and keep it up to date, so that each event is written exactly once",
        file,
    )
    add("--interval", "DURATION", "how often --follow queries new events (default: 15s)", _interval, default=15.0)


def _interval(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{text!r} {error}") from None
    if not 0 < seconds <= MAX_INTERVAL:
        raise ValueError(f"{text!r} is out of range: from 1ms to {MAX_INTERVAL:g}s")
    return seconds
