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


def configure(level: str, fmt: LogFormat, stream: TextIO) -> None:
    """Write the records of this program from `level` (debug, info, warn, error) up to `stream`.

    Libraries are heard from warning up only. Calling it again replaces what the last call set up. Raises ValueError
    for an unknown level. A uvicorn `Config` must be given `log_config=None` and `log_level=None`, or it undoes this.
    """
    if level not in LEVELS:
        raise ValueError(f"unknown log level {level!r}: it is one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JSONFormatter() if fmt == "json" else LogfmtFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, LogfmtFormatter | JSONFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    quiet = max(LEVELS[level], logging.WARNING)
    root.setLevel(quiet)
    logging.getLogger("exporter").setLevel(LEVELS[level])
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.setLevel(quiet)
        library.propagate = True


def fields(**values: object) -> dict[str, dict[str, object]]:
    """The `extra` of a log call. Fields that are None are left out of the line; others are written as `str` does."""
    return {"fields": values}


class LogfmtFormatter(logging.Formatter):
    """`key=value` pairs. Quoted values are JSON strings in which all that is not printable is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`, without its newline."""
        pairs = _pairs(record, self)
        # The message is quoted even where it is one word, so that all lines look alike.
        return " ".join(
            f"{key}={_quoted(str(value)) if key == 'msg' else _logfmt_value(value)}" for key, value in pairs.items()
        )


class JSONFormatter(logging.Formatter):
    """One JSON object a line, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of `record`, without its newline."""
        return json.dumps(_pairs(record, self))


def _pairs(record: logging.LogRecord, formatter: logging.Formatter) -> dict[str, _Value]:
    """What a line says, in its order."""
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
    """`name` with nothing in it that would end a key, and not one of the keys that each line has."""
    key = _NOT_IN_KEYS.sub("_", name) or "_"
    return f"{key}_" if key in _RESERVED else key


def _plain(value: object) -> _Value:
    """`value` where it is a boolean, a whole number or a finite one (JSON has no NaN), else as `str` writes it."""
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return str(value)


def _logfmt_value(value: _Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _BARE.fullmatch(text) and text.isprintable() else _quoted(text)


def _quoted(text: str) -> str:
    """`text` as a JSON string on one line, in which letters of all scripts stay readable.

    Escaped is all that Python calls not printable: besides control characters also the line breaks of Unicode, escape
    sequences for terminals, marks that turn the direction of writing, and lone surrogates.
    """
    return '"' + _TO_LOOK_AT.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return char if char.isprintable() and char not in '"\\' else json.dumps(char)[1:-1]
