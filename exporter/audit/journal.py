"""Writes lines to the output and keeps the state in step with them. Blocks: everything here runs on one worker's thread."""

import logging
import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from functools import partial
from select import PIPE_BUF
from typing import ParamSpec, TypeVar

from exporter.audit.line import Format
from exporter.audit.log_file import Disk, LogFile
from exporter.audit.state import AuditError, Found, Positions, State
from exporter.core.logs import fields
from exporter.core.worker import Worker

log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")


class StandardOutput:
    """A file descriptor. Nobody can know what its reader has processed.

    Up to PIPE_BUF bytes enter a pipe as a whole or not at all, so a process that has to exit while nobody reads ends after
    a whole line, unless that line is longer.
    """

    is_removed = False
    end: str | None = None

    def __init__(self, file: int, header: bytes, disk: Disk) -> None:
        self._file = file
        self._header = header
        self._disk = disk

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines; returns when the reader has taken them. Raises OSError."""
        part, self._header = self._header, b""
        for line in lines:
            if part and len(part) + len(line) > PIPE_BUF:
                self._disk.write_all(self._file, part)
                part = b""
            part += line
        self._disk.write_all(self._file, part)

    def recover(self, end: str | None) -> Iterator[bytes]:
        """Yield nothing."""
        return iter(())

    def successor(self) -> None:
        """Return nothing."""

    def close(self) -> None:
        """Do nothing."""


Output = LogFile | StandardOutput


class Journal:
    """Writes lines, then saves the state.

    Lines after the saved end were written before a crash: the next start learns their ids. So a file has each event once,
    whenever the process ends. While the state cannot be saved, nothing more is written. Methods raise AuditError and OSError
    where lines cannot be written, sqlite3.Error where the state cannot be saved.
    """

    def __init__(self, state: State, output: Output, lines: Format, worker: Worker) -> None:
        self.state = state
        self._output: Output = output
        self._lines = lines
        self._worker = worker
        self._unsaved: Callable[[], None] | None = None
        self._was_renamed = False

    async def run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Run a method of this or of the state on the worker's thread. What has begun is finished, also when cancelled."""
        return await self._worker.run(work, *args, **named)

    def recover(self) -> None:
        """Note what the output holds beyond the state."""

        def written() -> Iterator[tuple[str, str, str, float]]:
            for text in self._output.recover(self.state.output_end):
                event = self._lines.decode(text)
                if event is not None and event.at is not None:
                    yield event.account, event.environment_id or "", event.event_id, event.at

        self.state.recover(written(), lambda: self._output.end)

    def positions(self, account: str) -> Positions:
        """Return how far an account was read."""
        self._save()
        return self.state.positions(account)

    def write(
        self, account: str, events: Sequence[Found], lines: Sequence[bytes], environments: Collection[str], to: float
    ) -> None:
        """Write the lines of these events; with them the environments are written up to `to`."""
        self._save()
        if lines:
            self._append(lines)
        save = partial(self.state.save, account, events, environments, to)
        self._unsaved = lambda: save(self._output.end)
        self._save()

    def reopen(self) -> None:
        """Continue in a new file, as the output was renamed; later, where that fails now."""
        self._was_renamed = True
        try:
            self._save()
            self._switch()
        except (AuditError, OSError, sqlite3.Error) as error:
            log.warning("the output could not be reopened: continuing in the old file", extra=fields(error=error))

    def close(self) -> None:
        self._output.close()

    def _append(self, lines: Sequence[bytes]) -> None:
        if self._was_renamed:
            with suppress(AuditError, OSError, sqlite3.Error):  # logged when it failed first
                self._switch()
        self._output.append(lines)
        while self._output.is_removed:
            log.warning("the output was removed: continuing in a new file")
            self._switch()
            self._output.append(lines)

    def _switch(self) -> None:
        """Continue in the file that has the name now, once the state knows it."""
        new = self._output.successor()
        if new is not None:
            try:
                self.state.recover((), lambda: new.end)
            except BaseException:
                new.close()
                raise
            self._output.close()
            self._output = new
        if self._was_renamed:
            self._was_renamed = False
            log.info("the output was reopened")

    def _save(self) -> None:
        if self._unsaved is not None:
            self._unsaved()
            self._unsaved = None
