"""`make run`: the demo unless an account is named, with the flags given."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.process import PATIENCE, clean_environment

ROOT = Path(__file__).parent.parent
HERE = Path(sys.prefix)


@contextlib.contextmanager
def make_run(flags: str, **env: str) -> Iterator[subprocess.Popen[str]]:
    """Run it with the packages of this Python; its log and its output are one stream."""
    process = subprocess.Popen(
        ["make", "--silent", f"--assume-old={HERE}/.run", "run", f"VENV={HERE}", f"ARGS={flags}"],
        cwd=ROOT,
        env=clean_environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_without_credentials_it_serves_the_demo_with_these_flags() -> None:
    with make_run("--web.listen-address=127.0.0.1:0 --web.telemetry-path=/numbers") as process:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            assert line, "it ended"
            found = re.search(r"url=(http://127\.0\.0\.1:\d+)/", line)
        page = httpx.get(f"{found[1]}/numbers", timeout=PATIENCE, trust_env=False).text
        assert 'flatfile_up{account="demo"} 1' in page
        os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=PATIENCE)


@pytest.mark.parametrize(
    ("flags", "env", "says"),
    [
        ("--config.file=nowhere.yaml", {}, "nowhere.yaml"),
        ("--config.file nowhere.yaml", {}, "nowhere.yaml"),
        ("", {"FLATFILE_CLIENT_ID": "1234"}, "FLATFILE_CLIENT_ID"),
        ("", {"FLATFILE_CLIENT_ID_FILE": "nowhere"}, "FLATFILE_CLIENT_ID"),
        ("", {"FLATFILE_ACCESS_TOKEN": "1234", "FLATFILE_CLIENT_SECRET": "1234"}, "FLATFILE_ACCESS_TOKEN"),
        ("", {"FLATFILE_ACCESS_TOKEN_FILE": "nowhere", "FLATFILE_CLIENT_SECRET": "1234"}, "FLATFILE_ACCESS_TOKEN"),
    ],
)
def test_with_an_account_it_serves_that(flags: str, env: dict[str, str], says: str) -> None:
    """Each names one that cannot be, so that it ends; on any port, as something may listen on the usual one."""
    with make_run(f"{flags} --web.listen-address=127.0.0.1:0", **env) as process:
        said, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode != 0
        assert says in said
        assert "made up" not in said


def test_its_environment_has_the_command() -> None:
    """What would be run to make it, from the locks alone."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", "VENV=nowhere", "nowhere/.run"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    installs = [
        line.partition(" install ")[2] for line in done.stdout.splitlines() if "pip" in line and " install " in line
    ]
    assert installs == [
        "--quiet --no-deps --require-hashes -r requirements/run.txt -r requirements/build.txt",
        "--quiet --no-deps --no-build-isolation --editable .",
    ]
