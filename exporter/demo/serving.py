"""The simulated account with a configuration for it, as the command `demo` serves it."""

import contextlib
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

from exporter.config import Config, parse
from exporter.demo.accounts import CLIENT_ID, EXPECTED_AGENTS, SECRET, demo_world
from exporter.demo.life import Life
from exporter.demo.server import DemoServer


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Callable[[], Config]]:
    """Serve the account's API on loopback, and yield a function that loads a configuration for it.

    Each day has another account. On one day, each start has the same one.
    """
    seed = datetime.now(UTC).toordinal()
    world = demo_world(time.time, seed)
    async with DemoServer(world, life=Life(world, seed)) as api:
        text = configuration(api.base_url)
        yield lambda: parse(text, "the demo's configuration")


def configuration(base_url: str) -> str:
    """Return the configuration of the account as YAML."""
    expected = "".join(
        f"\n      - {{environment: {environment}, agents: [{', '.join(agents)}], min: {len(agents)}}}"
        for environment, agents in EXPECTED_AGENTS.items()
    )
    return f"""\
accounts:
  - name: demo
    base_url: {base_url}
    auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}
    expected_agents:{expected}
"""


def commands(base_url: str, program: str) -> str:
    """Return commands for a shell that query the account at `base_url`. `program` starts the exporter."""
    return f"""\
Try it from another terminal, in the same directory:

export FLATFILE_BASE_URL={base_url} FLATFILE_CLIENT_ID={CLIENT_ID} FLATFILE_CLIENT_SECRET={SECRET}
{program} check-config --probe    # what the credentials allow, and how many requests it takes
{program} discover                # the deployed agents, as YAML for the configuration
{program} inventory               # the environments, and what is in each
{program} audit --since=1h        # the events of the last hour, and who caused them

"""
