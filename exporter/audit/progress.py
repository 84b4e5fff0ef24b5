"""Progress of an audit, on one line of a terminal."""

import time
from collections.abc import Callable, Sequence
from typing import TextIO

from exporter.audit.models import Event
from exporter.core.progress_line import ProgressLine
from exporter.flatfile import times


class Progress(ProgressLine):
    """Counts requests, events and lines. On anything but a terminal it shows nothing.

    It is also the stream of the log, which it writes above its line.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(stream, clock)
        self._requests = 0
        self._read = 0
        self._up_to = ""
        self.written = 0

    def request(self, endpoint: str, code: str, seconds: float, wire_bytes: int) -> None:
        self._requests += 1
        self.show(self._text)

    def retry(self, endpoint: str) -> None:
        """Do nothing: a retry is another request."""

    def read(self, events: Sequence[Event]) -> None:
        """Count events that were read, some of them perhaps again."""
        self._read += len(events)

    def wrote(self, number: int, up_to: float) -> None:
        """Count lines that were written, the last of an event at `up_to` (unix seconds)."""
        self.written += number
        self._up_to = times.iso(up_to)
        self.show(self._text)

    def _text(self) -> str:
        up_to = f", up to {self._up_to}" if self._up_to else ""
        return f"{self._requests:,} requests, {self._read:,} events read, {self.written:,} written{up_to}"
