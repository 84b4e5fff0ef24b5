"""Content negotiation: the format (`Accept`) and gzip (`Accept-Encoding`), after RFC 9110 12.5.1 and 12.5.3.

No header is an error: what cannot be read is ignored.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from exporter.exposition.text import Format

# Prometheus sends some 250 characters. A header longer than this counts as absent.
_MAX_HEADER = 4096

_OFFERED = {
    Format.TEXT_0_0_4: ("text", "plain", "0.0.4"),
    Format.OPENMETRICS_1_0: ("application", "openmetrics-text", "1.0.0"),
}
_QVALUE = re.compile(r"0(?:\.[0-9]*)?|1(?:\.0*)?|\.[0-9]+")

# How exactly a range names a format.
_NOT_AT_ALL, _ANYTHING, _BY_TYPE, _BY_NAME, _BY_VERSION = range(5)


def choose_format(accept: str | None) -> Format:
    """Return the format to respond with. Several `Accept` headers are one, joined by commas.

    Each format has the q-value of the most exact range that matches it (type, subtype and `version`; then type and
    subtype; then `type/*`; then `*/*`), and the higher one wins. With equal values OpenMetrics wins where it is named,
    else the text format. A range with another version, such as `version=0.0.1`, matches neither. Other parameters,
    `escaping` among them, change nothing (see `Format`).

    Where the header accepts neither, the response is the text format and not status 406, so that any program can show it.
    """
    elements = list(_elements(accept))
    _, text = _quality(elements, Format.TEXT_0_0_4)
    exactness, openmetrics = _quality(elements, Format.OPENMETRICS_1_0)
    if openmetrics > text or (openmetrics == text > 0 and exactness >= _BY_NAME):
        return Format.OPENMETRICS_1_0
    return Format.TEXT_0_0_4


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Return whether to use gzip: it (or `x-gzip`, or `*`) is accepted, and `identity` is not preferred by name."""
    codings: dict[str, float] = {}
    for element in _elements(accept_encoding):
        codings[element.name] = max(element.quality, codings.get(element.name, 0.0))
    gzip = codings.get("gzip", codings.get("x-gzip", codings.get("*", 0.0)))
    return gzip > 0 and gzip >= codings.get("identity", 0.0)


class _Element(NamedTuple):
    name: str
    version: str | None
    quality: float


def _quality(elements: list[_Element], fmt: Format) -> tuple[int, float]:
    """Return how exactly the most exact range names `fmt`, and its q-value; (0, 0) where none does."""
    found = [(exactness, element.quality) for element in elements if (exactness := _exactness(element, fmt))]
    return max(found, default=(_NOT_AT_ALL, 0.0))


def _exactness(element: _Element, fmt: Format) -> int:
    kind, subtype, version = _OFFERED[fmt]
    if element.version not in (None, version):
        return _NOT_AT_ALL
    if element.name == f"{kind}/{subtype}":
        return _BY_NAME if element.version is None else _BY_VERSION
    return {"*/*": _ANYTHING, f"{kind}/*": _BY_TYPE}.get(element.name, _NOT_AT_ALL)


def _elements(header: str | None) -> Iterator[_Element]:
    """Yield the elements of a header, without those whose q-value cannot be read."""
    if header is None or len(header) > _MAX_HEADER:
        return
    for element in _split(header, ","):
        name, *pairs = (part.strip() for part in _split(element, ";"))
        parameters: dict[str, str] = {}
        for pair in pairs:
            key, _, value = pair.partition("=")
            parameters.setdefault(key.strip().lower(), _unquoted(value.strip()))
        quality = parameters.get("q", "1")
        if _QVALUE.fullmatch(quality):
            yield _Element(name.lower(), parameters.get("version"), float(quality))


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] == '"':
        return re.sub(r"\\(.)", r"\1", value[1:-1])
    return value


def _split(text: str, separator: str) -> Iterator[str]:
    """Yield the parts of `text` between separators outside quoted strings, in one pass."""
    start, quoted, skip = 0, False, False
    for at, char in enumerate(text):
        if skip:
            skip = False
        elif quoted and char == "\\":
            skip = True
        elif char == '"':
            quoted = not quoted
        elif char == separator and not quoted:
            yield text[start:at]
            start = at + 1
    yield text[start:]
