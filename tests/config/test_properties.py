"""Whatever a user types, the loader answers with a configuration or with a ConfigError whose lines have a place."""

import re
from collections.abc import Callable
from pathlib import Path

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, from_environment, parse

EXAMPLE = (Path(__file__).parent.parent.parent / "config.example.yaml").read_text(encoding="utf-8")
LINES = [line for line in EXAMPLE.splitlines() if line.strip() and not line.lstrip().startswith("#")]
LEAST = "accounts: [{name: acme, auth: {client_id: a, client_secret: hunter2}}]\n"
PLACE = re.compile(r"[^:]+:\d+:\d+: [^\n]+")
SCALARS = st.sampled_from(
    [
        *("", "~", "yes", "no", "5", "-1", "1e9", ".nan", "10:30", "30s", "1h", "64MiB", "text", "2024-01-01"),
        *("[]", "{}", "[[]]", "[{}]", "{a: b}", "[1, 30s, x]", "*x", "&x", "&x y", "!x", "|", ">-", "<<", "? x"),
        *("'*'", "'", '"', "%", "@", "=", "\t", "\\", "- -"),
    ]
)
untimed = settings(deadline=None)


def outcome(load: Callable[[], Config]) -> Config | ConfigError:
    """What loading gives; anything else that it raises fails the test."""
    try:
        return load()
    except ConfigError as error:
        return error


def answer(text: str) -> Config | ConfigError:
    """What the loader makes of a file's text."""
    result = outcome(lambda: parse(text, "config.yaml"))
    lines = result.warnings if isinstance(result, Config) else result.problems
    for line in lines:
        assert PLACE.fullmatch(line), line
    assert isinstance(result, ConfigError) <= bool(lines)
    return result


@untimed
@given(st.text() | st.text(st.sampled_from("abc:-#&*!|>'\"%@`{}[],? \n\t\\0~<=\x00\ufeff\x85\u2028"), max_size=60))
@example('"\\UFFFFFFFF"')
@example("%YAML 1." + "9" * 5000)
@example("!<" + "%ff" * 3 + "> x")
@example("[" * 500)
@example("{" * 500)
@example("- " * 500)
@example("? " * 500)
@example("a: &a [*a]")
@example("\ufeff" * 3)
def test_any_text_at_all(text: str) -> None:
    answer(text)


@untimed
@given(
    st.text(st.sampled_from("abc:-#&*!|>'\"%@`{}[],? \n\t\\0~<=5s"), max_size=40),
    st.sampled_from(["name", "auth", "events", "requests"]),
)
def test_any_text_behind_a_key(text: str, key: str) -> None:
    answer(f"{LEAST}{key}: {text}")


@st.composite
def mutated_lines(draw: st.DrawFn) -> str:
    """The example with some lines deleted, doubled, moved, indented, renamed, or given another value."""
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        match draw(st.sampled_from(["delete", "double", "swap", "indent", "rename", "value", "cut"])):
            case "delete":
                del lines[at]
            case "double":
                lines.insert(at, line)
            case "swap":
                other = draw(st.integers(0, len(lines) - 1))
                lines[at], lines[other] = lines[other], line
            case "indent":
                lines[at] = " " * draw(st.integers(0, 6)) + line.lstrip()
            case "rename":
                place = draw(st.integers(0, len(line)))
                lines[at] = line[:place] + draw(st.sampled_from(["x", "_", ":", " ", "-"])) + line[place + 1 :]
            case "value":
                lines[at] = line.split(":")[0] + ": " + draw(SCALARS)
            case _:
                lines[at] = line[: draw(st.integers(0, len(line)))]
    return "\n".join(lines)


@untimed
@given(mutated_lines())
def test_the_example_with_its_lines_mutated(text: str) -> None:
    answer(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["30s", "*", "64MiB"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated_tree(draw: st.DrawFn) -> str:
    """The example's tree with something in it replaced, removed, renamed or moved."""
    tree = yaml.safe_load(EXAMPLE)
    for _ in range(draw(st.integers(1, 3))):
        node = tree
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            below = node[key]
            if isinstance(below, dict | list) and below and draw(st.integers(0, 3)):
                node = below
                continue
            match draw(st.sampled_from(["replace", "remove", "rename", "wrap"])):
                case "replace":
                    node[key] = draw(VALUES)
                case "remove":
                    del node[key]
                case "rename" if isinstance(node, dict):
                    node[draw(st.sampled_from(["name", "auth", "interval", "x"]) | st.text(max_size=5))] = node.pop(key)
                case _:
                    node[key] = draw(st.sampled_from([[below], {"name": below}]))
            break
    return str(
        yaml.safe_dump(
            tree, allow_unicode=draw(st.booleans()), default_flow_style=draw(st.sampled_from([None, True, False]))
        )
    )


@untimed
@given(mutated_tree())
def test_the_example_with_its_tree_mutated(text: str) -> None:
    answer(text)


@untimed
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_a_secret_of_any_characters_is_taken_whole_or_refused_without_being_repeated(text: str) -> None:
    marked = f"hunter2{text}hunter2"
    document = yaml.safe_dump({"accounts": [{"name": "acme", "auth": {"client_id": "a", "client_secret": marked}}]})
    result = answer(document)
    assert "hunter2" not in repr(result)
    if isinstance(result, Config):
        secret = result.accounts[0].auth.client_secret
        assert secret is not None
        assert secret.reveal() == marked


@untimed
@given(
    st.text(st.sampled_from("ab1:-#&*!|>'\"%@`{}[],?\\~<= "), max_size=8),
    st.text(st.sampled_from("ab:-#&*!'\"{}[], "), max_size=4),
)
def test_a_secret_written_without_thought_for_yaml_is_never_repeated(before: str, after: str) -> None:
    for text in (f"client_secret: {before}hunter2{after}\n", f"client_secret {before}hunter2{after}\n"):
        result = answer(f"accounts:\n  - name: acme\n    auth:\n      client_id: a\n      {text}")
        assert "hunter2" not in repr(result)


NAMES = [
    "CLIENT_ID",
    "CLIENT_SECRET",
    "ACCESS_TOKEN",
    "CLIENT_ID_FILE",
    "CLIENT_SECRET_FILE",
    "ACCESS_TOKEN_FILE",
    "BASE_URL",
]


@untimed
@given(
    st.dictionaries(
        st.sampled_from([f"FLATFILE_{name}" for name in NAMES]),
        st.text(st.characters(exclude_characters="\x00"), max_size=12),
    )
)
@example({"FLATFILE_ACCESS_TOKEN_FILE": "x" * 5000})
@example({"FLATFILE_ACCESS_TOKEN_FILE": "a\udcff"})
def test_any_environment(env: dict[str, str]) -> None:
    result = outcome(lambda: from_environment(env))
    lines = result.warnings if isinstance(result, Config) else result.problems
    assert isinstance(result, ConfigError) <= bool(lines)
    assert all("\n" not in line for line in lines)
