"""The exporter as a process of its own: started as a user would, its log read line by line."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Self

import httpx

PATIENCE = 60.0
"""Seconds after which something that should happen is said not to: far more than a busy machine takes."""


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment without what would configure the exporter, with warnings of Python as errors."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLATFILE_") and "proxy" not in k.lower()}
    return kept | {"PYTHONWARNINGS": "error"} | dict(more or {})


def run(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        env=clean_environment(env),
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=PATIENCE,
        check=False,
    )


def eventually(condition: Callable[[], object], what: str, patience: float = PATIENCE, pause: float = 0.02) -> None:
    """Ask again and again until it holds; AssertionError when it does not in time. Where asking costs much, `pause` longer."""
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(pause)


class Exporter:
    """A running process. `lines` is what it has logged so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(process.stderr,), daemon=True)
        self._reader.start()
        self.client = httpx.Client(timeout=2 * PATIENCE, trust_env=False)

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            self.lines.append(line.rstrip("\n"))
            self._new.put(line.rstrip("\n"))
        self._new.put(None)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line that holds the pattern (after those that were waited for before)."""
        until = time.monotonic() + PATIENCE
        while True:
            try:
                line = self._new.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line with {pattern!r} in time: {self.lines}") from None
            assert line is not None, f"it ended without a line with {pattern!r}: {self.lines}"
            if found := re.search(pattern, line):
                return found

    def listens(self) -> Self:
        """Wait until it listens, and note where."""
        self.url = self.wait_for(r"""msg"?[=:] ?"listening".*(http://[^ "/]+)/""")[1]
        return self

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.client.get(self.url + path, headers={name.replace("_", "-"): v for name, v in headers.items()})

    def page(self, path: str = "/metrics") -> str:
        """A scrape that waits for all refreshes, which is always answered with 200."""
        answer = self.get(path, X_Prometheus_Scrape_Timeout_Seconds=f"{PATIENCE:g}")
        assert answer.status_code == 200, answer.text
        return answer.text

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def ended(self) -> int:
        """Wait for its end; its status, minus the signal where that ended it."""
        status = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return status

    @property
    def peak_bytes(self) -> int:
        """The most memory it ever held."""
        return self._memory("VmHWM")

    @property
    def resident_bytes(self) -> int:
        """The memory it holds now."""
        return self._memory("VmRSS")

    def _memory(self, what: str) -> int:
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(rf"{what}:\s*(\d+) kB", text)
        assert found
        return int(found[1]) * 1024

    @property
    def text(self) -> str:
        """All that was logged."""
        return "\n".join(self.lines)


@contextlib.contextmanager
def exporter(
    *arguments: str, env: Mapping[str, str] | None = None, program: tuple[str, ...] = ("-m", "exporter")
) -> Iterator[Exporter]:
    """Start it; it is ended when the block is left."""
    process = subprocess.Popen(
        [sys.executable, *program, *arguments],
        env=clean_environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )
    running = Exporter(process)
    try:
        yield running
    finally:
        running.client.close()
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        running.ended()
        assert process.stderr is not None
        process.stderr.close()


ANY_PORT = "--web.listen-address=127.0.0.1:0"


@contextlib.contextmanager
def serving(config: str, directory: Path, *arguments: str, env: Mapping[str, str] | None = None) -> Iterator[Exporter]:
    """Start it with a configuration file `config.yaml` in `directory`, and wait until it listens."""
    path = directory / "config.yaml"
    path.write_text(config, encoding="utf-8")
    path.chmod(0o600)  # it holds credentials
    with exporter(f"--config.file={path}", ANY_PORT, *arguments, env=env) as running:
        yield running.listens()
