"""Agents that are deployed now as `expected_agents` of a configuration. Pure."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

import yaml

from exporter.config import ConfigError, matches, parse
from exporter.core.printable import printable

_SPECIAL = re.compile(r"([*?[])")
Named = tuple[str, str]
"""A name and an id."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A deployed agent. `name` is its slug, or its id if it has none. `system`: the agent is Flatfile's own."""

    id: str
    name: str
    system: bool


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment and its agents; `agents` is `None` if they could not be listed, for the reason `why`."""

    id: str
    name: str
    agents: Sequence[Agent] | None
    why: str = ""


def expected_agents(account: str, environments: Sequence[Environment], why: str = "") -> str:
    """Return the YAML for an account, indented to be pasted below the account's name.

    `why` is the reason if the environments could not be listed. What a configuration cannot hold is a comment.
    """
    names = [(environment.name, environment.id) for environment in environments]
    entries = "".join(_entry(each, names) for each in sorted(environments, key=lambda each: (each.name, each.id)))
    if why:
        text = f"# the environments could not be listed ({printable(why)})\n"
    elif re.search("^- ", entries, re.MULTILINE):
        text = "expected_agents:\n" + indent(entries, "  ")
    elif all(environment.agents is not None for environment in environments):
        text = "expected_agents: []\n" + indent(entries, "  ")
    else:
        text = indent(entries, "  ")
    return indent(f"# account {printable(account)}\n{text}", "    ")


def _entry(environment: Environment, environments: Sequence[Named]) -> str:
    """Return comments on an environment and, if agents can be expected there, an entry of the list."""
    heading = f"# {_called(environment)}"
    if environment.agents is None:
        return f"{heading}: the agents could not be listed ({printable(environment.why)})\n"
    agents = sorted(environment.agents, key=lambda agent: (agent.name, agent.id))
    own = [agent for agent in agents if not agent.system]
    lines = [heading if own else f"{heading}: no agents deployed"]
    lines += [f"#   Flatfile's own: {_called(agent)}" for agent in agents if agent.system]
    names = [(agent.name, agent.id) for agent in agents]
    place = _glob(environment.name, environment.id, environments)
    globs = []
    for agent in own:
        glob = None if place is None else _glob(agent.name, agent.id, names)
        if glob is None:
            lines.append(f"#   omitted, no glob matches only this one: {_called(agent)}")
            continue
        globs.append(glob)
        if glob != _literal(agent.name):
            lines.append(f"#   {_called(agent)}")
    text = "".join(f"{line}\n" for line in lines)
    if not globs:
        return text
    return f"{text}{_dump([{'environment': place, 'agents': globs}])}  # min: {len(own)}\n"


def _dump(value: object) -> str:
    """Return YAML in which every character can be printed."""
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=math.inf)
    if text.replace("\n", "").isprintable():
        return text
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=False, width=math.inf)


def _glob(name: str, id_: str, all_: Sequence[Named]) -> str | None:
    """Return a glob that matches only this one of all, the name if possible; `None` if there is none."""
    for text in (name, id_):
        glob = _literal(text)
        if sum(matches([glob], *other) for other in all_) == 1 and _is_valid(glob):
            return glob
    return None


def _literal(text: str) -> str:
    """Return a glob that matches this text alone."""
    return _SPECIAL.sub(r"[\1]", text)


def _is_valid(glob: str) -> bool:
    """Tell whether a configuration can hold the glob: control characters, for example, it cannot."""
    account = {"name": "a", "auth": {"access_token": "x"}, "expected_agents": [{"environment": "a", "agents": [glob]}]}
    try:
        return parse(_dump({"accounts": [account]}), "").accounts[0].expected_agents[0].agents == (glob,)
    except ConfigError:
        return False


def _called(thing: Environment | Agent) -> str:
    """Return name and id for a comment."""
    return printable(thing.name) if thing.name == thing.id else f"{printable(thing.name)} ({printable(thing.id)})"
