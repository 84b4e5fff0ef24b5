"""Metrics of one account's API requests: requests, durations, bytes, retries, errors."""

import math
from bisect import bisect_left
from collections import Counter, defaultdict

from exporter.exposition.families import Desc, Family, HistogramValue
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import REASONS, Reason

_LABELS = ("account", "endpoint")
REQUESTS = Desc(
    "flatfile_exporter_api_requests_total",
    "counter",
    "API requests sent, by status; code is error where no response came.",
    (*_LABELS, "code"),
)
SECONDS = Desc(
    "flatfile_exporter_api_request_duration_seconds",
    "histogram",
    "How long one API request took until the response was complete, failed ones included, in seconds.",
    _LABELS,
)
BYTES = Desc(
    "flatfile_exporter_api_response_bytes_total",
    "counter",
    "Bytes of API response bodies as received, compressed ones as they are.",
    _LABELS,
)
RETRIES = Desc(
    "flatfile_exporter_api_retries_total",
    "counter",
    "API requests that were retried after a failure.",
    _LABELS,
)
ERRORS = Desc(
    "flatfile_exporter_collector_errors_total",
    "counter",
    "Errors of a collector's refreshes, by reason.",
    ("account", "collector", "reason"),
)
BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, math.inf)  # seconds


class ApiMetrics:
    """Counters of one account.

    `sent` and `failed` change whenever the families of requests, or of errors, do. There may be hundreds of accounts, so
    these are plain numbers and not objects of the client library.
    """

    def __init__(self, account: str) -> None:
        self.sent = 0
        self.failed = 0
        self._account = account
        self._requests: Counter[tuple[str, str]] = Counter()
        self._seconds: defaultdict[str, tuple[tuple[int, ...], float]] = defaultdict(lambda: ((0,) * len(BOUNDS), 0.0))
        self._bytes = {str(endpoint): 0 for endpoint in Endpoint}
        self._retries = {str(endpoint): 0 for endpoint in Endpoint}
        self._errors: dict[str, list[int]] = {}  # of a collector, as REASONS

    def expect(self, collector: str) -> None:
        """Initialise a collector's error counts at 0, so that a first failure shows as an increase."""
        self._errors[collector] = [0] * len(REASONS)

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        """Count one request; `code` is the status, or `error`."""
        self._requests[endpoint, code] += 1
        numbers, total = self._seconds[endpoint]
        first = bisect_left(BOUNDS, seconds)
        # a new tuple: whoever reads this one in another thread has numbers that belong together
        self._seconds[endpoint] = (
            tuple(number + (i >= first) for i, number in enumerate(numbers)),
            total + seconds,
        )
        self._bytes[endpoint] += wire_bytes
        self.sent += 1

    def retry(self, endpoint: str) -> None:
        self._retries[endpoint] += 1
        self.sent += 1

    def error(self, collector: str, reason: Reason) -> None:
        self._errors[collector][REASONS.index(reason)] += 1
        self.failed += 1

    def requests(self) -> list[Family]:
        account = self._account
        return [
            Family(REQUESTS, [((account, *key), number) for key, number in [*self._requests.items()]]),
            Family(
                SECONDS,
                [
                    ((account, endpoint), HistogramValue(tuple(zip(BOUNDS, numbers, strict=True)), total))
                    for endpoint, (numbers, total) in [*self._seconds.items()]
                ],
            ),
            Family(BYTES, [((account, endpoint), number) for endpoint, number in self._bytes.items()]),
            Family(RETRIES, [((account, endpoint), number) for endpoint, number in self._retries.items()]),
        ]

    def errors(self) -> list[Family]:
        samples = [
            ((self._account, collector, reason), number)
            for collector, numbers in self._errors.items()
            for reason, number in zip(REASONS, numbers, strict=True)
        ]
        return [Family(ERRORS, samples)]

    def families(self) -> list[Family]:
        """Return all families."""
        return [*self.requests(), *self.errors()]
