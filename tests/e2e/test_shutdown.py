"""SIGTERM ends the process in order, or within 5 s with status 0 where it cannot; logging never blocks it."""

import contextlib
import fcntl
import os
import resource
import signal
import socket
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.forking import Forked
from tests.e2e.process import ANY_PORT, PATIENCE, Exporter, eventually, exporter, serving, start
from tests.simulator.server import SimulatedServer

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
requests: {{timeout: 2s, per_second: 10000, retries: 1}}
collectors: {{environments: {{interval: 0s}}, users: {{interval: 0s}}, jobs: {{interval: 0s}}}}
"""


def limit_memory(running: Exporter, more: int) -> None:
    """Let the process have so many bytes more than now."""
    pages = int(Path(f"/proc/{running.process.pid}/statm").read_text(encoding="ascii").split()[0])
    _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_AS)
    resource.prlimit(running.process.pid, resource.RLIMIT_AS, (pages * resource.getpagesize() + more, hard))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_where_no_thread_can_be_started(api: SimulatedServer, tmp_path: Path, number: signal.Signals) -> None:
    with serving(CONFIG % api.base_url, tmp_path) as running:
        running.page()
        limit_memory(running, 6 * 2**20)  # a thread's stack takes 8 MiB
        running.signal(number)
        assert running.ended() == 0
        assert running.lines[-1].endswith('msg="stopped"')
        assert "Traceback" not in running.text


@pytest.mark.parametrize("scraped", [False, True])
def test_it_ends_after_memory_ran_out(api: SimulatedServer, tmp_path: Path, scraped: bool) -> None:
    with serving(CONFIG % api.base_url, tmp_path) as running:
        running.page()
        limit_memory(running, -(2**20))
        if scraped:
            for _ in range(20):
                with contextlib.suppress(httpx.HTTPError):
                    running.client.get(running.url + "/metrics", timeout=1)
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


BLOCKING = """
import sys, time
from exporter.cli.main import main
from exporter.web import app

def landing(*arguments, **named):
    print("blocking", file=sys.stderr, flush=True)
    time.sleep(3600)

app.landing = landing
sys.exit(main(sys.argv[1:]))
"""


def test_it_ends_while_the_event_loop_is_blocked(api: SimulatedServer, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG % api.base_url, encoding="utf-8")
    with exporter(f"--config.file={path}", ANY_PORT, program=("-c", BLOCKING)) as running:
        host, port = running.listens().url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            running.wait_for("blocking")
            running.signal(signal.SIGTERM)
            assert running.ended() == 0


@contextlib.contextmanager
def with_full_pipe(
    api: SimulatedServer, directory: Path
) -> Iterator[tuple[subprocess.Popen[bytes] | Forked, httpx.Client, int]]:
    """Run it with a standard error that nobody reads, full already; gives the end to read from."""
    path = directory / "config.yaml"
    path.write_text(CONFIG % api.base_url, encoding="utf-8")
    path.chmod(0o600)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    read, write = os.pipe()
    fcntl.fcntl(read, fcntl.F_SETPIPE_SZ, 4096)
    flags = (f"--config.file={path}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=debug")
    process = start(flags, write, write)
    os.close(write)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, verify=False, timeout=PATIENCE
        ) as client:
            eventually(lambda: answers(client), "it serves")
            eventually(lambda: client.get("/metrics").status_code == 200 and waiting(read) > 3500, "the pipe is full")
            yield process, client, read
    finally:
        process.kill()
        process.wait()
        os.close(read)


def answers(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get("/-/healthy").status_code == 200
    return False


def waiting(descriptor: int) -> int:
    """How many bytes of a pipe wait to be read."""
    return int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_scrapes_go_on_while_standard_error_blocks_and_lost_lines_are_counted(
    api: SimulatedServer, tmp_path: Path
) -> None:
    with with_full_pipe(api, tmp_path) as (process, client, read):
        assert client.base_url.port
        for _ in range(1100):  # more lines than may wait
            with socket.create_connection(("127.0.0.1", client.base_url.port)) as junk:
                junk.sendall(b"junk\r\n\r\n")
                assert junk.recv(12) == b"HTTP/1.1 400"
        assert client.get("/metrics").status_code == 200
        log = b""
        until = time.monotonic() + PATIENCE
        while b"log lines dropped" not in log:
            assert time.monotonic() < until
            log += os.read(read, 65536)
        rest = threading.Thread(target=lambda: [None for _ in iter(lambda: os.read(read, 65536), b"")])
        rest.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
        rest.join(PATIENCE)


def test_it_stops_while_standard_error_blocks(api: SimulatedServer, tmp_path: Path) -> None:
    with with_full_pipe(api, tmp_path) as (process, client, _):
        assert client.get("/metrics").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


def test_it_goes_on_and_stops_when_standard_error_is_closed(api: SimulatedServer, tmp_path: Path) -> None:
    with with_full_pipe(api, tmp_path) as (process, client, read):
        closed = os.open("/dev/null", os.O_RDONLY)
        os.dup2(closed, read)  # nobody can read the pipe any more
        os.close(closed)
        assert client.get("/metrics").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
