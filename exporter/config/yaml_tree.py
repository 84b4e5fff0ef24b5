"""Parses YAML text to nodes with their positions, and explains each syntax error in one line.

Nodes and not Python values, because PyYAML's values have lost the place, the duplicate keys, and what was written
(`no` is False by then, `10:30` is 630). No message repeats a part of the text: it could be a credential.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.nodes import Node

MAX_CHARACTERS = 1 << 20
_MAX_DEPTH = 40
_MAX_VALUES = 200_000

_QUOTE = "a text that begins with {} must be quoted"
# (what PyYAML says, as a pattern over its context and its problem; what to say; the place: of the problem or context)
_WORDS: tuple[tuple[str, str, bool], ...] = (
    (r"character '\\t' that cannot start", "tab in the indentation: YAML indents with spaces", True),
    (r"character '[%@`|>]' that cannot start", _QUOTE.format("%, @, `, | or >"), True),
    (r"simple key.*expected ':'", "this line has a key without ':'", False),
    (
        r"mapping values are not allowed",
        "unexpected ':': is one missing in the line above, or a space after it, or a quote?",
        True,
    ),
    (r"sequence entries are not allowed", "unexpected '-': it begins a line of its own", True),
    (r"invalid indentation or unclosed", "the indentation is wrong, or a '[' or '{' above is never closed", True),
    (r"quoted scalar.*(end of stream|document separator)", "this quote is never closed", False),
    (
        r"unknown escape|escape sequence",
        "a backslash in double quotes begins an escape: use single quotes, or \\\\",
        True,
    ),
    (r"block (collection|mapping).*<block end>", "this line is indented differently from those before", True),
    (r"flow sequence.*','", "a ',' or the closing ']' is missing before this place", True),
    (r"flow mapping.*','", "a ',' or the closing '}' is missing before this place", True),
    (r"scanning an alias|undefined alias", _QUOTE.format("'*'") + ', such as "*" or "prod-*"', True),
    (r"scanning an anchor", _QUOTE.format("'&'"), True),
    (r"duplicate anchor", "this anchor (&name) was already used above", True),
    (r"\btag\b", _QUOTE.format("'!'") + "; tags are not supported", True),
    (r"block scalar", "after '|' or '>' the text must begin on the next line", True),
    (r"single document", "there is a second document ('---') in the file: only one is allowed", True),
    (r"incompatible", "the first line requires a YAML version other than 1.1 or 1.2: remove it", True),
    (r"directive", "a line that begins with '%' is not allowed here", True),
    (r"<document start>", "unexpected content: a configuration is one mapping of keys", True),
    (r"node content", "a value is missing here", True),
)


class YamlError(Exception):
    """A text that cannot be read as one YAML document. `line` and `column` count from 1."""

    def __init__(self, line: int, column: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.column = column
        self.message = message


class _Loader(yaml.SafeLoader):
    """A loader that refuses tags, which a configuration does not need, and what would exhaust stack or memory."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values: dict[int, int] = {}  # id of a finished node -> values in it, an alias counted wherever it stands

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        if getattr(event, "tag", None) is not None:
            raise _at(event.start_mark, _QUOTE.format("'!'") + "; tags are not supported")
        if self._depth >= _MAX_DEPTH:
            raise _at(event.start_mark, f"more than {_MAX_DEPTH} levels of nesting")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        if node is None:
            return None
        if not isinstance(event, yaml.AliasEvent):
            self._values[id(node)] = 1 + sum(self._values[id(child)] for child in _children(node))
        elif id(node) not in self._values:
            raise _at(event.start_mark, "this alias is inside the node that it refers to")
        if self._values[id(node)] > _MAX_VALUES:
            raise _at(event.start_mark, f"more than {_MAX_VALUES} values, counting the content of each alias")
        return node


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def compose(text: str) -> Node | None:
    """Return the document's node, None for an empty document. Raises YamlError."""
    if len(text) > MAX_CHARACTERS:
        raise YamlError(1, 1, f"the file is longer than {MAX_CHARACTERS} characters")
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1
        # from None here and below: a traceback would carry the text, and with it any credential
        raise YamlError(
            line, column, f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        ) from None
    try:
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _explained(error) from None
    except (ValueError, OverflowError):  # PyYAML on "\U99999999" and on a version number of thousands of digits
        raise _at(loader.get_mark(), "an escape or number before this place is out of range") from None
    finally:
        loader.dispose()


def _at(mark: Any, message: str) -> YamlError:  # PyYAML has two classes of marks without a common base
    return YamlError(1, 1, message) if mark is None else YamlError(mark.line + 1, mark.column + 1, message)


def _explained(error: yaml.MarkedYAMLError) -> YamlError:
    said = f"{error.context or ''} {error.problem or ''}"
    known = (words for words in _WORDS if re.search(words[0], said))
    _, message, at_problem = next(known, ("", "this is not valid YAML", True))
    return _at((error.problem_mark if at_problem else error.context_mark) or error.problem_mark, message)
