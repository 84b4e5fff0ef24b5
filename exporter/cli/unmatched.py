"""Patterns of the configuration that match nothing in the account. Pure."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from exporter.cli.expected_agents import Agent, Environment
from exporter.config import AccountConfig


def unmatched(config: AccountConfig, all_: Sequence[Environment], selected: Sequence[Environment]) -> Iterator[str]:
    """Yield sentences on patterns that match none of all environments of the account, or of the `selected` ones and their agents.

    An environment whose agents are not known says nothing about agents.
    """
    if all_ and not selected:
        yield "environments.include and environments.exclude select no environment: most metrics will be missing."
    for pattern in config.environments.include:
        if pattern != "*" and not any(_matches(pattern, environment) for environment in all_):
            yield f"environments.include: no environment matches {pattern!r}."
    for expected in config.expected_agents:
        places = [environment for environment in selected if _matches(expected.environment, environment)]
        if not places:
            there = any(_matches(expected.environment, environment) for environment in all_)
            why = "only environments that are not selected match" if there else "no environment matches"
            yield f"expected_agents: {why} {expected.environment!r}."
        for place in places:
            for pattern in expected.agents:
                if place.agents is not None and not any(_matches(pattern, agent) for agent in place.agents):
                    yield f"expected_agents: no agent in environment {place.name!r} matches {pattern!r}."


def _matches(pattern: str, thing: Environment | Agent) -> bool:
    return fnmatchcase(thing.name, pattern) or fnmatchcase(thing.id, pattern)
