"""`flatfile-exporter demo`, and `python -m exporter.demo` that serves the account alone for curl, as processes."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import ANY_PORT, PATIENCE, clean_environment

API = ("exporter.demo", "--port", "0", "--seed", "3")
EXPORTER = ("exporter", "demo", ANY_PORT)


def test_it_serves_and_says_where() -> None:
    with started(API) as process:
        lines = [read(process) for _ in range(3)]
        base_url = re.findall(r"http://127\.0\.0\.1:\d+/v1", lines[0])[0]
        assert CLIENT_ID in lines[1]
        assert SECRET in lines[2]
        body = {"clientId": CLIENT_ID, "secret": SECRET}
        token = httpx.post(base_url + "/auth", json=body, trust_env=False).json()["accessToken"]
        headers = {"Authorization": f"Bearer {token}"}
        listed = httpx.get(base_url + "/environments", headers=headers, trust_env=False).json()["data"]
        assert listed[0]["name"] == "production"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("command", "serves", "disposition"),
    [(API, "base URL", "default"), (API, "base URL", "ignore"), (EXPORTER, "listening", "ignore")],
)
def test_it_ends_when_told(command: tuple[str, ...], serves: str, disposition: str, number: signal.Signals) -> None:
    """Also where a script started it in the background, with SIGINT ignored."""
    with started(command, f"--{disposition}-signal=TERM,INT") as process:
        while serves not in read(process):
            pass
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0


@contextlib.contextmanager
def started(module: tuple[str, ...], *dispositions: str) -> Iterator[subprocess.Popen[str]]:
    """Run a module, with its output and its log as one stream; it is killed when the block is left."""
    process = subprocess.Popen(
        ["env", *dispositions, sys.executable, "-m", *module],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read(process: subprocess.Popen[str]) -> str:
    """The next line."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "it ended"
    return line
