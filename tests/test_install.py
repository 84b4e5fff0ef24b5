"""docs/install.md: its configurations hold, its flags exist, and its words on the image are what the image has."""

import re
import shlex
from pathlib import Path

import pytest
import yaml

from exporter.cli.parser import parse as parse_flags
from exporter.config import parse as parse_config

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\S.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
CHECKED = {"yaml config", "yaml healthcheck"}
NOT_RUN = {
    "sh needs-docker": "needs a Docker daemon: their flags of the exporter are checked, and tests/image runs the image",
    "sh needs-systemd": "needs a machine that systemd runs, and changes it: files and paths are checked",
}


def of(kind: str) -> list[str]:
    found = [text for name, text in BLOCKS if name == kind]
    assert found, kind
    return found


def test_every_block_says_how_it_is_checked_or_why_not() -> None:
    assert PAGE.count("\n```") == 2 * len(BLOCKS)
    assert {kind for kind, _ in BLOCKS} == CHECKED | NOT_RUN.keys()


@pytest.mark.parametrize("text", of("yaml config"), ids=["container", "systemd"])
def test_configurations_hold(text: str) -> None:
    assert [account.name for account in parse_config(text, "config.yaml").accounts] == ["acme"]


def test_flags_of_the_exporter_exist() -> None:
    runs = [words for text in of("sh needs-docker") for words in [shlex.split(text)] if words[1] == "run"]
    assert len(runs) == 2
    for words in runs:
        parse_flags(words[words.index("flatfile-exporter", words.index("--publish")) + 1 :])


def test_the_health_check_is_that_of_the_image() -> None:
    (text,) = of("yaml healthcheck")
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^HEALTHCHECK .* CMD (\[.*\])$", dockerfile, re.MULTILINE)
    assert yaml.safe_load(text)["healthcheck"]["test"][:-1] == ["CMD", *yaml.safe_load(command)]


def test_files_that_are_installed_exist() -> None:
    (text,) = of("sh needs-systemd")
    for path in ("requirements/run.txt", "deploy/systemd/flatfile-exporter.service"):
        assert path in text
        assert (ROOT / path).is_file()
