"""Values of flags, read and checked; each ValueError has a text for the user."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from exporter.core.units import parse_duration
from exporter.web.app import OWN_PATHS

T = TypeVar("T")

LONGEST_OFFSET = 60.0
_PATH = re.compile(r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")
_SECONDS = re.compile(r"[0-9]{1,3}([.][0-9]{1,9})?s?")


def flag(read: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse show the reader's own words."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def file(text: str) -> Path:
    """Read the path of a file. Raises ValueError."""
    if not text:
        raise ValueError("it takes the path of a file")
    return Path(text)


def directory(text: str) -> Path:
    """Read the path of a directory. Raises ValueError."""
    if not text:
        raise ValueError("it takes the path of a directory")
    return Path(text)


def path(text: str) -> str:
    """Read the path that metrics are served under. Raises ValueError."""
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} cannot be the path: it takes one such as /metrics, of letters, digits and . _ ~ -")
    if text in OWN_PATHS or text.startswith("/-/"):
        raise ValueError(f"{text!r} cannot be the path: it is another one of the exporter's own")
    return text


def number(text: str) -> int:
    """Read a whole number. Raises ValueError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"{text[:100]!r} is no number: it takes one such as 40, or 0")
    return int(text)


def offset(text: str) -> float:
    """Read a time of up to a minute, in seconds. Raises ValueError."""
    seconds = float(text.removesuffix("s")) if _SECONDS.fullmatch(text) else None
    if seconds is None:
        try:
            seconds = parse_duration(text)
        except ValueError as error:
            raise ValueError(f"{text!r} {error}") from None
    if seconds > LONGEST_OFFSET:
        raise ValueError(f"{text!r} is too long: at most {LONGEST_OFFSET:g}s")
    return seconds
