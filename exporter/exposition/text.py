"""Metric families -> the bytes of a page, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.

Both formats are defined by Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. Names are written as they are: a `Desc` must hold valid metric and
label names of the old kind (`[a-zA-Z_][a-zA-Z0-9_]*`). Label values and HELP may be any text.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from operator import call
from typing import NamedTuple

from prometheus_client.utils import floatToGoString

from exporter.exposition.families import Desc, Family, HistogramValue

MAX_LABEL_VALUE = 200
"""Characters of a label value. A longer one is cut, except ids, whose labels are named `…_id`."""


class Format(Enum):
    """A format of the page; the value is its content type.

    Neither content type has an `escaping` parameter, which Prometheus 3 asks for. It would say how names outside
    `[a-zA-Z_:][a-zA-Z0-9_:]*` were rewritten; there are none, so a scraper reads the same page whatever it asked for.
    """

    TEXT_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS_1_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Lines(NamedTuple):
    """Rendered families: the lines of each family's samples, without HELP and TYPE.

    `dropped` counts the samples left out because there already was one of the same series, `truncated` the different
    label values that were cut.
    """

    blocks: tuple[tuple[Desc, bytes], ...]
    dropped: int = 0
    truncated: int = 0


class _Escaped(dict[str, str]):
    """Label values as they are written between the quotes, escaped once per value; cut to `max_length` characters."""

    def __init__(self, max_length: int | None = None) -> None:
        super().__init__()
        self.truncated = 0
        self._max_length = max_length

    def __missing__(self, value: str) -> str:
        short = value
        if self._max_length is not None and len(value) > self._max_length:
            short = value[: self._max_length - 1] + "…"
            self.truncated += 1
        text = self[value] = _SPECIAL.sub(_escape, short)
        return text


# All other characters are written as they are, control characters and `\r` too: Prometheus reads them back unchanged. A
# lone surrogate has no UTF-8 form.
_SPECIAL = re.compile('[\\\\\n"\ud800-\udfff]')
_ESCAPES = {"\\": r"\\", "\n": r"\n", '"': r"\""}


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0], "\ufffd")


def lines(families: Iterable[Family], fmt: Format) -> Lines:
    """Render `families`, in the order in which their names first come.

    Families of one name become one block; a family without samples is left out. Where two samples are of the same series
    as written, the first one counts.

    Raises ValueError when two families of one name differ in type, help or label names, when two names would be one in
    OpenMetrics (a gauge `x` and a counter `x_total`), and for a counter that is not named `_total`.
    """
    number = _openmetrics_number if fmt is Format.OPENMETRICS_1_0 else _text_number
    ids, texts = _Escaped(), _Escaped(MAX_LABEL_VALUE)
    parts: dict[Desc, list[_Samples]] = {}
    for family in families:
        if family.desc.type == "counter" and not family.desc.name.endswith("_total"):
            raise ValueError(f"counter {family.desc.name}: the name must end in _total")
        parts.setdefault(family.desc, []).append(family.samples)
    _check_names(parts)
    blocks = []
    dropped = 0
    for desc, samples in parts.items():
        written: list[str] = []
        escape = [(ids if label.endswith("_id") else texts).__getitem__ for label in desc.labels]
        dropped += _write_block(desc, samples, escape, number, written)
        if written:
            blocks.append((desc, "".join(written).encode()))
    return Lines(tuple(blocks), dropped, texts.truncated)


def join(rendered: Iterable[Lines], fmt: Format) -> bytes:
    """Return the page of families that were rendered apart, for several accounts for example, each described once.

    They must not have a series in common, which is not checked here. Raises ValueError as `lines` does.
    """
    by_desc: dict[Desc, list[bytes]] = {}
    for each in rendered:
        for desc, block in each.blocks:
            by_desc.setdefault(desc, []).append(block)
    _check_names(by_desc)
    pieces = [piece for desc, blocks in by_desc.items() for piece in (_head(desc, fmt), *blocks)]
    if fmt is Format.OPENMETRICS_1_0:
        pieces.append(b"# EOF\n")
    return b"".join(pieces)


def _family_name(desc: Desc) -> str:
    """Return the name as in OpenMetrics' comment lines: without a counter's `_total`."""
    return desc.name.removesuffix("_total") if desc.type == "counter" else desc.name


_Samples = Sequence[tuple[tuple[str, ...], float | HistogramValue]]

_SPELLED = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}
_UNITS = ("seconds", "bytes")


def _text_number(value: float) -> str:
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else _SPELLED.get(text, text)


def _openmetrics_number(value: float) -> str:
    text = repr(float(value))
    return _SPELLED.get(text, text)


@lru_cache(maxsize=1024)
def _bound(value: float) -> str:
    """Return a bucket's `le`: `1.0` and never `1` in both formats, since Prometheus 2 makes a series of each spelling."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _check_names(descs: Iterable[Desc]) -> None:
    """Raise ValueError when two different families have one name for a reader."""
    by_name: dict[str, Desc] = {}
    for desc in descs:
        first = by_name.setdefault(_family_name(desc), desc)
        if first is not desc:
            raise ValueError(f"two different families of one name: {first} and {desc}")


@lru_cache(maxsize=1024)
def _head(desc: Desc, fmt: Format) -> bytes:
    quoted = _SPECIAL.sub(_escape, desc.help)
    if fmt is Format.TEXT_0_0_4:
        # Quotes are not escaped here; every quote of `quoted` has its own backslash before it.
        text = quoted.replace(r"\"", '"')
        return f"# HELP {desc.name} {text}\n# TYPE {desc.name} {desc.type}\n".encode()
    name = _family_name(desc)
    units = "".join(f"# UNIT {name} {unit}\n" for unit in _UNITS if name.endswith(f"_{unit}"))
    return f"# TYPE {name} {desc.type}\n{units}# HELP {name} {quoted}\n".encode()


def _template(name: str, labels: tuple[str, ...]) -> str:
    pairs = ",".join(f'{label}="%s"' for label in labels)
    return f"{name}{{{pairs}}} %s\n" if pairs else f"{name} %s\n"


def _write_block(
    desc: Desc,
    parts: Iterable[_Samples],
    escape: Sequence[Callable[[str], str]],
    number: Callable[[float], str],
    lines: list[str],
) -> int:
    """Append the lines of one block. Return how many samples were left out as duplicates."""
    plain = _template(desc.name, desc.labels)
    bucket = _template(f"{desc.name}_bucket", (*desc.labels, "le"))
    count = _template(f"{desc.name}_count", desc.labels)
    total = _template(f"{desc.name}_sum", desc.labels)
    # Compared as they are written: two values may become one when they are cut or a surrogate is replaced.
    seen: set[tuple[str, ...]] = set()
    dropped = 0
    for samples in parts:
        for values, value in samples:
            key = tuple(map(call, escape, values))
            if key in seen:
                dropped += 1
                continue
            seen.add(key)
            if isinstance(value, HistogramValue):
                lines += [bucket % (*key, _bound(bound), number(n)) for bound, n in value.buckets]
                lines.append(count % (*key, number(value.buckets[-1][1])))
                lines.append(total % (*key, number(value.sum)))
            else:
                lines.append(plain % (*key, number(value)))
    return dropped
