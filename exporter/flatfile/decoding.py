"""JSON into typed objects, with errors that quote nothing of the text. Pure."""

import re
from typing import Any, TypeVar

import msgspec

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse
from exporter.flatfile.transport import Answer

T = TypeVar("T")

_decoders: dict[object, msgspec.json.Decoder[Any]] = {}

# A pair of surrogates, half a pair (the group), or any other escape: `\\ud800` is a backslash and five letters.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


class Undecodable(Exception):
    """Not JSON, or of another shape. The text says why, in the decoder's words and without any of the server's."""


def read(answer: Answer, shape: type[T], endpoint: Endpoint) -> T:
    """Decode the body of an answer. Raises BadResponse."""
    try:
        result: T = decode(_decoder(shape), answer.body)
    except Undecodable as error:
        what = "a web page" if answer.is_html else str(error) if answer.body.strip() else "an empty body"
    else:
        return result
    # not from within the handler: the body is in the decoder's frames
    raise BadResponse(f"an answer that cannot be used: {what}", endpoint=str(endpoint), status=answer.status)


def _decoder(shape: type[T]) -> msgspec.json.Decoder[T]:
    if shape not in _decoders:
        _decoders[shape] = msgspec.json.Decoder(shape)
    return _decoders[shape]


def decode(decoder: msgspec.json.Decoder[T], body: bytes | bytearray) -> T:
    """Decode a body. Raises Undecodable.

    Half a surrogate pair, as a text cut in the middle of an emoji leaves it, would make msgspec refuse all of the body,
    wherever it stands: it is read as a replacement character instead.
    """
    try:
        return _decode(decoder, body)
    except Undecodable:
        mended = _ESCAPE.sub(_mend, body) if rb"\ud" in body or rb"\uD" in body else body
        if mended == body:
            raise
    return _decode(decoder, mended)


def _decode(decoder: msgspec.json.Decoder[T], body: bytes | bytearray) -> T:
    try:
        return decoder.decode(body)
    except RecursionError:
        why = "nested too deeply"
    except UnicodeDecodeError:
        why = "not UTF-8"
    except msgspec.DecodeError as error:
        why = str(error)
    raise Undecodable(why)


def _mend(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]
