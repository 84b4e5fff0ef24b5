"""Progress, on one line of a terminal that is overwritten."""

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from exporter.audit.models import Event
from exporter.flatfile import times

MIN_INTERVAL = 0.2  # seconds
CLEAR = "\r\x1b[K"


class Progress:
    """Counts requests, events and lines, and shows them on a terminal.

    It is also the stream of the log, which it writes above its line.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._clock = clock
        self._shown_at = -MIN_INTERVAL
        self._shown = False
        self._requests = 0
        self._read = 0
        self._up_to = ""
        self.written = 0

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        """Count a request."""
        self._requests += 1
        self._show()

    def retry(self, endpoint: str) -> None:
        """Do nothing: a retry is another request."""

    def read(self, events: Sequence[Event]) -> None:
        """Count events that were read, some of them perhaps again."""
        self._read += len(events)

    def wrote(self, number: int, up_to: float) -> None:
        """Count lines that were written, the last of an event at `up_to` (unix seconds)."""
        self.written += number
        self._up_to = times.iso(up_to)
        self._show()

    def _show(self) -> None:
        now = self._clock()
        if not self._terminal or now - self._shown_at < MIN_INTERVAL:
            return
        self._shown_at, self._shown = now, True
        up_to = f", up to {self._up_to}" if self._up_to else ""
        self._stream.write(
            f"{CLEAR}{self._requests:,} requests, {self._read:,} events read, {self.written:,} written{up_to}"
        )
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._stream.write(CLEAR)
            self._stream.flush()
            self._shown = False

    def write(self, text: str) -> int:
        """Write text of the log."""
        self.clear()
        return self._stream.write(text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()
