"""A log handler that never blocks: a thread writes the lines, and lines are dropped while it cannot."""

import contextlib
import logging
import os
import queue
import select
import signal
import threading

MAX_LINES = 1000
FLUSH_TIMEOUT = 0.5  # seconds

_Item = bytes | threading.Event | None


class BackgroundHandler(logging.Handler):
    """Writes lines to a file descriptor from a thread of its own.

    Up to 1,000 lines wait; further ones are dropped, and counted in a line that is written when the descriptor takes lines
    again. Raises RuntimeError where no thread can be started.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._queue: queue.Queue[_Item] = queue.Queue(MAX_LINES)
        self._dropped = 0
        threading.Thread(target=self._run, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record on to the thread."""
        try:
            self._queue.put_nowait(self._line(record))
        except Exception:  # noqa: BLE001 - a full queue, no memory: whatever it is, there is no log to tell it
            self._dropped += 1

    def flush(self) -> None:
        """Wait until the lines so far are written, at most 0.5 s."""
        written = threading.Event()
        with contextlib.suppress(queue.Full, RuntimeError):
            self._queue.put_nowait(written)
            written.wait(FLUSH_TIMEOUT)

    def close(self) -> None:
        """End the thread."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(None)
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        return f"{self.format(record)}\n".encode(errors="backslashreplace")

    def _run(self) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())  # they are for other threads
        while (item := self._queue.get()) is not None:
            if isinstance(item, threading.Event):
                item.set()
            elif self._write(item) and self._dropped:
                dropped, self._dropped = self._dropped, 0
                record = logging.makeLogRecord({"levelno": logging.WARNING, "filename": "log_writer.py"})
                record.msg = "log lines dropped: standard error was blocked"
                record.fields = {"lines": dropped}
                self._write(self._line(record))

    def _write(self, line: bytes) -> bool:
        """Write a line, however long that takes. Return whether it is written."""
        while line:
            try:
                line = line[os.write(self._descriptor, line) :]
            except BlockingIOError:
                select.select([], [self._descriptor], [], 1.0)
            except OSError:  # the reader has gone, or the disk is full
                self._dropped += 1
                return False
        return True
