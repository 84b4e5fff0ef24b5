"""A line: exactly its keys, on one line whatever the names hold, and readable again."""

import csv
import io
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.audit.line import KEYS, Line, WrittenEvent, line_format

TEXT = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=30))
IDS = st.text("us_evt0123456789", min_size=1, max_size=30)
LINES = st.builds(
    Line,
    time=st.just("2026-11-23T18:28:00.123Z"),
    event_id=IDS,
    account=st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=10),
    environment_id=st.one_of(st.none(), IDS),
    actor_type=st.sampled_from(["user", "system"]),
    actor_name=TEXT,
    actor_email=TEXT,
    **dict.fromkeys((*KEYS[2:4], *KEYS[6:15], KEYS[16]), TEXT),
)
BRIEF = (
    "time event_id topic domain account environment_id environment space_id space workbook_id sheet_id job_id file_id "
    "agent_id app_id actor_type actor_id"
)


def line(**more: object) -> Line:
    given = dict.fromkeys(KEYS) | {"time": "2026-11-23T18:28:00.123Z", "event_id": "us_evt_1", "account": "acme"}
    return Line(**given | {"actor_type": "system"} | more)  # type: ignore[arg-type]


def test_the_keys_are_those_that_are_documented_in_their_order() -> None:
    assert " ".join(KEYS) == BRIEF
    text = line_format("jsonl", people=False, payload=False).encode(line())
    assert " ".join(json.loads(text)) == BRIEF


def test_names_and_payload_come_last() -> None:
    full = line(actor_name="Ada", actor_email=None, payload=msgspec.Raw(b'{"a": 1}'))
    text = line_format("jsonl", people=True, payload=True).encode(full)
    assert [*json.loads(text)] == [*BRIEF.split(), "actor_name", "actor_email", "payload"]


def test_a_payload_spread_over_lines_is_put_on_one() -> None:
    spread = msgspec.Raw(b'{\n  "a": [1,\r\n 2],\n "b": "x\\ny"\n}')
    for name in ("jsonl", "csv"):
        text = line_format(name, people=False, payload=True).encode(line(payload=spread))
        assert text.count(b"\n") == 1
        assert b"\r" not in text
    assert json.loads(line_format("jsonl", people=False, payload=True).encode(line(payload=spread)))["payload"] == {
        "a": [1, 2],
        "b": "x\ny",
    }


@given(LINES)
def test_json_is_one_line_and_says_what_was_given(given_line: Line) -> None:
    lines = line_format("jsonl", people=True, payload=False)
    text = lines.encode(given_line)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    said = json.loads(text)
    assert said == {key: getattr(given_line, key) for key in (*KEYS, "actor_name", "actor_email")}
    expected = WrittenEvent(given_line.time, given_line.event_id, given_line.account, given_line.environment_id)
    assert lines.decode(text.removesuffix(b"\n")) == expected


@given(LINES)
def test_csv_is_one_line_for_every_reader_and_read_back(given_line: Line) -> None:
    lines = line_format("csv", people=True, payload=False)
    text = lines.encode(given_line)
    assert len(text.decode().splitlines()) == 1
    (cells,) = csv.reader(io.StringIO(text.decode()))
    assert len(cells) == len(next(csv.reader([lines.header.decode()])))
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]
    told = lines.decode(text.removesuffix(b"\n"))
    assert told is not None
    assert (told.event_id, told.account, told.environment_id) == (
        given_line.event_id,
        given_line.account,
        given_line.environment_id,
    )


@pytest.mark.parametrize("name", ["=cmd()", "+1", "-1", "@sum", "\tx"])
def test_a_spreadsheet_finds_no_formula(name: str) -> None:
    text = line_format("csv", people=False, payload=False).encode(line(space=name)).decode()
    assert f",'{name}" in text.replace('"', "")


@pytest.mark.parametrize("name", ["jsonl", "csv"])
@pytest.mark.parametrize("text", [b"", b"{", b'{"time":1}', b"a,b", b'"', b"\xff", b"null", b'"a"b,c'])
def test_what_is_no_line_is_none(name: str, text: bytes) -> None:
    lines = line_format(name, people=False, payload=False)  # type: ignore[arg-type]
    assert lines.decode(text) is None
    assert lines.decode(lines.header.removesuffix(b"\n")) is None
