"""The time in which a scrape must be answered. Pure."""

import re

DEFAULT_TIMEOUT = 10.0
"""Seconds for a scrape that does not say how long it waits: Prometheus' own default."""

LONGEST_TIMEOUT = 300.0

_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+")


def scrape_timeout(header: str | None, offset: float) -> float:
    """Seconds from now in which the answer must be sent.

    `header` is X-Prometheus-Scrape-Timeout-Seconds: after that time Prometheus hangs up. `offset` seconds are kept
    for the way back, but never more than a tenth of the header's value. Without a header, or with one that is not a
    number above 0, the answer is 10 s; it is never more than 300 s.
    """
    text = (header or "").strip()
    if not _SECONDS.fullmatch(text):
        return DEFAULT_TIMEOUT
    timeout = float(text)
    if not 0 < timeout < float("inf"):
        return DEFAULT_TIMEOUT
    return min(timeout - min(offset, timeout / 10), LONGEST_TIMEOUT)
