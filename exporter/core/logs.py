"""Logging: one line a record, as logfmt or JSON, in the shape of Prometheus' own programs.

    time=2026-11-23T18:28:00.123Z level=WARN source=account.py:42 msg="refresh failed" account=acme collector=spaces

Fields go beside the message: `log.warning("refresh failed", extra=fields(account="acme", collector="spaces"))`.
"""

import json
import logging
import math
import re
from datetime import UTC, datetime
from typing import Literal, TextIO

from exporter.core.log_writer import BackgroundHandler

LogFormat = Literal["logfmt", "json"]

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}
"""What `--log.level` takes."""

# Set by name as well as through the root, since uvicorn sets up its own and httpx logs the whole URL of each request.
_LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi", "httpx", "httpcore", "asyncio")

_RESERVED = ("time", "level", "source", "msg", "exception", "stack")

_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_.-]")
_BARE = re.compile(r'[^ "=\\]+')
_TO_LOOK_AT = re.compile(r"[^ !#-\[\]-~]")

_Value = str | int | float


def configure(level: str, fmt: LogFormat, stream: TextIO, *, background: bool = False) -> None:
    """Log the records of this program from `level` (debug, info, warn, error) up to `stream`.

    With `background` a thread writes the lines to the stream's file descriptor, so that logging never blocks. Libraries
    are logged from warning up, and so are Python's warnings. Calling it again replaces what the last call set up. Raises
    ValueError for an unknown level. A uvicorn `Config` needs `log_config=None` and `log_level=None`, or it undoes this.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown log level {level!r}: it is one of {', '.join(LEVELS)}")
    handler = _background_handler(stream) if background else logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter() if fmt == "json" else LogfmtFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, LogfmtFormatter | JSONFormatter):
            root.removeHandler(old)
            old.close()
    root.addHandler(handler)
    logging.captureWarnings(background)
    quiet = max(LEVELS[level], logging.WARNING)
    root.setLevel(quiet)
    logging.getLogger("exporter").setLevel(LEVELS[level])
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.setLevel(quiet)
        library.propagate = True


def _background_handler(stream: TextIO) -> logging.Handler:
    try:
        return BackgroundHandler(stream.fileno())
    except RuntimeError:  # no thread can be started
        return logging.StreamHandler(stream)


def fields(**values: object) -> dict[str, dict[str, object]]:
    """Return the `extra` of a log call. Fields that are None are left out of the line; others are written as `str` does."""
    return {"fields": values}


class LogfmtFormatter(logging.Formatter):
    """Formats records as `key=value` pairs. Quoted values are JSON strings; characters that are not printable are escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`, without its newline."""
        pairs = _pairs(record, self)
        # The message is quoted even where it is one word, so that all lines look alike.
        return " ".join(
            f"{key}={_quoted(str(value)) if key == 'msg' else _logfmt_value(value)}" for key, value in pairs.items()
        )


class JSONFormatter(logging.Formatter):
    """Formats records as one JSON object per line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of `record`, without its newline."""
        return json.dumps(_pairs(record, self))


def _pairs(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, _Value]:
    """Return a line's keys and values in their order."""
    time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    pairs: dict[str, _Value] = {
        "time": time.removesuffix("+00:00") + "Z",
        "level": _level_name(record.levelno),
        "source": f"{record.filename}:{record.lineno}",
        "msg": record.getMessage(),
    }
    for name, value in getattr(record, "fields", {}).items():
        if value is not None:
            pairs[_key(name)] = _plain(value)
    if record.exc_info and record.exc_info[0] is not None:
        pairs["exception"] = formatter.formatException(record.exc_info)
    if record.stack_info:
        pairs["stack"] = record.stack_info
    return pairs


def _level_name(number: int) -> str:
    name = "DEBUG"
    for candidate, threshold in LEVELS.items():
        if number >= threshold:
            name = candidate.upper()
    return name


def _key(name: str) -> str:
    """Return `name` without characters that would end a key, and different from the keys that each line has."""
    key = _NOT_IN_KEYS.sub("_", name) or "_"
    return f"{key}_" if key in _RESERVED else key


def _plain(value: object) -> _Value:
    """Return booleans, integers and finite numbers (JSON has no NaN) as they are, other values as `str` writes them."""
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _logfmt_value(value: _Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _BARE.fullmatch(text) and text.isprintable() else _quoted(text)


def _quoted(text: str) -> str:
    """Return `text` as a JSON string on one line, in which letters of all scripts stay readable.

    Characters that Python calls not printable are escaped: control characters, the line breaks of Unicode, escape
    sequences for terminals, marks that change the direction of writing, and lone surrogates.
    """
    return '"' + _TO_LOOK_AT.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() and char not in '"\\' else json.dumps(char)[1:-1]
