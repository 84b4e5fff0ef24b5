"""`flatfile-exporter demo` as a process: the simulated account that it serves."""

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


def test_it_serves_the_account_and_says_where() -> None:
    with started() as process:
        printed = ""
        while "FLATFILE_CLIENT_SECRET" not in printed:
            printed += read(process)
        base_url = re.findall(r"http://127\.0\.0\.1:\d+/v1", printed)[0]
        assert CLIENT_ID in printed
        assert SECRET in printed
        body = {"clientId": CLIENT_ID, "secret": SECRET}
        token = httpx.post(base_url + "/auth", json=body, trust_env=False).json()["accessToken"]
        headers = {"Authorization": f"Bearer {token}"}
        listed = httpx.get(base_url + "/environments", headers=headers, trust_env=False).json()["data"]
        assert listed[0]["name"] == "production"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_it_ends_when_told(number: signal.Signals) -> None:
    """Also where a script started it in the background, with SIGINT ignored."""
    with started("--ignore-signal=TERM,INT") as process:
        while "listening" not in read(process):
            pass
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0


@contextlib.contextmanager
def started(*dispositions: str) -> Iterator[subprocess.Popen[str]]:
    """Run the demo, with its output and its log as one stream; it is killed when the block is left."""
    process = subprocess.Popen(
        ["env", *dispositions, sys.executable, "-m", "exporter", "demo", ANY_PORT],
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
