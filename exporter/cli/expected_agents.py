"""What is deployed as `expected_agents` of a configuration, which expect just that. Pure."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.config.problems import Place, Problems
from exporter.config.schema import Key
from exporter.config.values import TEXT, read_value
from exporter.config.yaml_tree import YamlError, compose
from exporter.core.printable import printable

INDENT = "    "  # of the keys of an account in the configuration's examples
_TEXT = Key("text", TEXT)
_PLAIN = re.compile(r"[A-Za-z0-9_.-]+")
_SPECIAL = re.compile(r"([*?[])")
Named = tuple[str, str]
"""A name and an id."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A deployed agent; `name` is its id again where it has no slug. `system`: it is Flatfile's own."""

    id: str
    name: str
    system: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment and what is deployed there. `agents` `None`: that could not be listed, and `why`."""

    id: str
    name: str
    agents: Sequence[Agent] | None
    why: str = ""


def written(account: str, environments: Sequence[Environment], why: str = "") -> str:
    """Write an account's `expected_agents` as lines of YAML, indented so that they can stand below the account's name.

    `why` says why the environments could not be listed. What cannot be said in a configuration is left out, with a comment.
    """
    lines = [f"# account {printable(account)}"]
    if why:
        lines.append(f"# its environments could not be listed ({printable(why)}): what is deployed is not known")
        return _indented(lines)
    places = [(environment.name, environment.id) for environment in environments]
    parts = [[*_part(environment, places)] for environment in sorted(environments, key=lambda env: (env.name, env.id))]
    if any(line.startswith("- ") for part in parts for line in part):
        lines.append("expected_agents:")
    elif all(environment.agents is not None for environment in environments):
        lines.append("expected_agents: []")
    lines += [f"  {line}" for part in parts for line in part]
    return _indented(lines)


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"{INDENT}{line}\n" for line in lines)


def _part(environment: Environment, places: Sequence[Named]) -> Iterator[str]:
    """What is said of one environment: comments and, where there is something to expect, an entry of the list."""
    heading = f"# {_called(environment.name, environment.id)}"
    if environment.agents is None:
        yield f"{heading}: its agents could not be listed ({printable(environment.why)}), so none is expected here"
        return
    agents = sorted(environment.agents, key=lambda agent: (agent.name, agent.id))
    own = [agent for agent in agents if not agent.system]
    names = [(agent.name, agent.id) for agent in agents]
    place = _glob(environment.name, environment.id, places)
    globs = [_glob(agent.name, agent.id, names) for agent in own] if place is not None else [None] * len(own)
    nothing = ": no agent is deployed" + (" but Flatfile's own" if agents else "")
    yield heading if own else heading + nothing
    for agent in agents:
        if agent.system:
            yield f"#   Flatfile's own: {_called(agent.name, agent.id)}"
    for agent, glob in zip(own, globs, strict=True):
        if glob is None:
            yield f"#   left out, for no text of a configuration means it alone: {_called(agent.name, agent.id)}"
    if place is None or not any(globs):
        return
    yield f"- environment: {quoted(place)}"
    yield f"  # min: {len(own)}"
    yield "  agents:"
    for agent, glob in zip(own, globs, strict=True):
        if glob is not None:
            yield f"    - {quoted(glob)}  # {printable(agent.id if glob == _literal(agent.name) else agent.name)}"


def _glob(name: str, id_: str, all_: Sequence[Named]) -> str | None:
    """What means this one of all, preferably by its name: a text that a configuration can hold. `None`: nothing does."""
    for text in (name, id_):
        glob = _literal(text)
        meant = sum(fnmatchcase(other, glob) or fnmatchcase(other_id, glob) for other, other_id in all_)
        if meant == 1 and _can_be_held(glob):
            return glob
    return None


def _literal(text: str) -> str:
    """A glob that matches this text alone."""
    return _SPECIAL.sub(r"[\1]", text)


def _can_be_held(text: str) -> bool:
    """Whether a configuration gives the text back: it takes no line breaks, and no spaces at the ends."""
    problems = Problems("")
    try:
        node = compose(quoted(text))
    except YamlError:
        return False
    return node is not None and read_value(node, _TEXT, Place(1, 1, ""), problems) == text and not problems.count


def quoted(text: str) -> str:
    """Write a text as one YAML scalar: as it is where that is the same, else in double quotes."""
    if _PLAIN.fullmatch(text):
        try:
            node = compose(text)
        except YamlError:
            node = None
        if node is not None and node.tag == "tag:yaml.org,2002:str" and node.value == text:
            return text
    return '"' + "".join(map(_in_quotes, text)) + '"'


def _in_quotes(c: str) -> str:
    if c in '"\\':
        return "\\" + c
    return c if c.isprintable() else f"\\U{ord(c):08X}"


def _called(name: str, id_: str) -> str:
    """How comments name something: no line break in a name ends the comment."""
    return printable(name) if name == id_ else f"{printable(name)} ({printable(id_)})"
