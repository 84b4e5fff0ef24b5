"""What the configuration names and the account does not have, as sentences for the user."""

from exporter.config import AccountConfig, matches
from exporter.store.database import Connection


def unmatched_environments(db: Connection, config: AccountConfig) -> list[str]:
    """Return sentences on environments that the configuration names, given those listed last."""
    listed = db.execute("SELECT id, name, selected FROM environment").fetchall()
    found = []
    if not listed:
        found.append("Flatfile lists no environment for these credentials: most metrics will be missing.")
    elif not any(selected for *_, selected in listed):
        found.append(
            "environments.include and environments.exclude select no environment: most metrics will be missing."
        )
    found += (
        f"environments.include: no environment matches {pattern!r}."
        for pattern in config.environments.include
        if pattern != "*" and not any(matches([pattern], *names) for *names, _ in listed)
    )
    for pattern in dict.fromkeys(expected.environment for expected in config.expected_agents):
        selected = [selected for *names, selected in listed if matches([pattern], *names)]
        if not any(selected):
            why = "only environments that are not selected match" if selected else "no environment matches"
            found.append(f"expected_agents: {why} {pattern!r}.")
    return found


def unmatched_agents(db: Connection, config: AccountConfig) -> list[str]:
    """Return sentences on expected agents that are not deployed, in the environments whose agents are known."""
    if not config.expected_agents:
        return []
    query = "SELECT id, name FROM environment JOIN known ON environment_id = id WHERE collector = 'agents' AND shown"
    environments = db.execute(f"{query} ORDER BY name, id").fetchall()
    agents: dict[str, list[tuple[str, str]]] = {}
    for environment, *names in db.execute("SELECT environment_id, id, name FROM agent"):
        agents.setdefault(environment, []).append((names[0], names[1]))
    expected = dict.fromkeys(
        (id_, name, pattern)
        for entry in config.expected_agents
        for id_, name in environments
        if matches([entry.environment], id_, name)
        for pattern in entry.agents
    )
    return [
        f"expected_agents: no agent in environment {name!r} matches {pattern!r}."
        for id_, name, pattern in expected
        if not any(matches([pattern], *names) for names in agents.get(id_, ()))
    ]
