"""Tables, CSV and JSON of rows: they fit, they are safe in a terminal, and no more than one row is held."""

import csv
import io
import json
import unicodedata
import weakref
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.inventory_tables import Column, Row, json_lines, number, write_csv, write_table

TEXT = st.text(
    st.sampled_from("ab\x1b\x9b\u202e\u200d\n\r\t\0é日🧪e\u0301=+-@,\"'") | st.characters(exclude_categories=["Cs"]),
    max_size=30,
)
COLUMNS = (
    Column("name", "NAME"),
    Column("id", "ID", optional=2),
    number("files", "FILES"),
    Column("seen", "SEEN", "time", optional=1),
    Column("on", "ON", "bool"),
    Column("missing", "MISSING", "list"),
)
ROWS = st.lists(
    st.tuples(
        TEXT | st.none(),
        TEXT,
        st.integers(0, 2**53) | st.none(),
        st.floats(0, 4e9) | st.none(),
        st.booleans() | st.none(),
        st.lists(TEXT, max_size=3).map(tuple) | st.none(),
    ),
    max_size=5,
)


def cells(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(c) in ("W", "F") for c in text)
    return len(text) + wide - sum(unicodedata.category(c) in ("Mn", "Me") for c in text)


def table(rows: list[Row], width: int | None, columns: tuple[Column, ...] = COLUMNS) -> list[str]:
    out = io.StringIO()
    write_table(out, columns, lambda: rows, width)
    return out.getvalue().splitlines()


@given(ROWS, st.none() | st.integers(10, 150))
def test_a_table_fits_and_moves_no_cursor(rows: list[Row], width: int | None) -> None:
    lines = table(rows, width)
    remark = lines[1 + len(rows) :]
    assert [line.startswith("not shown, for want of width: ") for line in remark] == [True] * len(remark)
    assert len(remark) <= (0 if width is None else 1)
    assert all(line.isprintable() for line in lines)
    assert width is None or all(cells(line) <= width for line in lines[: 1 + len(rows)])


def test_the_widest_text_is_shortened_and_then_columns_are_left_out() -> None:
    rows: list[Row] = [
        ("a name of some length", "us_sp_12345678", 7, 0.0, True, ("importer",)),
        ("日" * 9, "x", None, None, None, ()),
    ]
    assert table(rows, None) == [
        "NAME                   ID              FILES  SEEN              ON   MISSING",
        "a name of some length  us_sp_12345678      7  1970-01-01 00:00  yes  importer",
        "日日日日日日日日日     x                   ?  -                 -",
    ]
    assert table(rows, 66) == [
        "NAME          ID            FILES  SEEN              ON   MISSING",
        "a name of s…  us_sp_12345…      7  1970-01-01 00:00  yes  importer",
        "日日日日日…   x                 ?  -                 -",
    ]
    assert table(rows, 40) == [
        "NAME                FILES  ON   MISSING",
        "a name of some le…      7  yes  importer",
        "日日日日日日日日日      ?  -",
        "not shown, for want of width: ID, SEEN (--format=csv has all)",
    ]


@given(ROWS)
def test_csv_can_be_read_back_and_holds_no_formula(rows: list[Row]) -> None:
    out = io.StringIO()
    write_csv(out, "=acme", COLUMNS, lambda: rows, header=True)
    assert out.getvalue().replace("\n", "").isprintable()
    header, *found = csv.reader(io.StringIO(out.getvalue()))
    assert header == ["account", *(column.key for column in COLUMNS)]
    assert len(found) == len(rows)
    for row, (account, *read) in zip(rows, found, strict=True):
        assert account == "'=acme"
        assert not any(cell.startswith(("=", "+", "@")) for cell in read)
        assert read[2] == ("" if row[2] is None else str(row[2]))


@given(ROWS)
def test_json_is_one_object_a_line_with_the_names_as_they_are(rows: list[Row]) -> None:
    lines = [*json_lines("thing", "acme", COLUMNS, lambda: rows)]
    assert all(line.endswith("\n") and line[:-1].isprintable() for line in lines)
    found = [json.loads(line) for line in lines]
    assert [each["name"] for each in found] == [row[0] for row in rows]
    assert [each["missing"] for each in found] == [None if row[5] is None else [*row[5]] for row in rows]
    assert all(each["on"] is row[4] for each, row in zip(found, rows, strict=True))


class Kept(list[object]):
    """A row of which a WeakSet can tell whether it is still there."""

    __hash__ = object.__hash__  # type: ignore[assignment]


FORMATS: dict[str, Callable[[Callable[[], Iterator[Row]]], object]] = {
    "table": lambda rows: write_table(io.StringIO(), COLUMNS, rows, 80),
    "csv": lambda rows: write_csv(io.StringIO(), "acme", COLUMNS, rows, header=True),
    "json": lambda rows: io.StringIO().writelines(json_lines("thing", "acme", COLUMNS, rows)),
}


@pytest.mark.parametrize("fmt", FORMATS)
def test_no_row_is_held_after_it_was_written(fmt: str) -> None:
    alive = weakref.WeakSet[Kept]()
    most = 0

    def rows() -> Iterator[Row]:
        nonlocal most
        for i in range(500):
            row = Kept([f"space {i}", f"id {i}", i, float(i), True, ("a",)])
            alive.add(row)
            most = max(most, len(alive))
            yield row  # type: ignore[misc]
            del row

    FORMATS[fmt](rows)
    assert most <= 2
