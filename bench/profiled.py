"""The exporter in a process that is profiled from its start, or from SIGUSR1, until SIGUSR2: then the profile is written."""

import cProfile
import os
import runpy
import signal
import time
from pathlib import Path

FILE = "BENCH_PROFILE"
"""Environment variable: where to write it."""
AT_START = "BENCH_PROFILE_AT_START"
"""Environment variable: whether it begins with the imports."""


def main() -> None:
    """Run the exporter's command line."""
    profile = cProfile.Profile(time.thread_time)  # of the main thread alone, and not of others on the machine

    def write(*_: object) -> None:
        profile.disable()
        unfinished = Path(os.environ[FILE]).with_suffix(".new")
        profile.dump_stats(unfinished)
        unfinished.replace(os.environ[FILE])

    signal.signal(signal.SIGUSR1, lambda *_: profile.enable())
    signal.signal(signal.SIGUSR2, write)
    if os.environ.get(AT_START):
        profile.enable()
    runpy.run_module("exporter", run_name="__main__", alter_sys=True)  # what it takes to import is a part of the start


if __name__ == "__main__":
    main()
