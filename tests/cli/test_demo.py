"""The command `demo` as a newcomer meets it: the first page has data, and the printed commands work."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.process import ANY_PORT, PATIENCE, clean_environment


@pytest.fixture(scope="module")
def demo() -> Iterator[tuple[str, str]]:
    """A running demo: its URL, and what it printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", "demo", ANY_PORT],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    printed = []
    try:
        for line in process.stdout:
            printed.append(line)
            if found := re.search(r'msg="listening".*(http://[^ ]+)/', line):
                yield found[1], "".join(printed)
                break
        else:
            pytest.fail("".join(printed))
    finally:
        process.kill()
        process.communicate()


def test_it_has_scraped_itself_before_anybody_else_does(demo: tuple[str, str]) -> None:
    url, _ = demo
    assert httpx.get(f"{url}/-/ready", trust_env=False).status_code == 200
    page = httpx.get(f"{url}/", trust_env=False).text
    assert re.search(r"(all|[67] of) 8 collectors work", page)  # those that take long may still be under way
    assert "waits for a scrape" not in page


@pytest.mark.parametrize("command", ["check-config --probe", "discover", "inventory", "audit"])
def test_the_commands_that_it_prints_work_in_a_shell(command: str, demo: tuple[str, str]) -> None:
    _, printed = demo
    (export,) = re.findall(r"^export .*", printed, re.MULTILINE)
    (line,) = re.findall(rf"^\S+ .*exporter {command}.*", printed, re.MULTILINE)
    done = subprocess.run(
        ["sh", "-c", f"{export}\n{line}"], env=clean_environment(), capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    if command == "audit":
        assert {json.loads(event)["account"] for event in done.stdout.splitlines()} == {"default"}
    elif command == "discover":
        assert "- environment: production\n" in done.stdout
    elif command == "inventory":
        assert "\nstaging " in done.stdout
    else:
        assert done.stdout.count("  allowed  ") == 8
