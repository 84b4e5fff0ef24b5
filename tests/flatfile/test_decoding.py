"""Bodies of every kind: objects, or an error that quotes nothing of them."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile.decoding import MAX_BYTES_AT_ONCE, ROWS_AT_ONCE, Undecodable, decode, read, read_page
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, TooLarge
from exporter.flatfile.models import Event, EventContext, Guest, GuestSpace, NamedSpace, Page, Pagination, Space, User
from exporter.flatfile.transport import Answer
from tests.flatfile.rig import answer

SPACES = Page[Space]
SAID = "SECRET-words-of-the-server"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "truncated"),
        (b"<html>" + SAID.encode(), "malformed"),
        (b'{"data":[{"id":"a"}', "truncated"),
        (b"\xef\xbb\xbf{}", "malformed"),
        (SAID.encode("utf-16"), "malformed"),
        (b'{"data":[{"id":"\xff%s"}]}' % SAID.encode(), "not UTF-8"),
        (b'{"data":[{"id":"\xed\xa0\x80"}]}', "not UTF-8"),
        (b'{"%s":1,"data":[{"%s":2}]}' % (SAID.encode(), SAID.encode()), "missing required field `id`"),
        (b'{"data":[{"id":1}]}', r"got `int` - at `\$.data\[0\].id`"),
        (b'{"data":[null]}', r"got `null` - at `\$.data\[0\]`"),
        (b'{"data":{"%s":[]}}' % SAID.encode(), r"got `object` - at `\$.data`"),
        (b'{"data":"%s"}' % SAID.encode(), r"got `str` - at `\$.data`"),
        (b"[]", "got `array`"),
        (b"null", "got `null`"),
        (b'{"data":[]} ' + SAID.encode(), "trailing characters"),
        (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested too deeply"),
        (b'{"data":[{"id":"a","filesCount":"x"},{"id":5}]}', r"got `int` - at `\$.data\[1\].id`"),
        (b'{"data":[{"id":"a","filesCount":"x"},{"filesCount":3}]}', r"required field `id` - at `\$.data\[1\]`"),
        (b'{"data":[{"id":"a","filesCount":"x"},null]}', r"got `null` - at `\$.data\[1\]`"),
        (b'{"data":[{"id":"a","filesCount":"x"},[]]}', r"got `array` - at `\$.data\[1\]`"),
        (b'{"data":[],"pagination":{"totalCount":NaN}}', "malformed"),
    ],
)
def test_what_cannot_be_used(body: bytes, why: str) -> None:
    with pytest.raises(Undecodable, match=why) as caught:
        decode(SPACES, body)
    assert SAID not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize("total", [b"9" * 60, b"1e300", b'"12"', b'"x"', b"-1", b"null", b"1.5"])
def test_any_number_may_be_a_total(total: bytes) -> None:
    page = decode(SPACES, b'{"data":[],"pagination":{"totalCount":%s,"pageCount":%s}}' % (total, total))
    assert page.pagination is not None
    assert page.pagination.total is None or page.pagination.total >= 0
    assert page.pagination.pages is None or page.pagination.pages >= 0


@pytest.mark.parametrize(
    "half", [r"\ud83d", r"\uD83D", r"\udca9", r"\ud83d\n", r"\ud83d\ud83d", r"\ud83dd", r"\ud83d\\ud83d"]
)
@pytest.mark.parametrize(
    "place", ['{"data":[{"id":"%s"}]}', '{"data":[{"id":"a","name":"%s"}]}', '{"%s":0,"data":[{"id":"a"}]}']
)
def test_half_an_emoji_spoils_nothing(half: str, place: str) -> None:
    rows = decode(SPACES, (place % half).encode()).data
    assert rows is not None
    assert rows[0].id == (
        json.loads(place % half)["data"][0]["id"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )


@given(st.lists(st.sampled_from(["\\", "\\ud83d", "\\ude00", "\\\\", "\\u0041", "a", "\\n"]), max_size=12))
def test_mending_changes_nothing_but_halves(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        expected = json.loads(f'{{"id":"{text}"}}')["id"]
    except json.JSONDecodeError:
        with pytest.raises(Undecodable):
            decode(Event, f'{{"id":"{text}"}}'.encode())
        return
    mended = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in expected)
    assert decode(Event, f'{{"id":"{text}"}}'.encode()).id == mended


@pytest.mark.parametrize(
    "value", ["1e400", "1e999", "9" * 30, "9" * 5000, '"3"', "{}", "[[[]]]", "true", '{"a":[1]}', "null"]
)
@pytest.mark.parametrize("field", ["filesCount", "lastActivityAt", "environmentId"])
def test_an_optional_field_that_cannot_be_read_is_not_known_for_that_row(field: str, value: str) -> None:
    rows = decode(SPACES, b'{"data":[{"id":"a","filesCount":1},{"id":"b","%s":%s,"archivedAt":"2025-01-01"}]}' % (
        field.encode(), value.encode(),
    )).data  # fmt: skip
    assert rows is not None
    assert [row.id for row in rows] == ["a", "b"]
    assert rows[0].files_count == 1
    assert rows[1].archived_at == "2025-01-01"
    assert rows[1].files_count is None
    if value != '"3"':
        assert rows[1].environment_id is None
        assert rows[1].last_activity_at is None or (field == "lastActivityAt" and value.isdecimal())


def test_what_a_row_holds_is_read_as_far_as_it_can() -> None:
    rows = decode(
        Page[Guest], b'{"data":[{"id":"g","createdAt":{},"spaces":[{"id":"s","lastAccessed":[]},{"id":"t"}]}]}'
    ).data
    assert rows == [Guest(id="g", spaces=[GuestSpace(id="s"), GuestSpace(id="t")])]
    event = decode(Event, b'{"id":"e","topic":5,"context":{"environmentId":"env","actorId":7}}')
    assert event == Event(id="e", context=EventContext(environment_id="env"))


@pytest.mark.parametrize("spaces", ["{}", '"s"', "[{}]", "[5]", '[{"id":5}]'])
def test_a_list_within_a_row_must_be_one(spaces: str) -> None:
    with pytest.raises(Undecodable, match=r"at `\$.data\[0\].spaces"):
        decode(Page[Guest], b'{"data":[{"id":"g","spaces":%s}]}' % spaces.encode())


def test_a_field_that_cannot_be_read_is_there() -> None:
    """That the server knows the field is something else than what it says there."""
    assert decode(User, b'{"id":"u","lastSeenAt":[]}').last_seen_at is None
    assert decode(User, b'{"id":"u"}').last_seen_at is msgspec.UNSET


def test_a_pagination_that_cannot_be_read_says_nothing() -> None:
    page = decode(SPACES, b'{"data":[],"pagination":{"totalCount":[],"pageCount":2}}')
    assert page.pagination == Pagination(page_count=2)


def large(rows: int, odd: str = "") -> Answer:
    """A page that is decoded in parts."""
    items = [f'{{"id":"row-{i}","name":"{"x" * 600}"}}' for i in range(rows)]
    data = ",".join(items + [odd] * bool(odd))
    return answer(200, f'{{"data":[{data}],"pagination":{{"totalCount":7}}}}')


@pytest.mark.parametrize("rows", [ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1])
def test_a_large_page_is_the_same_in_parts(rows: int) -> None:
    got = large(rows, r'{"id":"last","name":"\ud83d","filesCount":"3"}')
    assert len(got.body) > MAX_BYTES_AT_ONCE
    assert read_page(got, NamedSpace, Endpoint.SPACES, 10_000) == read(got, Page[NamedSpace], Endpoint.SPACES)


@pytest.mark.parametrize(("odd", "match"), [('{"id":5}', "got `int`"), ("null", "got `null`"), ("nul", "malformed")])
def test_a_large_page_with_a_row_that_is_none(odd: str, match: str) -> None:
    with pytest.raises(BadResponse, match=match) as caught:
        read_page(large(ROWS_AT_ONCE + 9, odd), NamedSpace, Endpoint.SPACES, 10_000)
    assert caught.value.endpoint == "/spaces"
    assert "row-1" not in str(caught.value)


def test_a_page_of_too_many_rows() -> None:
    with pytest.raises(TooLarge, match="more than 2000 rows"):
        read_page(large(2001), NamedSpace, Endpoint.SPACES, 2000)


@given(st.binary())
def test_no_bytes_are_too_strange(body: bytes) -> None:
    try:
        decode(SPACES, body)
    except Undecodable:
        pass
