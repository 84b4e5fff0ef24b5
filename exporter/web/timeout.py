"""The time in which a scrape must be answered."""

import re

TIMEOUT_HEADER = "X-Prometheus-Scrape-Timeout-Seconds"

DEFAULT_TIMEOUT = 10.0
"""Seconds for a scrape without the header: Prometheus' own default."""

MAX_TIMEOUT = 300.0

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+")


def scrape_timeout(header: str | None, offset: float) -> float:
    """Return the seconds in which the response must be sent.

    `header` is X-Prometheus-Scrape-Timeout-Seconds, after which Prometheus closes the connection. `offset` seconds are kept
    for the way back, but never more than a tenth of the header's value. Without a header, or with one that is not a
    number above 0, the timeout is 10 s; it is never more than 300 s.
    """
    text = (header or "").strip()
    if not _SECONDS.fullmatch(text):
        return DEFAULT_TIMEOUT
    timeout = float(text)
    if not 0 < timeout < float("inf"):
        return DEFAULT_TIMEOUT
    return min(timeout - min(offset, timeout / 10), MAX_TIMEOUT)
