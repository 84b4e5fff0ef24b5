"""Reads YAML nodes by a schema: settings with their positions, and every error within a single key."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.problems import Place, Problems
from exporter.config.schema import Entry, Key, Section, keys, walk
from exporter.config.values import is_null, nearest, place_of, read_value

BROKEN = object()
"""The value of a key that is written but invalid: checks between keys skip it."""


@dataclass(frozen=True, slots=True)
class Setting:
    value: Any
    place: Place


@dataclass(slots=True)
class Block:
    """The content of one mapping: settings by their path in it (`tls.ca_file`), lists of mappings by their key.

    `sections` has the position of each section that is a mapping, even an empty one.
    """

    place: Place
    settings: dict[str, Setting] = field(default_factory=dict)
    lists: dict[str, list["Block"]] = field(default_factory=dict)
    sections: dict[str, Place] = field(default_factory=dict)


class Reader:
    """Reads one file's nodes. Relative paths in it start at `directory`."""

    def __init__(self, entries: tuple[Entry, ...], directory: Path, problems: Problems) -> None:
        self._entries = entries
        self._directory = directory
        self._problems = problems

    def read(self, node: Node | None) -> Block:
        """Return the content of the file; errors are added to the problems."""
        place = Place(1, 1, "") if node is None else place_of(node, "")
        block = Block(place)
        self._section(node, Section("", "", self._entries), place, block, "")
        return block

    def _section(self, node: Node | None, section: Section, place: Place, block: Block, prefix: str) -> None:
        """Read the keys of a section; nothing or null is a section without keys."""
        pairs: list[tuple[Node, Node]] = []
        if isinstance(node, MappingNode):
            pairs = node.value
        elif node is not None and not is_null(node):
            names = ", ".join(child.name for child in section.children)
            self._problems.add(place_of(node, place.path), f"must be a mapping of keys ({names}), {_instead(node)}")
            self._break(section, block, prefix)
            return
        by_name = {entry.name: entry for entry in section.children}
        seen: dict[str, int] = {}
        meant: set[str] = set()
        for key_node, value_node in pairs:
            if not isinstance(key_node, ScalarNode):
                self._problems.add(place_of(key_node, place.path), "a key must be plain text")
                continue
            name: str = key_node.value
            entry = section.children[0] if section.any_name else by_name.get(name)
            # the name of an unknown key may be a part of a credential, that of a user a person's
            at = place_of(key_node, place.below(name) if name in by_name else place.path)
            if name in seen:
                self._problems.add(at, f"duplicate key (first at line {seen[name]})")
                continue
            seen[name] = at.line
            if entry is None:
                meant |= self._unknown(key_node, value_node, place, by_name)
            else:
                self._entry(value_node, entry, at, block, prefix + name)
        for name, entry in by_name.items():
            if name in meant:
                self._break(entry, block, prefix + name)
            elif entry.required and name not in seen:
                self._problems.add(place, f"missing required key '{name}'")

    def _entry(self, node: Node, entry: Entry, at: Place, block: Block, path: str) -> None:
        if isinstance(entry, Key):
            before = self._problems.count
            place = place_of(node, at.path)
            value = read_value(node, entry, place, self._problems)
            if isinstance(value, Path):
                value = self._directory / value
            block.settings[path] = Setting(BROKEN if self._problems.count > before else value, place)
        elif entry.many:
            block.lists[path] = self._list(node, entry, at)
        else:
            if isinstance(node, MappingNode) or is_null(node):
                block.sections[path] = at
            self._section(node, entry, at, block, path + ".")

    def _break(self, entry: Entry, block: Block, path: str) -> None:
        """Mark the keys of an entry as BROKEN."""
        found = [(path, entry)] if isinstance(entry, Key) else keys(entry.children, path.removesuffix(".") + ".")
        for each, _ in found:
            block.settings[each] = Setting(BROKEN, block.place)

    def _list(self, node: Node, entry: Section, at: Place) -> list[Block]:
        blocks: list[Block] = []
        if is_null(node) and not entry.required:
            return blocks
        if not isinstance(node, SequenceNode):
            item = entry.children[0].name
            self._problems.add(
                place_of(node, at.path), f"must be a list: each entry begins with '- {item}:' on a line of its own"
            )
            return blocks
        if entry.required and not node.value:
            self._problems.add(place_of(node, at.path), "must have at least one entry")
        for index, item_node in enumerate(node.value):
            place = place_of(item_node, f"{at.path}[{index}]")
            if isinstance(item_node, MappingNode):
                block = Block(place)
                self._section(item_node, Section("", "", entry.children), place, block, "")
                blocks.append(block)
            else:
                self._problems.add(place, f"must be a mapping of keys, {_instead(item_node)}")
        return blocks

    def _unknown(self, key: ScalarNode, value: Node, place: Place, known: dict[str, Entry]) -> set[str]:
        """Add the error of an unknown key; return the known key that was probably meant."""
        name: str = key.value
        if self._problems.full:
            self._problems.add(place, "")
            return set()
        if key.tag == "tag:yaml.org,2002:merge":
            self._problems.add(
                place_of(key, place.path), "merge keys ('<<') are not supported: write the keys, or use an alias"
            )
            return set()
        guess = nearest(name, known)
        elsewhere = [] if guess else self._elsewhere(name)
        # What is not a key at all may be a part of a credential (`{client_secret: ab,cd}`), so it is not repeated.
        is_word = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,40}", name, re.ASCII) is not None
        shows = guess is not None or bool(elsewhere) or (is_word and not is_null(value))
        at = place_of(key, place.below(name if is_word else "…") if shows else place.path)
        if guess:
            self._problems.add(at, f"unknown key; did you mean '{guess}'?")
        elif elsewhere:
            self._problems.add(at, f"unknown key here; it belongs to {' or '.join(elsewhere)}")
        else:
            self._problems.add(at, f"unknown key; known here: {', '.join(known)}")
        return {guess} if guess else set()

    def _elsewhere(self, name: str) -> list[str]:
        """Return the paths of a known key of that name, such as `requests.timeout`; nothing if there are many."""
        paths = [path for path, entry in walk(self._entries) if entry.name == name]
        # what may stand at the top and in an account is named once
        paths = [
            path
            for path in paths
            if path.removeprefix("accounts[].") == path or path.removeprefix("accounts[].") not in paths
        ]
        return paths if len(paths) <= 3 else []


def _instead(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return "but is empty" if is_null(node) else "not a single value"
    return "not a list" if isinstance(node, SequenceNode) else "not a mapping"
