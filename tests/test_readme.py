"""The README does what it says: its commands are run, its configurations loaded, its output compared with the code.

The words after a block's language say how it is checked; a renderer does not show them.
"""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter import metrics_docs
from exporter.config import load

ROOT = Path(__file__).parent.parent
PORT = "localhost:10056"  # as the README has it
CHECKED = {"sh run", "sh serves", "yaml config", "yaml prometheus", "text metrics"}
NOT_RUN = {
    "sh by-ci": "the two make commands are what CI itself runs",
    "sh needs-docker": "needs a Docker daemon and the base images",
}


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` is all that stands behind the fence."""

    kind: str
    text: str


README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = [Block(kind, text) for kind, text in re.findall(r"^```(\S.*?)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)]


def of(kind: str) -> list[Block]:
    """The blocks of a kind; that there are none would make a test say nothing."""
    found = [block for block in BLOCKS if block.kind == kind]
    assert found, kind
    return found


def test_every_block_says_how_it_is_checked_or_why_not() -> None:
    assert README.count("\n```") == 2 * len(BLOCKS)
    assert {block.kind for block in BLOCKS} == CHECKED | NOT_RUN.keys()


def test_the_output_shown_has_the_metrics_and_labels_of_the_code() -> None:
    documented = {desc.name: desc for desc in metrics_docs.families()}
    for block in of("text metrics"):
        samples = [s for family in text_string_to_metric_families(block.text) for s in family.samples]
        assert len(samples) == len(block.text.splitlines())
        for sample in samples:
            assert tuple(sample.labels) == documented[sample.name].labels, sample.name


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with the README's configuration."""
    (block,) = of("yaml config")
    (tmp_path / "config.yaml").write_text(block.text, encoding="utf-8")
    return tmp_path


def test_the_configuration_holds(place: Path) -> None:
    config = load(place / "config.yaml")
    assert [account.name for account in config.accounts] == ["acme", "acme-europe"]


@pytest.mark.parametrize("block", of("sh run"), ids=lambda block: block.text.splitlines()[0])
def test_commands_end_well(block: Block, place: Path) -> None:
    with exporter("demo", place=place) as address:
        done = subprocess.run(
            ["sh", "-eu", "-c", block.text.replace(PORT, address)],
            cwd=place,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert done.stdout


@pytest.mark.parametrize("block", of("sh serves"), ids=lambda block: block.text.splitlines()[0])
def test_commands_that_serve_answer(block: Block, place: Path) -> None:
    command = block.text.strip().removeprefix("python -m exporter")
    assert command != block.text.strip()
    named = {"FLATFILE_CLIENT_ID": "1234-1234", "FLATFILE_CLIENT_SECRET": "put-the-secret-here"}
    with (
        exporter(*command.split(), place=place, more={} if command else named) as address,
        urllib.request.urlopen(f"http://{address}/-/healthy") as answer,
    ):
        assert answer.status == 200


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool (Debian: prometheus)")
@pytest.mark.parametrize("number", range(len(of("yaml prometheus"))))
def test_scrape_configurations_are_good(number: int, tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(of("yaml prometheus")[number].text, encoding="utf-8")
    done = subprocess.run(
        ["promtool", "check", "config", "--syntax-only", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def environment() -> dict[str, str]:
    """Ours, with this Python first, and without what may name an account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLATFILE_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "PYTHONPATH": str(ROOT)}


@contextmanager
def exporter(*arguments: str, place: Path, more: dict[str, str] | None = None) -> Iterator[str]:
    """Run the exporter on any free port and give its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", *arguments, "--web.listen-address=127.0.0.1:0"],
        cwd=place,
        env={**environment(), **(more or {})},
        stderr=subprocess.PIPE,
        text=True,
    )
    log = ""
    try:
        assert process.stderr is not None
        for line in process.stderr:
            log += line
            listening = re.search(r"\baddress=(127\.\S+)", line)
            if listening:
                yield listening[1]
                break
        else:
            pytest.fail(f"the exporter ended: {log}")
    finally:
        process.terminate()
        process.communicate()
