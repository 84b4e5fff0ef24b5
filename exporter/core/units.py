"""Durations (`1h30m`) and sizes (`64MiB`): text to number and back.

`parse_*` raise ValueError with a text for the user, which proposes what to write where that can be guessed.
`format_*` give the one canonical text of a value; parsing that gives the value again.
"""

import re
from collections.abc import Mapping
from fractions import Fraction

_DURATION_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION_WORDS = {
    **dict.fromkeys(("week", "weeks"), "w"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("hour", "hours", "hr", "hrs"), "h"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "m"),
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "s"),
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "msecs", "millis"), "ms"),
    **{unit: unit for unit in _DURATION_MS},
}
_SIZE_BYTES = {
    "TiB": 2**40,
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "kB": 10**3,
    "B": 1,
}
_SIZE_WORDS = {
    **dict.fromkeys(("t", "ti"), "TiB"),
    **dict.fromkeys(("g", "gi"), "GiB"),
    **dict.fromkeys(("m", "mi"), "MiB"),
    **dict.fromkeys(("k", "ki"), "KiB"),
    **dict.fromkeys(("byte", "bytes"), "B"),
    **{unit.lower(): unit for unit in _SIZE_BYTES},
}

_DURATION = re.compile(r"(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_SIZE = re.compile(r"(\d+)(TiB|GiB|MiB|KiB|TB|GB|MB|kB|KB|B)?", re.ASCII)
_LOOSE_PART = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z]+)", re.ASCII)
_MAX_TEXT = 30

MAX_DURATION = 36_500 * 86_400.0
"""Seconds: a hundred years. What is longer is a slip, and would not fit into a date."""
MAX_SIZE = 2**50
"""Bytes."""


def parse_duration(text: str) -> float:
    """Seconds of `500ms`, `30s`, `1h30m`, `2w`: whole numbers, large units first. `0` needs no unit."""
    if text == "0":
        return 0.0
    if len(text) > _MAX_TEXT:
        raise ValueError("is too long for a duration")
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        raise ValueError(f"is not a duration: {_propose_duration(text)}")
    total = sum(int(part) * ms for part, ms in zip(found.groups(), _DURATION_MS.values(), strict=True) if part)
    seconds = total / 1000
    if seconds > MAX_DURATION:
        raise ValueError(f"is longer than {format_duration(MAX_DURATION)}")
    return seconds


def format_duration(seconds: float) -> str:
    """The canonical text, to the millisecond: `30d`, `1h30m`, `1s500ms`, `0s`. Weeks are written as days."""
    rest = round(seconds * 1000)
    parts = []
    for unit, ms in _DURATION_MS.items():
        if unit != "w":
            count, rest = divmod(rest, ms)
            if count:
                parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """Bytes of `64MiB`, `10MB`, `512KiB`, or of a bare number. `KiB` is 1024 bytes, `kB` (and `KB`) 1000."""
    if len(text) > _MAX_TEXT:
        raise ValueError("is too long for a size")
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"is not a size: {_propose_size(text)}")
    count, unit = found.groups()
    size = int(count) * _SIZE_BYTES["kB" if unit == "KB" else unit or "B"]
    if size > MAX_SIZE:
        raise ValueError(f"is larger than {format_size(MAX_SIZE)}")
    return size


def format_size(size: int) -> str:
    """The canonical text: the shortest one that needs no fraction, binary units before decimal ones."""
    texts = [f"{size // count}{unit}" for unit, count in _SIZE_BYTES.items() if size % count == 0 and unit != "B"]
    return min(texts, key=len) if texts and size else str(size)


def _propose_duration(text: str) -> str:
    if text.isdecimal():
        return f"a unit is missing, write {text}s for seconds"
    total = _loose_sum(text, _DURATION_WORDS, _DURATION_MS)
    if total is None or total > MAX_DURATION * 1000:
        return _EXAMPLES
    return f"write {format_duration(total / 1000)}"


def _propose_size(text: str) -> str:
    total = _loose_sum(text, _SIZE_WORDS, _SIZE_BYTES)
    if total is None or total > MAX_SIZE:
        return "write a whole number with a unit, such as 64MiB or 512KiB"
    return f"write {format_size(total)}"


_EXAMPLES = "write whole numbers with units, such as 500ms, 30s, 5m, 1h30m, 90d or 2w"


def _loose_sum(text: str, words: Mapping[str, str], factors: Mapping[str, int]) -> int | None:
    """What `1.5h`, `5 Min` or `30m1h` probably mean; None when that is no whole number of the least unit."""
    text = text.strip().lower()
    parts = _LOOSE_PART.findall(text)
    if not parts or _LOOSE_PART.sub("", text).strip():
        return None
    total = Fraction(0)
    for number, word in parts:
        unit = words.get(word)
        if unit is None:
            return None
        total += Fraction(number.replace(",", ".")) * factors[unit]
    return int(total) if total.denominator == 1 and total > 0 else None
