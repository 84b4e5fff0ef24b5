"""What an answer's status and headers say, before its body is looked at. Pure."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from exporter.flatfile.errors import (
    BadResponse,
    FlatfileError,
    Forbidden,
    NotFound,
    RateLimited,
    ServerError,
    Timeout,
    Unauthorized,
)
from exporter.flatfile.transport import Answer

UNNAMED_PAUSE = 2.0  # seconds to pause for a 429 that does not say how long
LONGEST_PAUSE = 900.0  # seconds that a `Retry-After` is believed at the most
LEAST_DATE = 946684800.0  # 2000-01-01: older than any answer of this API

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")

_BY_STATUS: dict[int, type[FlatfileError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Timeout,
    429: RateLimited,
}


def failure(answer: Answer, endpoint: str) -> FlatfileError | None:
    """Give the error that a status means, `None` for 2xx. A redirect is an error: the bearer goes to one host only."""
    status = answer.status
    if 200 <= status < 300:
        return None
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else BadResponse)
    return kind(f"status {status}", endpoint=endpoint, status=status)


def pause(answer: Answer, now: float) -> float | None:
    """Seconds to wait before asking again, where the answer asks for that; `now` is the server's time (unix seconds)."""
    if answer.status not in (429, 503):
        return None
    after = retry_after(answer.headers.get("retry-after"), now)
    return UNNAMED_PAUSE if after is None and answer.status == 429 else after


def wrong_place(answer: Answer) -> bool:
    """Whether the answer is one that a path which the API does not have would give."""
    return answer.status == 404 or (answer.status < 300 and answer.is_html)


def other_prefix(base: str) -> str | None:
    """The same host with the other of the two path prefixes that the API is documented under."""
    if base.endswith("/api/v1"):
        return base.removesuffix("/api/v1") + "/v1"
    if base.endswith("/v1"):
        return base.removesuffix("/v1") + "/api/v1"
    return None


def http_date(text: str | None) -> float | None:
    """Read an HTTP date as unix seconds; one without a zone is UTC, as all of them are. `None` where it is no date, or absurd."""
    try:
        moment = parsedate_to_datetime(text) if text else None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() if moment else None
    except (ValueError, OverflowError):
        return None
    return seconds if seconds is not None and seconds >= LEAST_DATE else None


def retry_after(text: str | None, now: float) -> float | None:
    """Read `Retry-After`, seconds or a date, as seconds from `now`; at most LONGEST_PAUSE, `None` where it says nothing."""
    if text is None:
        return None
    text = text.strip()
    seconds: float | None
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        date = http_date(text)
        seconds = None if date is None else date - now
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_PAUSE)
