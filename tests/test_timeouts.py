"""A test that hangs fails, and the run goes on: the settings of pyproject.toml, on tests that hang."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HANG = """
import asyncio, signal, subprocess, sys, threading

def test_thread():
    threading.Event().wait()

async def test_event_loop():
    await asyncio.Event().wait()

async def test_polling():
    while True:
        await asyncio.sleep(0.01)

def test_child():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as child:
        try:
            child.wait()
        finally:
            child.kill()
"""
CANNOT_BE_INTERRUPTED = """
import signal, threading

def test_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    threading.Event().wait()

def test_another():
    pass
"""


def run(path: Path, text: str, *arguments: str) -> str:
    path.write_text(text, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-c",
        ROOT / "pyproject.toml",
        f"--rootdir={path.parent}",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run([*command, *arguments, path], capture_output=True, text=True, cwd=path.parent, check=False)
    return done.stdout + done.stderr


def test_what_hangs_is_interrupted(tmp_path: Path) -> None:
    said = run(tmp_path / "test_hang.py", HANG, "-o", "timeout=0.5")
    assert "4 failed" in said
    assert said.count("Failed: Timeout (>0.5s)") >= 4


def test_what_cannot_be_interrupted_is_ended(tmp_path: Path) -> None:
    """And what is left is run by another process."""
    said = run(
        tmp_path / "test_deaf.py", CANNOT_BE_INTERRUPTED, "-o", "timeout=2", "-o", "faulthandler_timeout=4", "-n1"
    )
    assert re.search(r"worker 'gw0' crashed while running '.*::test_deaf'", said), said
    assert "1 failed, 1 passed" in said


def test_limits(pytestconfig: pytest.Config) -> None:
    """Each hang ends well before CI gives up, and the alarm comes first."""
    assert float(pytestconfig.getini("timeout")) < float(pytestconfig.getini("faulthandler_timeout")) < 1800
