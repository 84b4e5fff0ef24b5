"""YAML nodes to plain values of the web configuration, each problem with its place. No secret is ever repeated."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.problems import Place, Problems
from exporter.config.schema import Key, Kind
from exporter.config.values import is_null, nearest, read_value, shown
from exporter.web_config.names import SECTIONS

T = TypeVar("T")

_STRING = "tag:yaml.org,2002:str"
_BOOLEAN = "tag:yaml.org,2002:bool"
_MERGE = "tag:yaml.org,2002:merge"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# what Go's time.ParseDuration takes
_DURATION = re.compile(r"0|(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class Entry:
    """One key's value and where it stands."""

    node: Node
    place: Place


class Nodes:
    """Reads nodes of one file. Where there is a problem it is added, and what comes back is of no use."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def mapping(self, node: Node, place: Place, known: Collection[str]) -> dict[str, Entry]:
        """The entries under known keys; nothing for null. An unknown key is a problem."""
        entries: dict[str, Entry] = {}
        for key, entry in self.pairs(node, place, ", ".join(known)):
            name: str = key.value
            if name in known:
                path = place.below(name)
                entries[name] = Entry(entry.node, Place(entry.place.line, entry.place.column, path))
            else:
                self._unknown(key, place, known)
        return entries

    def pairs(self, node: Node, place: Place, of_what: str) -> list[tuple[ScalarNode, Entry]]:
        """Every key, whatever it is, with its entry; a key that comes twice is a problem."""
        if is_null(node):
            return []
        if not isinstance(node, MappingNode):
            what = "list" if isinstance(node, SequenceNode) else "single value"
            self._problems.add(place_of(node, place.path), f"must be a mapping of keys ({of_what}), not a {what}")
            return []
        found = []
        seen: dict[str, int] = {}
        for key, value in node.value:
            at = place_of(key, place.path)
            if not isinstance(key, ScalarNode) or key.tag == _MERGE:
                self._problems.add(at, "a key must be plain text")
            elif key.value in seen:
                self._problems.add(at, f"duplicate key (first at line {seen[key.value]})")
            else:
                seen[key.value] = at.line
                found.append((key, Entry(value, place_of(value, place.path))))
        return found

    def _unknown(self, key: ScalarNode, place: Place, known: Collection[str]) -> None:
        name: str = key.value
        guess = closest(name, known)
        elsewhere = [f"{section}.{name}" for section, keys in SECTIONS.items() if name in keys]
        # What is no key at all may be a part of a secret (`{key: ab,cd}`), so it is not repeated.
        shows = guess is not None or elsewhere or _WORD.fullmatch(name)
        at = place_of(key, place.below(name if shows and _WORD.fullmatch(name) else "…"))
        if guess:
            self._problems.add(at, f"unknown key; did you mean '{guess}'?")
        elif elsewhere:
            self._problems.add(at, f"unknown key here; it belongs to {' or '.join(elsewhere)}")
        else:
            self._problems.add(at, f"unknown key; known here: {', '.join(known)}")

    def file(self, entry: Entry, directory: Path) -> Path | None:
        """The path of a file, which may be relative to `directory`."""
        value = read_value(entry.node, Key("", Kind.FILE, None, ""), entry.place, self._problems)
        return directory / value if isinstance(value, Path) else None

    def boolean(self, entry: Entry) -> bool:
        """True or false."""
        node = entry.node
        if isinstance(node, ScalarNode) and node.tag == _BOOLEAN:
            return node.value.lower() in ("true", "yes", "on")
        self._problems.add(entry.place, "must be true or false, without quotes")
        return False

    def count(self, entry: Entry) -> int:
        """A whole number from 0 on."""
        node = entry.node
        if isinstance(node, ScalarNode) and _COUNT.fullmatch(node.value):
            return int(node.value)
        self._problems.add(entry.place, "must be a whole number such as 50")
        return 0

    def pem(self, entry: Entry) -> str | None:
        """A PEM text of several lines."""
        node = entry.node
        if isinstance(node, ScalarNode) and node.tag == _STRING and "-----BEGIN " in node.value:
            return str(node.value)
        self._problems.add(entry.place, "must be PEM text: write '|' after the key and the text below it, indented")
        return None

    def word(self, entry: Entry, known: Mapping[str, T]) -> T | None:
        """What a known word stands for."""
        node = entry.node
        if not isinstance(node, ScalarNode) or is_null(node):
            self._problems.add(entry.place, f"must be one of {', '.join(known)}")
            return None
        if node.value in known:
            return known[node.value]
        guess = closest(node.value, known)
        # What is like none of the words may have slipped here from a place for secrets.
        self._problems.add(
            entry.place,
            f"{shown(node.value)} is not known; did you mean '{guess}'?"
            if guess
            else f"must be one of {', '.join(known)}",
        )
        return None

    def items(self, entry: Entry) -> list[Entry]:
        """The entries of a list; nothing for null."""
        if is_null(entry.node):
            return []
        if not isinstance(entry.node, SequenceNode):
            self._problems.add(entry.place, "must be a list")
            return []
        path = entry.place.path
        return [Entry(node, place_of(node, f"{path}[{index}]")) for index, node in enumerate(entry.node.value)]

    def text(self, entry: Entry) -> str | None:
        """One line of text, maybe empty; numbers and the like are taken as they are written."""
        node = entry.node
        if not isinstance(node, ScalarNode) or is_null(node):
            self._problems.add(entry.place, "must be text")
        elif _CONTROL.search(node.value) or not node.value.isascii():
            self._problems.add(entry.place, "must be one line of ASCII characters")
        else:
            return str(node.value)
        return None

    def duration(self, entry: Entry) -> float:
        """Seconds of a duration as Go writes it."""
        node = entry.node
        text = node.value if isinstance(node, ScalarNode) else ""
        if _DURATION.fullmatch(text):
            return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
        hint = f", write {text}s for seconds" if text.isascii() and text.isdigit() else " such as 1s, 500ms or 1m30s"
        self._problems.add(entry.place, f"must be a duration with a unit{hint}")
        return 0.0


def place_of(node: Node, path: str) -> Place:
    """Where a node begins."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1, path)


def closest(word: str, known: Collection[str]) -> str | None:
    """The known word that was probably meant, whatever its case and hyphens."""
    plain = {name.lower().replace("-", "_"): name for name in known}
    guess = nearest(word, list(plain))
    return plain[guess] if guess else None
