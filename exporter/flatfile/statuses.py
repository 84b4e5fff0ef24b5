"""The meaning of an answer's status and headers. Pure."""

import re
from enum import IntEnum

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
from exporter.flatfile.times import http_date
from exporter.flatfile.transport import Answer

UNNAMED_PAUSE = 2.0  # seconds to pause for a 429 that does not say how long
MAX_PAUSE = 900.0  # seconds that a `Retry-After` is believed at the most

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")

_BY_STATUS: dict[int, type[FlatfileError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    408: Timeout,
    429: RateLimited,
}


def failure(answer: Answer, endpoint: str, now: float) -> FlatfileError | None:
    """Return the error that a status means, `None` for 2xx but 206, which is not the whole answer.

    A redirect is an error: the bearer goes to one host only. A 403 that says when to ask again is a rate limit. `now` is the
    server's time (unix seconds).
    """
    status = answer.status
    if 200 <= status < 300 and status != 206:
        return None
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else BadResponse)
    if status == 403 and pause(answer, now) is not None:
        kind = RateLimited
    return kind(f"status {status}", endpoint=endpoint, status=status)


def pause(answer: Answer, now: float) -> float | None:
    """Return seconds to wait before asking again, where an error asks for that, whatever its status."""
    if answer.status < 300:
        return None
    own = http_date(answer.headers.get("date"))  # of the clock that a date in the answer was made with
    after = retry_after(answer.headers.get("retry-after"), now if own is None else own)
    return UNNAMED_PAUSE if after is None and answer.status == 429 else after


class PathCheck(IntEnum):
    """Whether an answer comes from the API, or from a path that the API does not have."""

    WRONG = 0
    DOUBTFUL = 1
    RIGHT = 2


def check_path(answer: Answer) -> PathCheck:
    """Tell from an answer whether its path is one of the API's.

    404, 405, a redirect or a web page come from somewhere else. So may any other refusal that is not JSON. A rate limit, a
    timeout or a failing server say nothing against the path.
    """
    status = answer.status
    if status >= 500 or status in (408, 429):
        return PathCheck.RIGHT
    if status in (404, 405) or 300 <= status < 400 or answer.is_html:
        return PathCheck.WRONG
    return PathCheck.RIGHT if answer.is_json else PathCheck.DOUBTFUL


def other_prefix(base: str) -> str | None:
    """The same host with the other of the two path prefixes that the API is documented under."""
    if base.endswith("/api/v1"):
        return base.removesuffix("/api/v1") + "/v1"
    if base.endswith("/v1"):
        return base.removesuffix("/v1") + "/api/v1"
    return None


def retry_after(text: str | None, now: float) -> float | None:
    """Read `Retry-After`, seconds or a date, as seconds from `now`; at most MAX_PAUSE, `None` where it says nothing."""
    if text is None:
        return None
    text = text.strip()
    seconds: float | None
    if _SECONDS.fullmatch(text):
        seconds = float(text)
    else:
        date = http_date(text)
        seconds = None if date is None else date - now
    return None if seconds is None else min(max(seconds, 0.0), MAX_PAUSE)
