"""The exporter as a process of its own, its log read line by line.

On Linux it is forked (`tests.e2e.forking`), unless it is to be `fresh` (as a user starts it), its environment is for Python, or
another `program` is named.
"""

import contextlib
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Self

import httpx

from tests.e2e.forking import Forked, can_fork, clean_environment, fork

PATIENCE = 60.0
"""Seconds after which something that should happen is said not to: far more than a busy machine takes."""


MODULE = ("-m", "exporter")


def start(
    arguments: Sequence[str],
    stdout: int | None = None,
    stderr: int | None = None,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: tuple[str, ...] = MODULE,
    fresh: bool = False,
) -> subprocess.Popen[bytes] | Forked:
    """Start it with these as standard output and error, by default nothing. Who starts it ends it."""
    clean = clean_environment(env)
    for_python = any(name.startswith("PYTHON") for name in env or ())
    with Path(os.devnull).open("r+b", buffering=0) as nothing:
        files = (nothing.fileno(), *(nothing.fileno() if file is None else file for file in (stdout, stderr)))
        if can_fork() and program == MODULE and not fresh and not for_python:
            return fork(arguments, clean, cwd, files)
        command = [sys.executable, *program, *arguments]
        return subprocess.Popen(command, env=clean, cwd=cwd, stdin=files[0], stdout=files[1], stderr=files[2])


def run(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start(arguments, out.fileno(), err.fileno(), env=env, cwd=cwd, fresh=fresh)
        try:
            status = process.wait(PATIENCE)
        finally:
            process.kill()
            process.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="surrogateescape"))
    return subprocess.CompletedProcess(arguments, status, *texts)


def eventually(condition: Callable[[], object], what: str, patience: float = PATIENCE, pause: float = 0.05) -> None:
    """Ask again and again until it holds; AssertionError when it does not in time. Where asking costs much, `pause` longer."""
    until = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(pause)


class Exporter:
    """A running process. `lines` is what it has logged so far."""

    def __init__(self, process: subprocess.Popen[bytes] | Forked, stderr: IO[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._new: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(stderr,), daemon=True)
        self._reader.start()
        # without TLS; the list of authorities would take as long as all else here
        self.client = httpx.Client(timeout=2 * PATIENCE, trust_env=False, verify=False)

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
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    program: tuple[str, ...] = MODULE,
    fresh: bool = False,
) -> Iterator[Exporter]:
    """Start it; it is ended when the block is left."""
    read, write = os.pipe()
    with os.fdopen(read, errors="surrogateescape") as stderr:
        with os.fdopen(write, "wb") as end:
            process = start(arguments, stderr=end.fileno(), env=env, cwd=cwd, program=program, fresh=fresh)
        running = Exporter(process, stderr)
        try:
            yield running
        finally:
            running.client.close()
            process.kill()
            running.ended()


ANY_PORT = "--web.listen-address=127.0.0.1:0"


@contextlib.contextmanager
def serving(
    config: str, directory: Path, *arguments: str, env: Mapping[str, str] | None = None, fresh: bool = False
) -> Iterator[Exporter]:
    """Start it with a configuration file `config.yaml` in `directory`, and wait until it listens."""
    path = directory / "config.yaml"
    path.write_text(config, encoding="utf-8")
    path.chmod(0o600)  # it holds credentials
    with exporter(f"--config.file={path}", ANY_PORT, *arguments, env=env, fresh=fresh) as running:
        yield running.listens()
