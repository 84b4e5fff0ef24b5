"""Certificates for these tests, and curl."""

import os
import shutil
from pathlib import Path

import pytest

from .rig import Certificates


@pytest.fixture(scope="session")
def curl() -> str:
    path = shutil.which("curl")
    if path is None:
        message = "curl is not installed (tests/system-packages.sh)"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)
