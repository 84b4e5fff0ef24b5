"""Rows as a table, as CSV or as lines of JSON. Pure."""

import csv
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TextIO

from exporter.core.printable import printable
from exporter.flatfile import times

Value = str | float | tuple[str, ...] | None
Row = Sequence[Value]
Rows = Callable[[], Iterable[Row]]
"""Gives the same rows, in the same order, each time that it is called: none of them has to be kept."""

GAP = "  "
MIN_TEXT = 8  # cells to which a column of text is shortened before others are left out
_FORMULA = ("=", "+", "-", "@")  # what a spreadsheet takes for the beginning of a formula
_NUMBER = re.compile(r"-?[0-9.]+")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: `key` names it in JSON and CSV, `head` in a table, which shows `unknown` for `None`.

    Times are unix seconds, `list` are tuples of texts. A table that is too wide leaves out what has the highest `optional`
    first, and never what has 0.
    """

    key: str
    head: str
    kind: Literal["text", "number", "time", "bool", "list"] = "text"
    unknown: str = "-"
    optional: int = 0


def number(key: str, head: str, optional: int = 0) -> Column:
    """Return a column of numbers, whose `None` is "not known"."""
    return Column(key, head, "number", "?", optional)


def write_table(out: TextIO, columns: Sequence[Column], rows: Rows, width: int | None) -> None:
    """Write a table with a line of headings, at most `width` cells wide.

    Texts are shortened, the widest first, and then columns left out, which a line below says.
    """
    widths = [_cells(column.head) for column in columns]
    for row in rows():
        for i, (column, value) in enumerate(zip(columns, row, strict=True)):
            widths[i] = max(widths[i], _cells(_shown(column, value)))
    kept = _fit(columns, widths, width)
    heads: Row = [column.head for column in columns]
    out.write(_line(kept, columns, heads, width))
    for row in rows():
        shown = [_shown(column, value) for column, value in zip(columns, row, strict=True)]
        out.write(_line(kept, columns, shown, width))
    left_out = [column.head for i, column in enumerate(columns) if i not in kept]
    if left_out:
        out.write(f"not shown, for want of width: {', '.join(left_out)} (--format=csv has all)\n")


def _line(kept: Mapping[int, int], columns: Sequence[Column], texts: Sequence[Value], width: int | None) -> str:
    cells = []
    for i, size in kept.items():
        text = _cut(str(texts[i]), size)
        pad = " " * (size - _cells(text))
        cells.append(pad + text if columns[i].kind == "number" else text + pad)
    line = GAP.join(cells).rstrip()
    return f"{line if width is None else _cut(line, width)}\n"


def _fit(columns: Sequence[Column], widths: Sequence[int], width: int | None) -> dict[int, int]:
    """Return the columns that a table shows, by index, and how wide each is."""
    kept = dict(enumerate(widths))
    while width is not None:
        excess = sum(kept.values()) + len(GAP) * (len(kept) - 1) - width
        texts = [i for i in kept if columns[i].kind in ("text", "list") and kept[i] > MIN_TEXT]
        if excess <= 0:
            break
        if texts:
            widest = max(texts, key=lambda i: kept[i])
            second = max((kept[i] for i in texts if i != widest), default=MIN_TEXT)
            kept[widest] -= max(1, min(excess, kept[widest] - second))
        elif optional := [i for i in kept if columns[i].optional]:
            del kept[max(optional, key=lambda i: (columns[i].optional, i))]
            kept = {i: widths[i] for i in kept}
        else:
            break
    return kept


def _shown(column: Column, value: Value) -> str:
    if isinstance(value, float | int) and column.kind == "time":
        return times.iso(value)[:16].replace("T", " ")
    return column.unknown if value is None else _text(column, value)


def _text(column: Column, value: Value) -> str:
    """Return a value as a table and CSV have it: nothing in it moves the cursor or breaks a line."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return printable(", ".join(value))
    if isinstance(value, str):
        return printable(value)
    if column.kind == "time":
        return times.iso(value)
    if column.kind == "bool":
        return "yes" if value else "no"
    return str(int(value) if value % 1 == 0 else value)


def _cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return len(text) if text.isascii() else sum(map(_cells_of, text))


def _cells_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def _cut(text: str, size: int) -> str:
    """Shorten a text that takes more than `size` cells."""
    if _cells(text) <= size:
        return text
    kept, used = "", 1
    for character in text:
        used += _cells_of(character)
        if used > size:
            break
        kept += character
    return f"{kept}…"


def write_csv(out: TextIO, account: str, columns: Sequence[Column], rows: Rows, *, header: bool) -> None:
    """Write the rows of an account as CSV, the account's name first; no cell of text is a formula."""
    writer = csv.writer(out, lineterminator="\n")
    if header:
        writer.writerow(["account", *(_no_formula(printable(column.key)) for column in columns)])
    for row in rows():
        cells = [_text(column, value) for column, value in zip(columns, row, strict=True)]
        writer.writerow([_no_formula(cell) for cell in (printable(account), *cells)])


def _no_formula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell) else cell


def json_line(kind: str, account: str, members: Mapping[str, object]) -> str:
    """Return one line of JSON. What does not print is escaped, so that a terminal can show it."""
    members = {"kind": kind, "account": account, **members}
    text = json.dumps(members, ensure_ascii=False, separators=(",", ":"))
    return f"{text if text.isprintable() else json.dumps(members, separators=(',', ':'))}\n"


def json_lines(kind: str, account: str, columns: Sequence[Column], rows: Rows) -> Iterator[str]:
    """Yield one line of JSON for each row."""
    for row in rows():
        yield json_line(kind, account, {c.key: _plain(c, value) for c, value in zip(columns, row, strict=True)})


def _plain(column: Column, value: Value) -> object:
    if isinstance(value, float | int):
        if column.kind == "time":
            return times.iso(value)
        return bool(value) if column.kind == "bool" else value
    return value
