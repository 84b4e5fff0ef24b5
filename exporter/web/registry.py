"""What the client library's own collectors tell of the process, Python and its garbage collection, as families."""

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric

from exporter.exposition.families import Desc, Family, MetricType

# The client library's type -> ours, and what the sample's name has behind the metric's.
_TYPES: dict[str, tuple[MetricType, str]] = {"counter": ("counter", "_total"), "gauge": ("gauge", "")}


def from_registry(registry: CollectorRegistry) -> list[Family]:
    """What `registry` collects now, without the `_created` samples: counters and gauges.

    Raises ValueError for a metric of another type, which none of these collectors has.
    """
    return [_from_metric(metric) for metric in registry.collect()]


def _from_metric(metric: Metric) -> Family:
    if metric.type not in _TYPES:
        raise ValueError(f"{metric.name}: a metric of type {metric.type} cannot be rendered")
    kind, suffix = _TYPES[metric.type]
    name = metric.name + suffix
    # A label that a sample lacks is the same to Prometheus as one with an empty value.
    labels = tuple(dict.fromkeys(label for sample in metric.samples for label in sample.labels))
    samples = [
        (tuple(sample.labels.get(label, "") for label in labels), sample.value)
        for sample in metric.samples
        if sample.name == name
    ]
    return Family(Desc(name, kind, metric.documentation, labels), samples)
