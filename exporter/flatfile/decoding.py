"""JSON into typed objects, with errors that quote nothing of the text. Pure."""

import re
from types import NoneType
from typing import Any, TypeVar, cast, get_args, get_origin

import msgspec

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, TooLarge
from exporter.flatfile.models import Page
from exporter.flatfile.transport import Answer

T = TypeVar("T")
Json = bytes | bytearray | msgspec.Raw

# The decoder holds the interpreter's lock until it is done: a larger page is decoded in parts, so that other threads go on.
MAX_BYTES_AT_ONCE = 1 << 20
ROWS_AT_ONCE = 2000

_decoders: dict[object, msgspec.json.Decoder[Any]] = {}

# A pair of surrogates, half a pair (the group), or any other escape: `\\ud800` is a backslash and five letters.
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)", re.DOTALL)


class Undecodable(Exception):
    """Not JSON, or of another shape. The text says why, in the decoder's words and without any of the server's."""


def read(answer: Answer, shape: type[T], endpoint: Endpoint) -> T:
    """Decode the body of an answer. Raises BadResponse."""
    try:
        return decode(shape, answer.body)
    except Undecodable as error:
        what = "a web page" if answer.is_html else str(error) if answer.body.strip() else "an empty body"
    # not from within the handler: the body is in the decoder's frames
    raise BadResponse(f"an answer that cannot be used: {what}", endpoint=str(endpoint), status=answer.status)


def read_page(answer: Answer, row: type[T], endpoint: Endpoint, max_rows: int) -> Page[T]:
    """Decode a page of a list. Raises BadResponse, or TooLarge for one of more than `max_rows` rows."""
    if len(answer.body) <= MAX_BYTES_AT_ONCE:
        shape: type[Page[T]] = Page[row]  # type: ignore[valid-type]
        return read(answer, shape, endpoint)
    page = read(answer, Page[msgspec.Raw], endpoint)
    if page.data is None:
        return Page(pagination=page.pagination)
    if len(page.data) > max_rows:
        raise TooLarge(f"a list of more than {max_rows} rows", endpoint=str(endpoint))
    rows: list[T] = []
    try:
        for start in range(0, len(page.data), ROWS_AT_ONCE):
            some = b",".join(page.data[start : start + ROWS_AT_ONCE])
            rows += decode(list[row], b"[%b]" % some)  # type: ignore[valid-type]
    except Undecodable as error:
        what = str(error)
    else:
        return Page(data=rows, pagination=page.pagination)
    raise BadResponse(f"an answer that cannot be used: {what}", endpoint=str(endpoint), status=answer.status)


def decode(shape: type[T], body: bytes | bytearray) -> T:
    """Decode a body. Raises Undecodable.

    Shapes and required fields must be as declared. An optional field that cannot be read is not known: `None`. Half a
    surrogate pair, as a text cut in the middle of an emoji leaves it, would make the decoder refuse all of the body: it is
    read as a replacement character instead.
    """
    try:
        return _decode(shape, body)
    except Undecodable:
        if rb"\ud" in body or rb"\uD" in body:
            body = _ESCAPE.sub(_mend, body)
    return cast(T, _tolerant(shape, body, "$"))


def _tolerant(shape: Any, body: Json, path: str) -> Any:
    """Decode what did not fit `shape` as it stands, leaving out the optional fields that cannot be read."""
    try:
        return _decode(shape, body, path)
    except Undecodable as error:
        why = error
    inner, many = _structure(shape)
    if inner is None:
        raise Undecodable(str(why))
    if many:
        items = _decode(list[msgspec.Raw], body, path)
        return [_tolerant(inner, item, f"{path}[{index}]") for index, item in enumerate(items)]
    members = _decode(dict[str, msgspec.Raw], body, path)
    known: dict[str, Any] = {}
    for field in msgspec.structs.fields(inner):
        if field.encode_name not in members:
            if field.required:
                raise Undecodable(f"Object missing required field `{field.encode_name}` - at `{path}`")
            continue
        try:
            known[field.name] = _tolerant(field.type, members[field.encode_name], f"{path}.{field.encode_name}")
        except Undecodable:
            if field.required or _structure(field.type)[0] is not None:
                raise
            known[field.name] = None
    return inner(**known)


def _structure(shape: Any) -> tuple[Any, bool]:
    """Return the struct that a type is, or holds a list of (True); `None` for any other."""
    options = [option for option in get_args(shape) if option is not NoneType]
    if NoneType in get_args(shape) and len(options) == 1:
        shape = options[0]
    many = get_origin(shape) is list
    if many:
        (shape,) = get_args(shape)
    kind = get_origin(shape) or shape
    return (shape if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None), many


def _decode(shape: type[T], body: Json, path: str = "$") -> T:
    if shape not in _decoders:
        _decoders[shape] = msgspec.json.Decoder(shape)
    try:
        return cast(T, _decoders[shape].decode(body))
    except RecursionError:
        why = "nested too deeply"
    except UnicodeDecodeError:
        why = "not UTF-8"
    except msgspec.ValidationError as error:
        why = str(error)
        why = why.replace("at `$", f"at `{path}") if "at `$" in why or path == "$" else f"{why} - at `{path}`"
    except msgspec.DecodeError as error:
        why = str(error)
    raise Undecodable(why)


def _mend(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]
