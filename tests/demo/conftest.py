"""Fixtures shared by the demo's tests."""

from tests.simulator.fixtures import api, client, world

__all__ = ["api", "client", "world"]
