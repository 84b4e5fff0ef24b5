"""Values of flags. Each ValueError has a text for the user."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from exporter.config.values import nearest
from exporter.core.units import parse_duration
from exporter.web.app import OWN_PATHS

T = TypeVar("T")

MAX_OFFSET = 60.0  # seconds
MAX_INTERVAL = 3600.0
_PATH = re.compile(r"/|(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+/?")
_DECIMAL = re.compile(r"[0-9]{1,3}([.][0-9]{1,9})?s?")


def flag(read: Callable[[str], T]) -> Callable[[str], T]:
    """Return a reader whose ValueError argparse shows as it is."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


def file(text: str) -> Path:
    """Read the path of a file. Raises ValueError."""
    if not text:
        raise ValueError("expected the path of a file")
    return Path(text)


def optional_file(text: str) -> Path | None:
    """Read the path of a file; the empty text is none."""
    return Path(text) if text else None


def directory(text: str) -> Path:
    """Read the path of a directory. Raises ValueError."""
    if not text:
        raise ValueError("expected the path of a directory")
    return Path(text)


def path(text: str) -> str:
    """Read the path of the metrics. Raises ValueError."""
    if not _PATH.fullmatch(text):
        raise ValueError(f"{text!r} is not a path: give one such as /metrics, of letters, digits and . _ ~ -")
    if text in OWN_PATHS or text.startswith("/-/"):
        raise ValueError(f"{text!r} is taken: the exporter serves something else there")
    return text


def prefix(text: str) -> str:
    """Read the path before all others: `/flatfile`, or empty for `/`. Raises ValueError."""
    found = "/" + text.strip("/")
    if not _PATH.fullmatch(found):
        raise ValueError(f"{text!r} is not a path: give one such as /flatfile, of letters, digits and . _ ~ -")
    return found.rstrip("/")


def external_url(text: str) -> str:
    """Read a URL of http or https, and return it without a slash at its end. Raises ValueError."""
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or "@" in parts.netloc or not (text.isascii() and text.isprintable()):
        raise ValueError(f"{text!r} is not a URL such as https://example.com/flatfile")
    return f"{parts.scheme}://{parts.netloc}{prefix(parts.path)}"


def number(text: str) -> int:
    """Read a whole number. Raises ValueError."""
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise ValueError(f"{text[:100]!r} is not a whole number")
    return int(text)


def duration(text: str) -> float:
    """Read a duration above 0 and return seconds. Raises ValueError."""
    seconds = _seconds(text)
    if not seconds:
        raise ValueError(f"{text!r} is not above 0")
    return seconds


def interval(text: str) -> float:
    """Read a duration of up to an hour and return seconds. Raises ValueError."""
    seconds = _seconds(text)
    if not 0 < seconds <= MAX_INTERVAL:
        raise ValueError(f"{text!r} is out of range: from 1ms to {MAX_INTERVAL:g}s")
    return seconds


def one_of(words: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of these words. It raises ValueError."""

    def read(text: str) -> str:
        if text not in words:
            guess = nearest(text, words)
            proposed = f"did you mean {guess}?" if guess else f"there are {', '.join(words)}"
            raise ValueError(f"{text[:60]!r} is not known; {proposed}")
        return text

    return read


def offset(text: str) -> float:
    """Read a duration of up to a minute, with or without a unit, and return seconds. Raises ValueError."""
    seconds = float(text.removesuffix("s")) if _DECIMAL.fullmatch(text) else _seconds(text)
    if seconds > MAX_OFFSET:
        raise ValueError(f"{text!r} is too long: at most {MAX_OFFSET:g}s")
    return seconds


def _seconds(text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{text!r} {error}") from None
