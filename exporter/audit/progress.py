"""How far it has come, on one line of a terminal that is written over again and again."""

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from exporter.audit.models import Event
from exporter.flatfile import times

EVERY = 0.2  # seconds
CLEAR = "\r\x1b[K"


class Progress:
    """Counts what is read and written. On anything but a terminal it shows nothing.

    It is also the stream of the log, which it writes above its line, and it is told of each request.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._clock = clock
        self._shown_at = -EVERY
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
        """A retry is another request."""

    def read(self, events: Sequence[Event]) -> None:
        """Count events that came, some of them perhaps once more."""
        self._read += len(events)

    def wrote(self, number: int, up_to: float) -> None:
        """Count lines, the last of them of an event at `up_to` (unix seconds)."""
        self.written += number
        self._up_to = times.iso(up_to)
        self._show()

    def _show(self) -> None:
        now = self._clock()
        if not self._terminal or now - self._shown_at < EVERY:
            return
        self._shown_at, self._shown = now, True
        up_to = f", up to {self._up_to}" if self._up_to else ""
        self._stream.write(
            f"{CLEAR}{self._requests:,} requests, {self._read:,} events read, {self.written:,} written{up_to}"
        )
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            self._stream.write(CLEAR)
            self._stream.flush()
            self._shown = False

    def write(self, text: str) -> int:
        """Write text of the log."""
        self.clear()
        return self._stream.write(text)

    def flush(self) -> None:
        """Let the text out."""
        self._stream.flush()
