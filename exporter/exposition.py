"""Metric families -> the bytes of a page, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.

Both formats are defined by Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/. Names are taken as they are: what a `Desc` holds must be a valid
metric and label name of the old kind (`[a-zA-Z_][a-zA-Z0-9_]*`). Label values and HELP may be any text.
"""

import gzip
import math
import re
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.utils import floatToGoString

from exporter.families import Desc, Family, HistogramValue, MetricType


class Format(Enum):
    """A format of the page; the value is its content type.

    Neither content type has an `escaping` parameter, which Prometheus 3 asks for. It would say how names outside
    `[a-zA-Z_:][a-zA-Z0-9_:]*` were rewritten; there are none, so a scraper reads the same page whatever it asked for.
    """

    TEXT_0_0_4 = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS_1_0 = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    @property
    def content_type(self) -> str:
        """The Content-Type header to answer with."""
        return self.value


class Page(NamedTuple):
    """A rendered page. `dropped` counts the samples left out because the page already had one of the same series."""

    body: bytes
    dropped: int


class _Escaped(dict[str, str]):
    """Label values as they stand between the quotes, worked out once for each different value of a page."""

    def __missing__(self, value: str) -> str:
        text = self[value] = _SPECIAL.sub(_escape, value)
        return text


# Everything else may stand as it is, control characters and `\r` too: Prometheus reads them back unchanged. A lone
# surrogate is no character and has no UTF-8 form.
_SPECIAL = re.compile('[\\\\\n"\ud800-\udfff]')
_ESCAPES = {"\\": r"\\", "\n": r"\n", '"': r"\""}


def _escape(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[0], "\ufffd")


def render(families: Iterable[Family], fmt: Format) -> Page:
    """The page of `families`, in the order in which their names first come.

    Families of one name (from several accounts, say) become one block; a family without samples is left out. Where two
    samples are of the same series, the first one counts.

    Raises ValueError when two families of one name differ in type, help or label names, when two names would be one in
    OpenMetrics (a gauge `x` and a counter `x_total`), and for a counter that is not named `_total`.
    """
    openmetrics = fmt is Format.OPENMETRICS_1_0
    number = _openmetrics_number if openmetrics else _text_number
    escaped = _Escaped()
    lines: list[str] = []
    dropped = 0
    for desc, parts in _merged(families).items():
        lines.append(_head(desc, openmetrics))
        dropped += _block(desc, parts, escaped, number, lines)
    if openmetrics:
        lines.append("# EOF\n")
    return Page("".join(lines).encode(), dropped)


def compress(body: bytes) -> bytes:
    """`body` as gzip. The same body gives the same bytes: no time is written into it."""
    return gzip.compress(body, compresslevel=5, mtime=0)


def from_registry(registry: CollectorRegistry) -> list[Family]:
    """What `registry` collects now, without the `_created` samples: counters, gauges, histograms, infos.

    Raises ValueError for a metric of another type (summary, enum, …), which has no place in a `Family`.
    """
    return [_from_metric(metric) for metric in registry.collect()]


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
    """A bucket's `le`, `1.0` and never `1` in both formats: Prometheus 2 makes a series of each spelling."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _family_name(desc: Desc) -> str:
    """The name in OpenMetrics' comment lines: without a counter's `_total`."""
    return desc.name.removesuffix("_total") if desc.type == "counter" else desc.name


def _merged(families: Iterable[Family]) -> dict[Desc, list[_Samples]]:
    by_name: dict[str, Desc] = {}
    merged: dict[Desc, list[_Samples]] = {}
    for family in families:
        desc = family.desc
        if desc.type == "counter" and not desc.name.endswith("_total"):
            raise ValueError(f"counter {desc.name}: the name must end in _total")
        first = by_name.setdefault(_family_name(desc), desc)
        if first != desc:
            raise ValueError(f"two different families of one name: {first} and {desc}")
        parts = merged.setdefault(desc, [])
        if family.samples:
            parts.append(family.samples)
    return {desc: parts for desc, parts in merged.items() if parts}


def _head(desc: Desc, openmetrics: bool) -> str:
    quoted = _SPECIAL.sub(_escape, desc.help)
    if not openmetrics:
        # Here a quote stands as it is; every quote of `quoted` has its own backslash before it.
        text = quoted.replace(r"\"", '"')
        return f"# HELP {desc.name} {text}\n# TYPE {desc.name} {desc.type}\n"
    name = _family_name(desc)
    units = "".join(f"# UNIT {name} {unit}\n" for unit in _UNITS if name.endswith(f"_{unit}"))
    return f"# TYPE {name} {desc.type}\n{units}# HELP {name} {quoted}\n"


def _template(name: str, labels: tuple[str, ...]) -> str:
    pairs = ",".join(f'{label}="%s"' for label in labels)
    return f"{name}{{{pairs}}} %s\n" if pairs else f"{name} %s\n"


def _block(
    desc: Desc,
    parts: Iterable[_Samples],
    escaped: _Escaped,
    number: Callable[[float], str],
    lines: list[str],
) -> int:
    """Append the lines of one block; how many samples were left out as duplicates."""
    escape = escaped.__getitem__
    plain = _template(desc.name, desc.labels)
    bucket = _template(f"{desc.name}_bucket", (*desc.labels, "le"))
    count = _template(f"{desc.name}_count", desc.labels)
    total = _template(f"{desc.name}_sum", desc.labels)
    # Compared as they are written: two values may become one when a surrogate is replaced.
    seen: set[tuple[str, ...]] = set()
    dropped = 0
    for samples in parts:
        for values, value in samples:
            key = tuple(map(escape, values))
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


# The client library's type -> ours, and what the sample's name has behind the metric's.
_PLAIN_TYPES: dict[str, tuple[MetricType, str]] = {
    "counter": ("counter", "_total"),
    "gauge": ("gauge", ""),
    "info": ("gauge", "_info"),
}


def _from_metric(metric: Metric) -> Family:
    # A label that a sample lacks is the same to Prometheus as one with an empty value.
    labels = tuple(dict.fromkeys(label for sample in metric.samples for label in sample.labels if label != "le"))

    def values(sample_labels: dict[str, str]) -> tuple[str, ...]:
        return tuple(sample_labels.get(label, "") for label in labels)

    if metric.type in _PLAIN_TYPES:
        kind, suffix = _PLAIN_TYPES[metric.type]
        name = metric.name + suffix
        samples = [(values(sample.labels), sample.value) for sample in metric.samples if sample.name == name]
        return Family(Desc(name, kind, metric.documentation, labels), samples)
    if metric.type != "histogram":
        raise ValueError(f"{metric.name}: a metric of type {metric.type} cannot be rendered")
    buckets: dict[tuple[str, ...], list[tuple[float, float]]] = {}
    sums: dict[tuple[str, ...], float] = {}
    for sample in metric.samples:
        if sample.name == f"{metric.name}_bucket":
            buckets.setdefault(values(sample.labels), []).append((float(sample.labels["le"]), sample.value))
        elif sample.name == f"{metric.name}_sum":
            sums[values(sample.labels)] = sample.value
    return Family(
        Desc(metric.name, "histogram", metric.documentation, labels),
        [(key, HistogramValue(tuple(found), sums.get(key, math.nan))) for key, found in buckets.items()],
    )
