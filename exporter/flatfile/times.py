"""Flatfile's times, as unix seconds."""

from datetime import UTC, datetime


def unix(text: str | None) -> float | None:
    """Read an ISO 8601 time (with or without fraction, offset or time of day) as unix seconds.

    Without an offset the time is UTC, as all times of the API are; a plain date is its midnight. `None` where there is
    no time or the text is none: a time that cannot be read is not known.
    """
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def iso(seconds: float) -> str:
    """Write unix seconds as the API's clients write times: UTC with milliseconds (rounded down) and `Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
