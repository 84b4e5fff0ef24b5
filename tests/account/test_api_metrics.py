"""An account's counters: as the client library would count, and changed when they say so."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from exporter.account.api_metrics import BOUNDS, BYTES, ERRORS, REQUESTS, RETRIES, SECONDS, ApiMetrics
from exporter.exposition.text import Format
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import REASONS
from tests.exposition.rendered import render

SPACES, USERS = str(Endpoint.SPACES), str(Endpoint.USERS)
SENT = [(SPACES, "200", 0.25, 512), (SPACES, "200", 0.2500001, 1), (SPACES, "error", 31.0, 0), (USERS, "500", 0.0, 9)]


def test_requests_are_counted_as_the_client_library_counts_them() -> None:
    api_metrics, registry = ApiMetrics("acme"), CollectorRegistry()
    requests = Counter(REQUESTS.name, REQUESTS.help, REQUESTS.labels, registry=registry)
    seconds = Histogram(SECONDS.name, SECONDS.help, SECONDS.labels, registry=registry, buckets=BOUNDS)
    received = Counter(BYTES.name, BYTES.help, BYTES.labels, registry=registry)
    retries = Counter(RETRIES.name, RETRIES.help, RETRIES.labels, registry=registry)
    for endpoint in map(str, Endpoint):
        received.labels("acme", endpoint)
        retries.labels("acme", endpoint)
    for endpoint, code, took, wire_bytes in SENT:
        api_metrics.request(endpoint, code, took, wire_bytes)
        requests.labels("acme", endpoint, code).inc()
        seconds.labels("acme", endpoint).observe(took)
        received.labels("acme", endpoint).inc(wire_bytes)
    api_metrics.retry(USERS)
    retries.labels("acme", USERS).inc()
    ours = render(api_metrics.requests(), Format.TEXT_0_0_4).body
    assert samples(ours) == samples(generate_latest(registry))


def samples(page: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_errors_start_at_0_for_each_reason() -> None:
    api_metrics = ApiMetrics("acme")
    api_metrics.expect("spaces")
    api_metrics.error("spaces", "timeout")
    (errors,) = api_metrics.errors()
    assert errors.desc == ERRORS
    assert dict(errors.samples) == {("acme", "spaces", reason): int(reason == "timeout") for reason in REASONS}


def test_what_changed_is_told() -> None:
    api_metrics = ApiMetrics("acme")
    api_metrics.expect("spaces")
    seen = [(api_metrics.sent, api_metrics.failed)]
    api_metrics.request(SPACES, "200", 1.0, 1)
    seen.append((api_metrics.sent, api_metrics.failed))
    api_metrics.retry(SPACES)
    seen.append((api_metrics.sent, api_metrics.failed))
    api_metrics.error("spaces", "timeout")
    seen.append((api_metrics.sent, api_metrics.failed))
    assert seen == [(0, 0), (1, 0), (2, 0), (2, 1)]


def test_numbers_that_were_given_out_do_not_change() -> None:
    api_metrics = ApiMetrics("acme")
    api_metrics.request(SPACES, "200", 1.0, 1)
    given = api_metrics.requests()
    before = render(given, Format.TEXT_0_0_4)
    api_metrics.request(SPACES, "200", 1.0, 1)
    assert render(given, Format.TEXT_0_0_4) == before
