"""The demo account with a configuration for it: what the command `demo` serves."""

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
    """Serve the demo account's API on loopback, and give what loads a configuration for it.

    The account is another one each day, and the same one however often the demo is started on a day.
    """
    seed = datetime.now(UTC).toordinal()
    world = demo_world(time.time, seed)
    async with DemoServer(world, life=Life(world, seed)) as api:
        text = configuration(api.base_url)
        yield lambda: parse(text, "the demo's configuration")


def configuration(base_url: str) -> str:
    """Write the demo's configuration."""
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
