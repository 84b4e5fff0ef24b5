"""Programs of the system that these tests drive; without one they are skipped, and fail where CI is set."""

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def alertmanager_program() -> str:
    """Debian calls it `prometheus-alertmanager`."""
    path = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if path is not None:
        return path
    message = "prometheus-alertmanager is not installed (tests/system-packages.sh)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
