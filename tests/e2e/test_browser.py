"""The landing page in a real browser: it renders under its own policy, and the console has nothing to say."""

import re
import subprocess
import time
from pathlib import Path

from tests.serving import account_lines, configuration
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer

from .process import PATIENCE, serving

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
)


def rendered(chromium: str, url: str, directory: Path) -> tuple[str, list[str]]:
    """The document as the browser has it, and what its console says."""
    done = subprocess.run(
        [chromium, *FLAGS, f"--user-data-dir={directory / str(time.monotonic_ns())}", "--dump-dom", url],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if ":CONSOLE" in line]


def test_the_page_renders_under_its_policy(chromium: str, api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "/spaces", Status(503))
    hostile = '<img src=x onerror="document.title=1">'
    text = configuration(account_lines("acme", api.base_url), account_lines(hostile, api.base_url))
    with serving(text, tmp_path) as running:
        running.page()
        document, console = rendered(chromium, running.url + "/", tmp_path)
    assert "✗ " in document
    assert "Latest failures: " in document
    assert "failed: server_error" in document
    assert re.search(r"<title>✗ \d of 16 collectors fails?", document)
    assert "&lt;img src=x onerror=" in document
    assert "<img" not in document
    assert console == []


def test_the_console_speaks_up_where_the_policy_is_broken(chromium: str, tmp_path: Path) -> None:
    """So that silence above means something."""
    page = tmp_path / "page.html"
    page.write_text(
        '<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'
        "<style>body{color:red}</style><p>text"
    )
    document, console = rendered(chromium, page.as_uri(), tmp_path)
    assert "text" in document
    assert any("Content Security Policy" in line for line in console)
