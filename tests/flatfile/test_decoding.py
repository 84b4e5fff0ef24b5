"""Bodies of every kind: objects, or an error that quotes nothing of them."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.flatfile.decoding import Undecodable, decode
from exporter.flatfile.models import Event, Page, Space

SPACES = msgspec.json.Decoder(Page[Space])
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
        (b'{"data":[{"id":"a","filesCount":%s}]}' % (b"9" * 30), "`int` <= "),
        (b'{"data":[{"id":"a","filesCount":%s}]}' % (b"9" * 5000), "out of range"),
        (b'{"data":[{"id":"a","filesCount":1e999}]}', "out of range"),
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
            decode(msgspec.json.Decoder(Event), f'{{"id":"{text}"}}'.encode())
        return
    mended = "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in expected)
    assert decode(msgspec.json.Decoder(Event), f'{{"id":"{text}"}}'.encode()).id == mended


@given(st.binary())
def test_no_bytes_are_too_strange(body: bytes) -> None:
    try:
        decode(SPACES, body)
    except Undecodable:
        pass
