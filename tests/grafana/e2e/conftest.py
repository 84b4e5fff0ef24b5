"""Programs of the system that these tests drive; without one they are skipped, and fail where CI is set."""

import pytest

from tests.programs import program


@pytest.fixture(scope="session")
def alertmanager_program() -> str:
    """Debian calls it `prometheus-alertmanager`."""
    return program("prometheus-alertmanager", "alertmanager")
