"""The example and the documentation name every key, and the example can be used as it stands."""

import re
import subprocess
from pathlib import Path

import bcrypt
import pytest
import yaml

from exporter.config.schema import walk
from exporter.web_config import load_web
from exporter.web_config.keys import CLIENT_AUTH, CURVES, VERSIONS
from exporter.web_config.keys import ROOT as KEYS_OF_FILE

from .rig import Certificates

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = (ROOT / "web-config.example.yaml").read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "web-configuration.md").read_text(encoding="utf-8")
KEYS = [entry.name for _, entry in walk(KEYS_OF_FILE) if " " not in entry.name]
HEADERS = [path for path, _ in walk(KEYS_OF_FILE) if ".headers." in path]


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_named(key: str) -> None:
    assert re.search(rf"^[ #]*{key}:", EXAMPLE, re.MULTILINE) or f"or {key}: |" in EXAMPLE
    assert f"`{key}`" in DOCS


@pytest.mark.parametrize("word", [*sorted(set(CLIENT_AUTH) - {"RequireClientCert"}), *VERSIONS, *CURVES])
def test_every_word_is_explained(word: str) -> None:
    assert f"`{word}`" in DOCS


def test_the_example_can_be_used(files: Certificates, promtool: str) -> None:
    loaded = load_web(files.write(EXAMPLE))
    subprocess.run([promtool, "check", "web-config", files.web], check=True)
    assert loaded.warnings == ()
    assert bcrypt.checkpw(b"change me", loaded.config.users[b"prometheus"].reveal().encode())
    assert loaded.config.headers == (("X-Frame-Options", "deny"), ("X-Content-Type-Options", "nosniff"))


def test_what_the_example_leaves_to_choose_can_be_used_too(files: Certificates) -> None:
    """All but the certificates as text, which are no commands to uncomment."""
    chosen = re.sub(r"^( *)# (?=client_|rate_limit|  |[A-Z][\w-]*: [^|\n]*$)", r"\1", EXAMPLE, flags=re.MULTILINE)
    chosen = "\n".join(line for line in chosen.splitlines() if not re.match(r" *(cert|key): \|", line))
    config = load_web(files.write(chosen + "\n")).config
    assert config.rate_limit is not None
    assert len(config.headers) == len(HEADERS)
    assert len(config.locks) == 3


def test_the_yaml_of_the_documentation(files: Certificates) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.MULTILINE | re.DOTALL)
    web, prometheus = blocks
    found = re.search(r"\$2y\$10\$[./A-Za-z0-9]{53}", EXAMPLE)
    assert found is not None
    assert load_web(files.write(web.replace("$2y$10$...", found[0]))).config.summary == "TLS, 1 user"
    (job,) = yaml.safe_load(prometheus)["scrape_configs"]
    assert job["http_sd_configs"][0]["basic_auth"] == job["basic_auth"]
