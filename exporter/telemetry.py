"""What the exporter counts of its own work for one account: requests, bytes, tries, errors."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from exporter.exposition import from_registry
from exporter.families import Family
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import REASONS, Reason


class Telemetry:
    """Counters of one account, in a registry of their own: they go when the account goes."""

    def __init__(self, account: str) -> None:
        self._account = account
        self._registry = CollectorRegistry(auto_describe=False)
        labels = ("account", "endpoint")
        self._requests = Counter(
            "flatfile_exporter_api_requests_total",
            "Requests sent to Flatfile by status; code is error where no answer came.",
            (*labels, "code"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "flatfile_exporter_api_request_duration_seconds",
            "How long Flatfile took to answer one request in full, failed ones too.",
            labels,
            registry=self._registry,
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
        )
        self._bytes = Counter(
            "flatfile_exporter_api_response_bytes_total",
            "Bytes of the bodies that Flatfile sent, as they came over the wire.",
            labels,
            registry=self._registry,
        )
        self._retries = Counter(
            "flatfile_exporter_api_retries_total",
            "Requests that were tried once more after a failure.",
            labels,
            registry=self._registry,
        )
        self._errors = Counter(
            "flatfile_exporter_collector_errors_total",
            "Failures of a collector's refreshes, by the reason.",
            ("account", "collector", "reason"),
            registry=self._registry,
        )
        for endpoint in Endpoint:
            self._retries.labels(account, str(endpoint))
            self._bytes.labels(account, str(endpoint))

    def expect(self, collector: str) -> None:
        """Start all of a collector's error counts at 0, so that a first failure shows as an increase."""
        for reason in REASONS:
            self._errors.labels(self._account, collector, reason)

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        """Count one request; `code` is the status, or `error`."""
        self._requests.labels(self._account, endpoint, code).inc()
        self._seconds.labels(self._account, endpoint).observe(seconds)
        self._bytes.labels(self._account, endpoint).inc(wire_bytes)

    def retry(self, endpoint: str) -> None:
        """Count one more try."""
        self._retries.labels(self._account, endpoint).inc()

    def error(self, collector: str, reason: Reason) -> None:
        """Count a failure of a refresh."""
        self._errors.labels(self._account, collector, reason).inc()

    def families(self) -> list[Family]:
        """Give all counts."""
        return from_registry(self._registry)
