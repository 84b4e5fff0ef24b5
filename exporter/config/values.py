"""One YAML node to one value of the kind that its key wants, with the range checked."""

import difflib
import re
from pathlib import Path

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.problems import Place, Problems
from exporter.config.schema import Key, Kind
from exporter.config.url import check_proxy_url, normalise_base_url
from exporter.core.secret import Secret
from exporter.core.units import parse_duration, parse_size

Value = None | bool | int | float | str | Path | Secret | tuple[str, ...] | tuple[float, ...]

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
_ARTICLES = {
    Kind.DURATION: "a duration such as 30s",
    Kind.SIZE: "a size such as 64MiB",
    Kind.INTEGER: "a whole number",
    Kind.NUMBER: "a number",
    Kind.BOOLEAN: "true or false",
    Kind.URL: "a URL",
    Kind.PROXY: "a URL",
    Kind.FILE: "the path of a file",
}


def shown(text: str) -> str:
    """A text from the file for a message: in quotes, on one line, and not endless. Never for a credential."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def nearest(word: str, known: list[str]) -> str | None:
    """The known word that was probably meant: also for `clientId` and `client-id`."""
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word[:60]).lower().replace("-", "_")
    found = difflib.get_close_matches(plain, known, n=1)
    return found[0] if found else None


def read_value(node: Node, key: Key, place: Place, problems: Problems) -> Value:
    """The value; where there is a problem it is added, and what comes back (None) is of no use."""
    wants_list = key.kind in (Kind.GLOBS, Kind.DURATIONS)
    if is_null(node) and key.default == "null":
        return None
    if wants_list and isinstance(node, SequenceNode):
        return _read_list(node, key, place, problems)
    try:
        if wants_list:
            raise ValueError(_not_a_list(node, key))
        return _read_scalar(node, key)
    except ValueError as error:
        problems.add(place, str(error))
        return None


def is_null(node: Node) -> bool:
    """True for nothing, `null` and `~`."""
    return isinstance(node, ScalarNode) and node.tag == _NULL


def _not_a_list(node: Node, key: Key) -> str:
    example = '["*"]' if key.kind is Kind.GLOBS else "[30d, 90d]"
    if isinstance(node, ScalarNode) and not is_null(node):
        written = node.value if key.kind is Kind.DURATIONS else f'"{node.value}"'
        example = f"[{written}]" if not _CONTROL.search(node.value) and len(node.value) < 40 else example
    return f"must be a list, such as {example}"


def _read_list(node: SequenceNode, key: Key, place: Place, problems: Problems) -> Value:
    if key.nonempty and not node.value:
        problems.add(place, "must not be empty" + (': write ["*"] for all' if key.kind is Kind.GLOBS else ""))
    if len(node.value) > _MAX_ITEMS:
        problems.add(place, f"must not have more than {_MAX_ITEMS} items")
        return None
    kind = Kind.TEXT if key.kind is Kind.GLOBS else Kind.DURATION
    item_key = Key(key.name, kind, None, key.meaning, minimum=key.minimum)
    items: dict[Value, Place] = {}
    for index, item in enumerate(node.value):
        at = Place(item.start_mark.line + 1, item.start_mark.column + 1, f"{place.path}[{index}]")
        before = problems.count
        value = read_value(item, item_key, at, problems)
        if problems.count > before:
            continue
        if value in items and key.kind is Kind.DURATIONS:
            problems.add(at, f"is the same as {items[value].path}")
        items.setdefault(value, at)
    return tuple(items)  # type: ignore[return-value]  # all items are of the one kind


def _read_scalar(node: Node, key: Key) -> Value:
    if not isinstance(node, ScalarNode):
        raise ValueError(f"must be {_wanted(key)}, not a {'mapping' if isinstance(node, MappingNode) else 'list'}")
    if is_null(node):
        raise ValueError(f"must be {_wanted(key)}, but nothing stands here")
    match key.kind:
        case Kind.BOOLEAN:
            return _read_boolean(node)
        case Kind.INTEGER | Kind.NUMBER | Kind.DURATION | Kind.SIZE:
            return _within(_read_number(node, key.kind), node.value, key)
        case _:
            return _read_text(node, key)


def _wanted(key: Key) -> str:
    return _ARTICLES.get(key.kind, "text")


def _read_boolean(node: ScalarNode) -> bool:
    if node.tag == "tag:yaml.org,2002:bool":
        return node.value.lower() in ("true", "yes", "on")
    if node.tag == _STRING and node.value.lower() in ("true", "false", "yes", "no", "on", "off"):
        raise ValueError(f"must be true or false without quotes, not {shown(node.value)}")
    raise ValueError(f"must be true or false, not {shown(node.value)}")


def _read_number(node: ScalarNode, kind: Kind) -> int | float:
    text = node.value
    if kind is Kind.DURATION or kind is Kind.SIZE:
        try:
            return parse_duration(text) if kind is Kind.DURATION else parse_size(text)
        except ValueError as error:
            raise ValueError(f"{shown(text)} {error}") from None
    number = re.fullmatch(r"-?(0|[1-9][0-9]{0,11})" + (r"(\.[0-9]{1,9})?" if kind is Kind.NUMBER else ""), text)
    what = "number" if kind is Kind.NUMBER else "whole number"
    if number is None:
        raise ValueError(f"must be a {what} such as {'2.5' if kind is Kind.NUMBER else '4'}, not {shown(text)}")
    if node.tag == _STRING:
        raise ValueError(f"must be a {what} without quotes: {text}")
    return float(text) if kind is Kind.NUMBER else int(text)


def _within(number: int | float, text: str, key: Key) -> int | float:
    low, high, above = (
        None if bound is None else _bound(bound, key.kind) for bound in (key.minimum, key.maximum, key.above)
    )
    if high is None and key.kind is Kind.INTEGER:
        high = _MAX_INTEGER
    if (low is not None and number < low) or (above is not None and number <= above) or number < 0:
        raise ValueError(f"must be {key.bounds or 'at least 0'}, not {text}")
    if high is not None and number > high:
        raise ValueError(f"must be {key.bounds if key.maximum else f'at most {_MAX_INTEGER}'}, not {text}")
    return number


def _bound(text: str, kind: Kind) -> int | float:
    match kind:
        case Kind.DURATION:
            return parse_duration(text)
        case Kind.SIZE:
            return parse_size(text)
        case _:
            return float(text)


def _read_text(node: ScalarNode, key: Key) -> Value:
    text: str = node.value
    if node.tag != _STRING:
        reading = _WORD_TAGS.get(node.tag, "has a meaning of its own in YAML")
        if key.kind in (Kind.CREDENTIAL, Kind.PROXY) or key.name == "client_id":
            raise ValueError(f"must be text, but without quotes this value {reading}: put it in quotes")
        raise ValueError(f'must be text, but {text}, without quotes, {reading}: write "{text}"')
    if node.style in ("|", ">") and text.endswith("\n"):
        raise ValueError(f"must be one line: '{node.style}' puts a line break at the end, write it after the key")
    check_text(text)
    if _VARIABLE.fullmatch(text):
        raise ValueError(
            "environment variables are not read in this file: write the value, or for a credential use its _file key"
        )
    return text_value(text, key)


def check_text(text: str) -> None:
    """Raises ValueError for what no text of a configuration looks like."""
    if not text.strip():
        raise ValueError("must not be empty")
    if _CONTROL.search(text):
        raise ValueError("must be one line without control characters")
    if text != text.strip():
        raise ValueError("must not begin or end with a space")


def text_value(text: str, key: Key) -> Value:
    """A text as the kind of the key has it. Raises ValueError, which does not repeat the text."""
    match key.kind:
        case Kind.CREDENTIAL:
            return Secret(_checked_credential(text, key.name))
        case Kind.PROXY:
            check_proxy_url(text)
            return Secret(text)
        case Kind.URL:
            return normalise_base_url(text)
        case Kind.FILE:
            return Path(text)
        case _:
            return text


def _checked_credential(text: str, name: str) -> str:
    if name == "access_token":
        if text.lower().startswith("bearer "):
            raise ValueError("must be the token alone, without the word Bearer")
        if not re.fullmatch(r"[!-~]+", text):
            raise ValueError("holds spaces or characters that no token has")
    return text
