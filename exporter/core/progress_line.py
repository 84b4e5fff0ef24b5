"""One line of a terminal that is written over again and again."""

import time
from collections.abc import Callable
from typing import TextIO

EVERY = 0.2  # seconds
CLEAR = "\r\x1b[K"


class ProgressLine:
    """The line, and a stream for messages, which are written above it. On anything but a terminal it shows nothing."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.terminal = stream.isatty()
        self._stream = stream
        self._clock = clock
        self._shown_at = -EVERY
        self._shown = False

    def show(self, text: Callable[[], str]) -> None:
        """Show a text, unless one was shown just now."""
        now = self._clock()
        if not self.terminal or now - self._shown_at < EVERY:
            return
        self._shown_at, self._shown = now, True
        self._stream.write(f"{CLEAR}{text()}")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line."""
        if self._shown:
            self._stream.write(CLEAR)
            self._stream.flush()
            self._shown = False

    def write(self, text: str) -> int:
        self.clear()
        return self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()
