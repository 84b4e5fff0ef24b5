"""Flatfile's times, as unix seconds."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

MIN_TIME = 946684800.0  # 2000-01-01: older than the API; a zero date means "never"
MIN_MILLISECONDS = 1e11  # a larger number cannot be seconds: that would be the year 5138


def unix(value: str | float | None) -> float | None:
    """Read a time as unix seconds: ISO 8601 (with or without fraction, offset or time of day), or a number of seconds or
    milliseconds.

    Without an offset the time is UTC, as all times of the API are; a plain date is its midnight. `None` where there is no
    time, where it cannot be read, or where it is before MIN_TIME: it is not known.
    """
    if not value:
        return None
    try:
        if isinstance(value, str):
            seconds = _timestamp(datetime.fromisoformat(value))
        else:
            seconds = value / 1000 if value >= MIN_MILLISECONDS else float(value)
    except (ValueError, OverflowError):
        return None
    return seconds if MIN_TIME <= seconds < float("inf") else None


def is_set(value: str | float | None) -> bool:
    """Whether there is a time, be it one that cannot be read. A zero date is none."""
    if isinstance(value, str) and unix(value) is None:
        try:
            datetime.fromisoformat(value)
        except ValueError:
            return bool(value)
        return False
    return unix(value) is not None


def http_date(text: str | None) -> float | None:
    """Read an HTTP date as unix seconds; one without a zone is UTC, as all of them are. `None` as in `unix`."""
    try:
        seconds = _timestamp(parsedate_to_datetime(text)) if text else None
    except (ValueError, OverflowError):
        return None
    return seconds if seconds is not None and seconds >= MIN_TIME else None


def iso(seconds: float) -> str:
    """Write unix seconds as the API's clients write times: UTC with milliseconds (rounded down) and `Z`."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _timestamp(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
