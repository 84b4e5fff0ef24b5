"""YAML nodes against the schema: settings with their places, and every problem that can be seen in one key alone."""

import re
from dataclasses import dataclass, field

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.keys import ROOT
from exporter.config.problems import Place, Problems
from exporter.config.schema import Entry, Key, Section, Sections, walk
from exporter.config.values import Value, is_null, nearest, read_value


@dataclass(frozen=True, slots=True)
class Setting:
    """A value that the file holds, and where."""

    value: Value
    place: Place


@dataclass(slots=True)
class Block:
    """What one mapping holds: settings by their path below it (`tls.ca_file`), lists of mappings by their key.

    `places` has each key and section that is written, `broken` those of them that cannot be used; a broken
    section stands for all that is below it.
    """

    place: Place
    settings: dict[str, Setting] = field(default_factory=dict)
    lists: dict[str, list["Block"]] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)

    def is_broken(self, path: str) -> bool:
        """True when the key, or a section that it is in, is written but unusable."""
        parts = path.split(".")
        return any(".".join(parts[:length]) in self.broken for length in range(1, len(parts) + 1))


class Reader:
    """Reads one file's nodes."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def root(self, node: Node | None) -> Block | None:
        """The whole file; None where it is no mapping at all (that is added as a problem)."""
        place = Place(1, 1, "") if node is None else _place(node, "")
        if node is None or is_null(node):
            self._problems.add(place, "the file holds no configuration: it needs at least the key 'accounts'")
            return None
        if not isinstance(node, MappingNode):
            self._problems.add(place, f"the file must be a mapping with the key 'accounts', {_instead(node)}")
            return None
        block = Block(place)
        self._mapping(node, ROOT, place, block, "")
        return block

    def _mapping(self, node: MappingNode, entries: tuple[Entry, ...], place: Place, block: Block, prefix: str) -> None:
        by_name = {entry.name: entry for entry in entries}
        seen: dict[str, int] = {}
        meant: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problems.add(_place(key_node, place.path), "a key must be plain text")
                continue
            name: str = key_node.value
            at = _place(key_node, place.below(name))
            if name in seen:
                self._problems.add(at, f"duplicate key (first at line {seen[name]})")
                continue
            seen[name] = at.line
            entry = by_name.get(name)
            if entry is None:
                meant |= self._unknown(key_node, value_node, place, list(by_name))
            else:
                self._entry(value_node, entry, at, block, prefix + name)
        for entry in entries:
            missing = isinstance(entry, Key | Sections) and entry.required and entry.name not in seen
            if missing and entry.name not in meant:
                self._problems.add(place, f"missing required key '{entry.name}'")
            if entry.name in meant:
                block.broken.add(prefix + entry.name)

    def _entry(self, node: Node, entry: Entry, at: Place, block: Block, path: str) -> None:
        before = self._problems.count
        block.places[path] = at
        match entry:
            case Key():
                value_place = Place(node.start_mark.line + 1, node.start_mark.column + 1, at.path)
                value = read_value(node, entry, value_place, self._problems)
                if self._problems.count == before:
                    block.settings[path] = Setting(value, value_place)
            case Section():
                if isinstance(node, MappingNode):
                    self._mapping(node, entry.children, at, block, path + ".")
                    return  # what is broken in it is noted by itself
                if not is_null(node):
                    self._problems.add(_place(node, at.path), self._not_a_mapping(node, entry))
            case Sections():
                block.lists[path] = self._list(node, entry, at)
        if self._problems.count > before:
            block.broken.add(path)

    def _list(self, node: Node, entry: Sections, at: Place) -> list[Block]:
        blocks: list[Block] = []
        if is_null(node) and not entry.required:
            return blocks
        if not isinstance(node, SequenceNode):
            item = entry.children[0].name
            self._problems.add(
                _place(node, at.path), f"must be a list: each entry begins with '- {item}:' on a line of its own"
            )
            return blocks
        if entry.required and not node.value:
            self._problems.add(_place(node, at.path), "must have at least one entry")
        for index, item_node in enumerate(node.value):
            place = _place(item_node, f"{at.path}[{index}]")
            if isinstance(item_node, MappingNode):
                block = Block(place)
                self._mapping(item_node, entry.children, place, block, "")
                blocks.append(block)
            else:
                self._problems.add(place, f"must be a mapping of keys, {_instead(item_node)}")
        return blocks

    def _not_a_mapping(self, node: Node, section: Section) -> str:
        names = ", ".join(child.name for child in section.children)
        return f"must be a mapping of keys ({names}), {_instead(node)}"

    def _unknown(self, key: ScalarNode, value: Node, place: Place, known: list[str]) -> set[str]:
        """Adds the problem of an unknown key; gives the known key that was probably meant."""
        name: str = key.value
        if self._problems.full:
            self._problems.add(place, "")
            return set()
        if key.tag == "tag:yaml.org,2002:merge":
            at = _place(key, place.path)
            self._problems.add(
                at, "merge keys ('<<') are not supported: what holds for all accounts can stand at the top"
            )
            return set()
        guess = nearest(name, known)
        elsewhere = [] if guess else _elsewhere(name)
        # What is no key at all may be a part of a credential (`{client_secret: ab,cd}`), so it is not repeated.
        is_word = re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,40}", name, re.ASCII) is not None
        shows = guess is not None or bool(elsewhere) or (is_word and not is_null(value))
        at = _place(key, place.below(name if is_word else "…") if shows else place.path)
        if guess:
            self._problems.add(at, f"unknown key; did you mean '{guess}'?")
        elif elsewhere:
            self._problems.add(at, f"unknown key here; it belongs to {' or '.join(elsewhere)}")
        else:
            self._problems.add(at, f"unknown key; known here: {', '.join(known)}")
        return {guess} if guess else set()


def _elsewhere(name: str) -> list[str]:
    """Where a key of that name belongs, such as `requests.timeout` for `timeout`; nothing when that could be anywhere."""
    paths = [path for path, entry in walk(ROOT) if entry.name == name]
    # what may stand at the top and in an account is named once
    paths = [
        path
        for path in paths
        if path.removeprefix("accounts[].") == path or path.removeprefix("accounts[].") not in paths
    ]
    return paths if len(paths) <= 3 else []


def _place(node: Node, path: str) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1, path)


def _instead(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return "but nothing stands here" if is_null(node) else "not a single value"
    return "not a list" if isinstance(node, SequenceNode) else "not a mapping"
