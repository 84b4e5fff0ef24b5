"""Runs every benchmark, one after the other."""

import os
import platform

from bench import accounts, exposition, memory, requests, scrape, startup
from exporter import __version__


def main() -> None:
    """Print where this runs, and all figures."""
    print(f"flatfile-exporter {__version__}, Python {platform.python_version()}, {os.cpu_count()} CPUs\n")
    for benchmark in (startup, memory, exposition, requests, scrape, accounts):
        benchmark.main([])


if __name__ == "__main__":
    main()
