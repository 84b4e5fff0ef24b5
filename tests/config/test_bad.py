"""What is wrong with a configuration: every problem, with its place, and never a credential.

Each file of tests/config/bad is one illegal configuration; its `# expect:` lines are the whole answer.
"""

from pathlib import Path

import pytest

from exporter.config import ConfigError, load, parse

BAD = Path(__file__).parent / "bad"
ACCOUNT = "accounts:\n  - name: acme\n    auth: {access_token: t0ken}\n"


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_each_problem_is_reported_with_its_place(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    expected = tuple(f"{path}:{line.removeprefix('# expect: ')}" for line in lines if line.startswith("# expect: "))
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert raised.value.problems == expected
    assert str(raised.value) == "\n".join(expected)


@pytest.mark.parametrize("path", sorted(BAD.glob("*.yaml")), ids=lambda path: path.stem)
def test_no_credential_is_repeated(path: Path) -> None:
    """The files use hunter2 and hunter3 wherever a credential could have slipped to."""
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert "hunter" not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        parse(text, "c.yaml")
    return raised.value.problems


def test_characters_that_yaml_has_not() -> None:
    assert problems("accounts:\n  - name: ac\x01me\n") == ("c.yaml:2:13: the character U+0001 is not allowed in YAML",)
    assert problems("a\x00") == ("c.yaml:1:2: the character U+0000 is not allowed in YAML",)
    assert problems("\ud800") == ("c.yaml:1:1: the character U+D800 is not allowed in YAML",)


def test_a_hundred_problems_are_enough() -> None:
    found = problems(ACCOUNT + "".join(f"k{number}x: 1\n" for number in range(100)))
    assert len(found) == 100
    assert found[-1].startswith("c.yaml:103:1: k99x: unknown key")
    found = problems(ACCOUNT + "".join(f"k{number}x: 1\n" for number in range(120)))
    assert len(found) == 101
    assert found[-1] == "c.yaml:103:1: more errors are not shown"


def test_a_file_of_a_megabyte_is_refused_unread() -> None:
    assert problems("#" * (1 << 20) + "\n") == ("c.yaml:1:1: the file is longer than 1048576 characters",)


def test_a_list_of_many_thousand_items_is_refused() -> None:
    items = ", ".join(["x"] * 10_001)
    assert problems(f"{ACCOUNT}events: {{include: [{items}]}}\n") == (
        "c.yaml:4:19: events.include: must not have more than 10000 items",
    )


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path / "no.yaml")
    assert raised.value.problems == (f"{tmp_path}/no.yaml: no such file or directory",)


def test_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path)


def test_a_file_that_may_not_be_opened(tmp_path: Path) -> None:
    """A name that is too long stands for every other reason: a test that runs as root may open any file."""
    with pytest.raises(ConfigError, match="file name too long"):
        load(tmp_path / ("x" * 300))


def test_what_is_no_file_name() -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a file"):
        load(Path("a\x00b"))


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"\xff\xfea\x00", "1:1"), (b"accounts:\n  - name: \xe4\n", "2:11"), (b"\x89PNG\r\n\x1a\n", "1:1")],
)
def test_a_file_that_is_not_utf_8(tmp_path: Path, content: bytes, place: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert raised.value.problems == (f"{path}:{place}: the file is not UTF-8 text",)


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + ACCOUNT.replace("\n", "\r\n").encode())
    assert load(path).accounts[0].name == "acme"
