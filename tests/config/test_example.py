"""The example configuration and the generated page say what the code does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from yaml.nodes import MappingNode, Node, SequenceNode

from docs.build.configuration import render
from exporter.config import ConfigError, load, parse
from exporter.config.schema import Key, walk
from exporter.config.types import ROOT

REPOSITORY = Path(__file__).parent.parent.parent
EXAMPLE = REPOSITORY / "config.example.yaml"
PAGE = REPOSITORY / "docs" / "configuration.md"


def paths(node: Node, prefix: str = "") -> Iterator[str]:
    if isinstance(node, MappingNode):
        for key, value in node.value:
            yield prefix + key.value
            yield from paths(value, f"{prefix}{key.value}.")
    elif isinstance(node, SequenceNode):
        for item in node.value:
            yield from paths(item, prefix.removesuffix(".") + "[].")


def with_commented_keys(text: str) -> str:
    """The example with every `# key:` line in force."""
    return re.sub(r"(?m)^( *)# ((?:  )?(?:- )?[a-z_]+:(?: .*)?|  [a-z_]+: .*|    [a-z_]+: .*)$", r"\1\2", text)


def test_the_example_has_every_key_of_the_schema_and_no_other() -> None:
    node = yaml.compose(with_commented_keys(EXAMPLE.read_text(encoding="utf-8")))
    assert node is not None
    shared = {path for path, _ in walk(ROOT) if not path.startswith("accounts")}
    wanted = {path for path, _ in walk(ROOT) if path.removeprefix("accounts[].") not in shared}
    assert set(paths(node)) == wanted | shared


def test_the_example_holds_the_default_of_every_key() -> None:
    account = load(EXAMPLE).accounts[0]
    least = parse(
        "accounts: [{name: acme, auth: {client_id: 1234-1234, client_secret_file: /run/secrets/flatfile-client-secret}}]",
        "least.yaml",
    ).accounts[0]
    assert account == least


def test_a_value_in_the_example_is_written_as_the_schema_writes_the_default() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    for path, entry in walk(ROOT):
        if not isinstance(entry, Key) or entry.default is None or "expected_agents" in path:
            continue
        value = re.escape(entry.default)
        assert re.search(rf"(?m)^ *{entry.name}: {value}( #.*)?$", text), path


def test_each_key_of_the_example_has_a_comment() -> None:
    """On its line, or above it; the keys that each collector has are explained once."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        key = re.match(r" *(- )?([a-z_]+):", line)
        if key is None or "#" in line or key[2] in {"enabled", "interval", "max_age"}:
            continue
        above = [before for before in lines[max(0, number - 8) : number] if before.lstrip().startswith("# ")]
        following = lines[number + 1] if number + 1 < len(lines) else ""
        assert above or "#" in following, line


def test_the_example_warns_of_nothing_but_the_missing_file_and_what_has_no_effect_yet() -> None:
    for warning in load(EXAMPLE).warnings:
        assert "no effect in this version" in warning or "client_secret_file: no such file" in warning


def test_the_page_is_what_the_generator_prints() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "write it again: python -m docs.build.configuration"


def test_the_page_has_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for path, entry in walk(ROOT):
        if isinstance(entry, Key):
            path = re.sub(r"^collectors\.\w+\.", "collectors.NAME.", path.removeprefix("accounts[]."))
            assert f"| `{path}` |" in page, path


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", render(), re.DOTALL))
def test_each_example_of_the_page_loads(block: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(block, encoding="utf-8")
    assert load(path).accounts


def test_the_messages_shown_on_the_page_are_real() -> None:
    text = """accounts:
  - name: acme
    auth:
      client_id: 1234-1234
      client_secert_file: /run/secrets/flatfile
requests:
  timeout: 10
"""
    with pytest.raises(ConfigError) as raised:
        parse(text, "config.yaml")
    assert f"```text\n{raised.value}\n```" in PAGE.read_text(encoding="utf-8")
