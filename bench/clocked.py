"""The exporter in a process whose clocks are ahead by what a file says, so that an hour takes a moment."""

import mmap
import os
import runpy
import struct
import time
from collections.abc import Callable
from pathlib import Path

FILE = "BENCH_AHEAD"
"""Environment variable: the file."""


class Ahead:
    """The seconds in a file, shared by processes. It is made where there is none."""

    def __init__(self, path: str | Path) -> None:
        with Path(path).open("ab") as file:
            if not file.tell():
                file.write(bytes(8))
        with Path(path).open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    @property
    def seconds(self) -> float:
        """How far clocks are ahead."""
        value: float = struct.unpack_from("d", self._memory)[0]
        return value

    def add(self, seconds: float) -> None:
        """Set the clocks on."""
        struct.pack_into("d", self._memory, 0, self.seconds + seconds)

    def clock(self, clock: Callable[[], float]) -> Callable[[], float]:
        """Return a clock that is so far ahead of another."""
        return lambda: clock() + self.seconds


if __name__ == "__main__":
    ahead = Ahead(os.environ[FILE])
    time.time, time.monotonic = ahead.clock(time.time), ahead.clock(time.monotonic)
    runpy.run_module("exporter", run_name="__main__", alter_sys=True)
