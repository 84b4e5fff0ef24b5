"""Starts the exporter by fork, with everything imported before: a start of Python for each would take most of the suite's time.

What runs is a process as any other: its own arguments, environment, files and signals, and Python's own end. The process that is
forked is one for each process of the tests; `python -m tests.e2e.forking` is what runs there.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.forking import import_all

BECOME_PARENT_OF_ORPHANS = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): so that a test can wait for what another process has forked."""
LONGEST = 1 << 20  # bytes of one start
_ONE_AT_A_TIME = threading.Lock()


class Forked:
    """A process that was forked; a part of `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """Return its status, None where it has not ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""
        if self.returncode is None:
            ended = select.poll()
            ended.register(self._handle, select.POLLIN)
            if not ended.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired("exporter", timeout or 0.0)
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            os.close(self._handle)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            signal.pidfd_send_signal(self._handle, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def can_fork() -> bool:
    """Whether the system has what `fork` needs: Linux 5.3 or newer."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def fork(arguments: Sequence[str], env: Mapping[str, str], cwd: Path | None, files: Sequence[int]) -> Forked:
    """Start the exporter with these as standard input, output and error."""
    message = json.dumps([[*arguments], {**env}, str(cwd or Path.cwd())]).encode()
    assert len(message) <= LONGEST
    with _ONE_AT_A_TIME:
        socket.send_fds(_forking(), [message], files)
        return Forked(int(_forking().recv(20)))


@functools.cache
def _forking() -> socket.socket:
    """Start the process that is forked. The connection to it is its standard input."""
    if ctypes.CDLL(None, use_errno=True).prctl(BECOME_PARENT_OF_ORPHANS, 1):
        raise OSError(ctypes.get_errno(), "prctl")
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST)
    with theirs:
        command = [sys.executable, "-m", "tests.e2e.forking"]
        process = subprocess.Popen(command, stdin=theirs, cwd=Path(__file__).parents[2], env=clean_environment())

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process' environment without what would configure the exporter, with warnings of Python as errors."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("FLATFILE_") and "proxy" not in k.lower()}
    return kept | {"PYTHONWARNINGS": "error"} | dict(more or {})


def _main() -> None:
    """Fork for each message that comes, until there are no more. In the new process, become the exporter."""
    import_all()
    gc.freeze()  # or each new process would look through all of it, and copy it by that
    with socket.socket(fileno=os.dup(0)) as starts:
        while True:
            message, files, _, _ = socket.recv_fds(starts, LONGEST, 3)
            if not message:
                return
            read, write = os.pipe()
            between = os.fork()
            if not between:
                if os.fork():
                    os._exit(0)  # its child becomes that of the test
                os.write(write, b"%d" % os.getpid())
                break
            os.waitpid(between, 0)
            starts.send(os.read(read, 20))
            for each in (read, write, *files):
                os.close(each)
    _become(*json.loads(message), files)


def _become(arguments: Sequence[str], env: Mapping[str, str], cwd: str, files: Sequence[int]) -> None:
    for number, (name, mode) in enumerate((("stdin", "rb"), ("stdout", "wb"), ("stderr", "wb"))):
        os.dup2(files[number], number)
        stream, before = os.fdopen(number, mode, closefd=False), getattr(sys, name)
        by_line = name == "stderr" or stream.isatty()
        made = io.TextIOWrapper(stream, before.encoding, before.errors, newline="\n", line_buffering=by_line)
        setattr(sys, name, made)
        setattr(sys, f"__{name}__", made)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv[1:] = arguments
    runpy.run_module("exporter", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
