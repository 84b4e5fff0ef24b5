"""Fixtures shared by the demo's tests."""

from tests.simulator.fixtures import api, client, credentials, fixed_api, world

__all__ = ["api", "client", "credentials", "fixed_api", "world"]
