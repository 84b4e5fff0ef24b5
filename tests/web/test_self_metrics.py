"""What the client library collects of the process comes out as the library itself would write it."""

import subprocess
from collections.abc import Callable, Iterable, Iterator

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry, parser
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as openmetrics_exposition
from prometheus_client.openmetrics import parser as openmetrics_parser

from exporter.exposition.families import Desc, Family
from exporter.exposition.text import Format
from exporter.web.self_metrics import from_registry
from tests.exposition.rendered import render

Parse = Callable[[str], Iterable[Metric]]


class Recorded:
    """A collector of always the same metrics."""

    def __init__(self, *metrics: Metric) -> None:
        self.metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self.metrics


def own_metrics() -> CollectorRegistry:
    """A registry of all types in use that collects the same values each time."""
    registry = CollectorRegistry()
    prometheus_client.ProcessCollector(registry=registry)
    prometheus_client.PlatformCollector(registry=registry)
    prometheus_client.GCCollector(registry=registry)
    requests = prometheus_client.Counter("flatfile_requests_total", "Re\\quests\n.", ["account"], registry=registry)
    requests.labels('a"c\\m\ne').inc(3)
    requests.labels("").inc()
    prometheus_client.Counter("flatfile_unlabelled", "Counted.", registry=registry).inc(0.25)
    prometheus_client.Gauge("flatfile_expiry_timestamp_seconds", "Set.", registry=registry).set(1795459074.77)
    prometheus_client.Gauge("flatfile_empty", "No child yet.", ["account"], registry=registry)

    frozen = CollectorRegistry()
    frozen.register(Recorded(*registry.collect()))
    return frozen


def samples(metrics: Iterable[Metric]) -> Iterator[tuple[object, ...]]:
    for metric in metrics:
        for sample in metric.samples:
            if not sample.name.endswith("_created"):
                yield metric.name, metric.type, metric.documentation, sample.name, sample.labels, sample.value


@pytest.mark.parametrize(
    ("fmt", "write", "parse"),
    [
        (Format.TEXT_0_0_4, prometheus_client.generate_latest, parser.text_string_to_metric_families),
        (
            Format.OPENMETRICS_1_0,
            openmetrics_exposition.generate_latest,
            openmetrics_parser.text_string_to_metric_families,
        ),
    ],
    ids=["text", "openmetrics"],
)
def test_the_client_library_writes_the_same(
    fmt: Format, write: Callable[[CollectorRegistry], bytes], parse: Parse
) -> None:
    registry = own_metrics()
    theirs = list(samples(parse(write(registry).decode())))
    assert len(theirs) > 15
    assert list(samples(parse(render(from_registry(registry), fmt).body.decode()))) == theirs


def test_promtool_has_nothing_to_say_about_own_metrics() -> None:
    page = render(from_registry(own_metrics()), Format.TEXT_0_0_4).body.replace(rb"Re\\quests\n", b"Requests")
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_the_time_of_a_counters_creation_is_left_out() -> None:
    registry = CollectorRegistry()
    prometheus_client.Counter("flatfile_retries_total", "Retries.", ["account"], registry=registry).labels("a").inc()
    desc = Desc("flatfile_retries_total", "counter", "Retries.", ("account",))
    assert from_registry(registry) == [Family(desc, [(("a",), 1.0)])]


def test_a_label_that_one_sample_lacks_is_empty() -> None:
    metric = Metric("flatfile_x", "Help.", "gauge")
    metric.add_sample("flatfile_x", {"a": "1", "b": "2"}, 1)
    metric.add_sample("flatfile_x", {"b": "3"}, 2)
    registry = CollectorRegistry()
    registry.register(Recorded(metric))
    desc = Desc("flatfile_x", "gauge", "Help.", ("a", "b"))
    assert from_registry(registry) == [Family(desc, [(("1", "2"), 1), (("", "3"), 2)])]


def test_a_summary_is_an_error() -> None:
    registry = CollectorRegistry()
    prometheus_client.Summary("flatfile_x", "Help.", registry=registry)
    with pytest.raises(ValueError, match="flatfile_x: a metric of type summary"):
        from_registry(registry)
