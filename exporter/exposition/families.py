"""Metric families as plain data: what collectors hand on and `exposition` writes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

MetricType = Literal["gauge", "counter", "histogram"]


@dataclass(frozen=True, slots=True)
class Desc:
    """What a family is, apart from its values.

    `name` is the name of the samples in the text format: a counter's ends in `_total`. `labels` are the label names
    in the order of each sample's label values (without `le` for a histogram).
    """

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HistogramValue:
    """One histogram: `buckets` are (upper bound, cumulative count) in ascending order, the last one `inf`."""

    buckets: tuple[tuple[float, float], ...]
    sum: float


Sample = tuple[tuple[str, ...], float | HistogramValue]


@dataclass(slots=True)
class Family:
    """Samples of one family: (label values, value), each combination of label values at most once."""

    desc: Desc
    samples: Sequence[Sample] = field(default_factory=list)
