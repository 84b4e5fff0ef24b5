"""The kinds of values, and reading one YAML node as the kind of its key, within its range."""

import difflib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.problems import Place, Problems
from exporter.config.schema import Key, Kind
from exporter.config.url import check_proxy_url, normalise_base_url
from exporter.config.yaml_tree import compose
from exporter.core.secret import Secret
from exporter.core.units import parse_duration, parse_size

T = TypeVar("T")

_MAX_INTEGER = 1_000_000_000
_MAX_ITEMS = 10_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_VARIABLE = re.compile(r"\$(\w+|\{[^}]*\}|\([^)]*\))", re.ASCII)
_WORD_TAGS = {
    "tag:yaml.org,2002:bool": "is true or false in YAML",
    "tag:yaml.org,2002:int": "is a number in YAML",
    "tag:yaml.org,2002:float": "is a number in YAML",
    "tag:yaml.org,2002:timestamp": "is a date in YAML",
}
_NULL = "tag:yaml.org,2002:null"
_STRING = "tag:yaml.org,2002:str"
_BOOLEAN = "tag:yaml.org,2002:bool"


def shown(text: str) -> str:
    """Return a text from the file for a message: quoted, on one line, and cut. Never for a credential."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that was probably meant: also for `clientId` and `client-id`."""
    plain = {_plain(name): name for name in known}
    found = difflib.get_close_matches(_plain(word[:60]), plain, n=1)
    return plain[found[0]] if found else None


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "")


def is_null(node: Node) -> bool:
    """Return whether a value is empty, `null` or `~`."""
    return isinstance(node, ScalarNode) and node.tag == _NULL


def check_text(text: str) -> None:
    """Raise ValueError for text that no key accepts."""
    if not text.strip():
        raise ValueError("must not be empty")
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")


def check_value(text: str, kind: Kind[T]) -> T:
    """Return a value that does not come from YAML but from a variable or a file of its own.

    Raises ValueError, with a text that does not repeat the value.
    """
    if kind.convert is None:
        raise TypeError(f"a {kind.name} cannot be given in this way")
    check_text(text)
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        raise ValueError("must not be in quotes")
    return kind.convert(text)


def _text_kind(name: str, convert: Callable[[str], T], wanted: str = "text", *, confidential: bool = False) -> Kind[T]:
    def read(node: ScalarNode) -> T:
        text: str = node.value
        if node.tag != _STRING:
            reading = _WORD_TAGS.get(node.tag, "has a meaning of its own in YAML")
            if confidential:
                raise ValueError(f"must be text, but without quotes this value {reading}: put it in quotes")
            raise ValueError(f'must be text, but {text}, without quotes, {reading}: write "{text}"')
        if node.style in ("|", ">") and text.endswith("\n"):
            raise ValueError(f"must be one line: '{node.style}' puts a line break at the end, write it after the key")
        check_text(text)
        if _VARIABLE.fullmatch(text):
            raise ValueError(
                "environment variables are not expanded in this file: write the value, "
                "or for a credential use its _file key"
            )
        return convert(text)

    return Kind(name, wanted, read, convert)


def _token(text: str) -> Secret:
    if text.lower().startswith("bearer "):
        raise ValueError("must be the token alone, without the word Bearer")
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("holds spaces or characters that no token has")
    return Secret(text)


def _proxy(text: str) -> Secret:
    check_proxy_url(text)
    return Secret(text)


def _boolean(node: ScalarNode) -> bool:
    if node.tag == _BOOLEAN:
        return node.value.lower() in ("true", "yes", "on")
    if node.tag == _STRING and node.value.lower() in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError(f"must be true or false without quotes, not {shown(node.value)}")
    raise ValueError(f"must be true or false, not {shown(node.value)}")


def _unit_kind(name: str, wanted: str, parse: Callable[[str], T]) -> Kind[T]:
    def read(node: ScalarNode) -> T:
        try:
            return parse(node.value)
        except ValueError as error:
            raise ValueError(f"{shown(node.value)} {error}") from None

    return Kind(name, wanted, read)


def _number_kind(name: str, wanted: str, pattern: str, convert: Callable[[str], T], example: str) -> Kind[T]:
    def read(node: ScalarNode) -> T:
        text: str = node.value
        if not re.fullmatch(pattern, text):
            raise ValueError(f"must be {wanted} such as {example}, not {shown(text)}")
        if node.tag == _STRING:
            raise ValueError(f"must be {wanted} without quotes: {text}")
        return convert(text)

    return Kind(name, wanted, read)


def _integer(text: str) -> int:
    if int(text) > _MAX_INTEGER:
        raise ValueError(f"must be at most {_MAX_INTEGER}, not {text}")
    return int(text)


def list_of(item: Kind[T], name: str, example: str) -> Kind[tuple[T, ...]]:
    """Return the kind of a list, without duplicates; `example` is for messages."""

    def read(node: ScalarNode) -> tuple[T, ...]:
        raise ValueError(f"must be a list, such as {example}")

    return Kind(name, f"a list, such as {example}", read, item=item)


TEXT = _text_kind("text", str)
CLIENT_ID = _text_kind("text", str, confidential=True)
SECRET = _text_kind("secret text", Secret, confidential=True)
TOKEN = _text_kind("secret text", _token, confidential=True)
FILE = _text_kind("file", Path, "the path of a file")
URL = _text_kind("URL", normalise_base_url, "a URL")
PROXY = _text_kind("URL, may hold a password", _proxy, "a URL", confidential=True)
BOOLEAN = Kind("true or false", "true or false", _boolean)
DURATION = _unit_kind("duration", "a duration such as 30s", parse_duration)
SIZE = _unit_kind("size", "a size such as 64MiB", parse_size)
INTEGER = _number_kind("whole number", "a whole number", r"-?(0|[1-9][0-9]{0,11})", _integer, "4")
NUMBER = _number_kind("number", "a number", r"-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,9})?", float, "2.5")
GLOBS = list_of(TEXT, "list of globs", '["*"]')
TEXTS = list_of(TEXT, "list of texts", "[us_env_abc123]")
DURATIONS = list_of(DURATION, "list of durations", "[30d, 90d]")


def read_value(node: Node, key: Key, place: Place, problems: Problems) -> Any:
    """Return the value; after an error, which is added to the problems, None."""
    if is_null(node) and key.default == "null":
        return None
    try:
        if key.kind.item is not None and isinstance(node, SequenceNode):
            return _read_list(node, key, key.kind.item, place, problems)
        if is_null(node):
            raise ValueError(f"must be {key.kind.wanted}, but is empty")
        if not isinstance(node, ScalarNode):
            raise ValueError(
                f"must be {key.kind.wanted}, not a {'mapping' if isinstance(node, MappingNode) else 'list'}"
            )
        return _within(key.kind.read(node), node.value, key)
    except ValueError as error:
        problems.add(place, str(error))
        return None


def _read_list(node: SequenceNode, key: Key, item: Kind[Any], place: Place, problems: Problems) -> tuple[Any, ...]:
    if key.nonempty and not node.value:
        raise ValueError("must not be empty" + (': write ["*"] for all' if key.kind is GLOBS else ""))
    if len(node.value) > _MAX_ITEMS:
        raise ValueError(f"must not have more than {_MAX_ITEMS} items")
    item_key = Key(key.name, item, minimum=key.minimum)
    items: dict[Any, Place] = {}
    for index, item_node in enumerate(node.value):
        at = place_of(item_node, f"{place.path}[{index}]")
        before = problems.count
        value = read_value(item_node, item_key, at, problems)
        if problems.count > before:
            continue
        if value in items and item is DURATION:
            problems.add(at, f"is the same as {items[value].path}")
        items.setdefault(value, at)
    return tuple(items)


def _within(value: T, text: str, key: Key) -> T:
    low, high, above = map(_parsed, (key.minimum, key.maximum, key.above), (key.kind,) * 3)
    too_low = (low is not None and value < low) or (above is not None and value <= above)
    if too_low or (high is not None and value > high):
        raise ValueError(f"must be {key.bounds}, not {text}")
    return value


def _parsed(text: str | None, kind: Kind[Any]) -> Any:
    node = None if text is None else compose(text)
    return kind.read(node) if isinstance(node, ScalarNode) else None


def default_of(key: Key) -> Any:
    """Return the default as the reader would read it from a file; None where there is none."""
    problems = Problems("default")
    node = None if key.default is None else compose(key.default)
    value = None if node is None else read_value(node, key, Place(1, 1, key.name), problems)
    if problems.count:
        raise ValueError("\n".join(problems.lines()))
    return value


def place_of(node: Node, path: str) -> Place:
    """Return where a node begins."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1, path)
