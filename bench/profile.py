"""Where the exporter's CPU time goes: at its start, and in the steady scrape of a large account."""

import argparse
import os
import pstats
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from bench import profiled
from bench.exporting import configuration, exporting
from bench.simulated import CLIENT_ID, SECRET, Size, simulated
from bench.table import show

PARTS = (
    ("exporter/collectors", "collectors: rows into counts"),
    ("exporter/flatfile", "the API's client: limits, retries, pages, times"),
    ("exporter/", "the rest of the exporter: deadlines, pages of metrics"),
    ("httpx", "httpx and httpcore: requests"),
    ("httpcore", "httpx and httpcore: requests"),
    ("h11", "h11: HTTP on both sides"),
    ("uvicorn", "uvicorn and starlette: scrapes"),
    ("starlette", "uvicorn and starlette: scrapes"),
    ("anyio", "anyio: under httpx"),
    ("asyncio", "asyncio and sockets"),
    ("selectors", "asyncio and sockets"),
    ("<frozen importlib", "finding and loading modules"),
    ("msgspec", "msgspec: JSON"),
)
BUILTINS = (
    ("msgspec", "msgspec: JSON"),
    ("select.epoll", ""),  # waiting
    ("_socket", "asyncio and sockets"),
    ("marshal", "finding and loading modules"),
    ("io.open_code", "finding and loading modules"),
    ("posix.stat", "finding and loading modules"),
    ("_imp", "finding and loading modules"),
    ("ssl", "TLS: the list of authorities"),
    ("zlib", "zlib: packing and unpacking"),
)
REST = "Python's library and builtins"


def main(arguments: Sequence[str] | None = None) -> None:
    """Profile a start with its first scrape, and some warm scrapes; print the share of each part."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--spaces", type=int, default=4000)
    parser.add_argument("--scrapes", type=int, default=40, help="warm scrapes to profile (default: 40)")
    parser.add_argument("--functions", type=int, default=12, help="functions to name of each (default: 12)")
    flags = parser.parse_args(arguments)
    size = Size(6, flags.spaces, flags.spaces * 9 // 4)
    names = ("environments", "spaces", "agents", "users", "guests", "events", "executions", "jobs")
    intervals = ", ".join(f"{name}: {{interval: 0s}}" for name in names)
    with simulated(size, 0.0) as api, tempfile.TemporaryDirectory() as folder:
        config, file = Path(folder, "config.yaml"), Path(folder, "stats")
        more = f"collectors: {{{intervals}}}\nrequests: {{per_second: 10000}}\n"
        config.write_text(configuration(api.base_url, CLIENT_ID, SECRET, more))
        env = {profiled.FILE: str(file), profiled.AT_START: "1"}
        with exporting("serve", f"--config.file={config}", program="profiled", env=env) as exporter:
            exporter.until_answered("/-/healthy")
            os.kill(exporter.process.pid, signal.SIGUSR2)
            _show("The start, to the first 200 of /-/healthy", _stats(file), 1, flags.functions)
        del env[profiled.AT_START]
        with exporting("serve", f"--config.file={config}", program="profiled", env=env) as exporter:
            exporter.until_answered("/-/healthy")
            while b"flatfile_guests{" not in exporter.get():
                time.sleep(1)
            exporter.get()
            os.kill(exporter.process.pid, signal.SIGUSR1)
            for _ in range(flags.scrapes):
                api.work(10)
                exporter.get()
            os.kill(exporter.process.pid, signal.SIGUSR2)
            _show(f"A warm scrape, {size}", _stats(file), flags.scrapes, flags.functions)


def _stats(file: Path) -> pstats.Stats:
    until = time.monotonic() + 30
    while not file.exists():
        if time.monotonic() > until:
            raise RuntimeError("no profile was written")
        time.sleep(0.01)
    stats = pstats.Stats(str(file))
    file.unlink()
    return stats


def _show(title: str, stats: pstats.Stats, times: int, functions: int) -> None:
    spent: Counter[str] = Counter()
    single: Counter[str] = Counter()
    for (path, line, name), (_, _, own, _, _) in stats.stats.items():  # type: ignore[attr-defined]
        part = _part(path, name)
        if part:
            spent[part] += own
            where = f"{'/'.join(Path(path).parts[-3:])}:{line} " if line else ""
            single[where + name] += own
    whole = spent.total()
    show(
        f"{title}: {whole / times * 1000:.0f} ms of CPU and of the profiler's own work",
        ("", "share", "ms"),
        [
            *((part, f"{own / whole:.0%}", f"{own / times * 1000:.1f}") for part, own in spent.most_common()),
            ("", "", ""),
            *((name, f"{own / whole:.0%}", f"{own / times * 1000:.1f}") for name, own in single.most_common(functions)),
        ],
        "all intervals at 0s; what runs in threads of its own (the page's rendering) is not in it" if times > 1 else "",
    )


def _part(path: str, name: str) -> str:
    if path == "~":
        return next((part for known, part in BUILTINS if known in name), REST)
    tail = path.replace(str(Path.cwd()), "").lstrip("/")
    tail = tail.rpartition("site-packages/")[2].rpartition("/lib/python3")[2] if "site-packages" in tail else tail
    return next((part for known, part in PARTS if known in tail), REST)


if __name__ == "__main__":
    main()
