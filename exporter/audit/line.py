"""One line of the audit log, as JSON or CSV, and the parts that are read back. Pure."""

import csv
import io
import re
from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from exporter.flatfile import times

FormatName = Literal["jsonl", "csv"]

# What ends a line for some readers, and what a spreadsheet takes for a formula.
_BREAKS = re.compile("\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029\0]")
_FORMULA = ("=", "+", "-", "@", "\t")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """An event in the log (docs/audit.md describes the keys). `UNSET` keys are not in the line."""

    time: str
    event_id: str
    topic: str | None
    domain: str | None
    account: str
    environment_id: str | None
    environment: str | None
    space_id: str | None
    space: str | None
    workbook_id: str | None
    sheet_id: str | None
    job_id: str | None
    file_id: str | None
    agent_id: str | None
    app_id: str | None
    actor_type: str
    actor_id: str | None
    actor_name: str | UnsetType | None = UNSET
    actor_email: str | UnsetType | None = UNSET
    payload: msgspec.Raw | UnsetType = UNSET


KEYS: tuple[str, ...] = Line.__struct_fields__[:17]
"""The keys that every line has, in their order."""
PEOPLE = ("actor_name", "actor_email")
PAYLOAD = "payload"


class WrittenEvent(msgspec.Struct, frozen=True):
    """The identity of an event, as read from a line."""

    time: str
    event_id: str
    account: str
    environment_id: str | None

    @property
    def at(self) -> float | None:
        """Unix seconds."""
        return times.unix(self.time)


class JsonLines:
    header = b""

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(WrittenEvent)

    def encode(self, line: Line) -> bytes:
        """Return a line with its newline; a payload of several lines is put on one."""
        if isinstance(line.payload, msgspec.Raw):
            line = msgspec.structs.replace(line, payload=_on_one_line(line.payload))
        return msgspec.json.encode(line) + b"\n"

    def decode(self, text: bytes) -> WrittenEvent | None:
        try:
            return self._decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None


class Csv:
    """Comma-separated values with a header; line breaks in values become blanks, and no value is a formula."""

    def __init__(self, *, people: bool, payload: bool) -> None:
        self._columns = (*KEYS, *(PEOPLE if people else ()), *((PAYLOAD,) if payload else ()))
        self.header = _row(self._columns)

    def encode(self, line: Line) -> bytes:
        """Return a line."""
        return _row([_cell(getattr(line, column)) for column in self._columns])

    def decode(self, text: bytes) -> WrittenEvent | None:
        try:
            (cells,) = csv.reader([text.decode()], strict=True)
        except (ValueError, csv.Error):
            return None
        if len(cells) != len(self._columns) or text == self.header.removesuffix(b"\n"):
            return None
        named = dict(zip(self._columns, (_uncell(cell) for cell in cells), strict=True))
        return WrittenEvent(named["time"], named["event_id"], named["account"], named["environment_id"] or None)


Format = JsonLines | Csv
"""How lines are written. A line is one line of text in every format, so a torn one lacks its newline."""


def line_format(name: FormatName, *, people: bool, payload: bool) -> Format:
    """Return the format of that name, for lines with or without people's names and the payload."""
    return Csv(people=people, payload=payload) if name == "csv" else JsonLines()


def _row(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _cell(value: str | msgspec.Raw | UnsetType | None) -> str:
    if isinstance(value, msgspec.Raw):
        value = bytes(_on_one_line(value)).decode()
    text = _BREAKS.sub(" ", value) if isinstance(value, str) else ""
    return "'" + text if text.startswith(_FORMULA) else text


def _uncell(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].startswith(_FORMULA) else text


def _on_one_line(payload: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.format(bytes(payload), indent=-1))
