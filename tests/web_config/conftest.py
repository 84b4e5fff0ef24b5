"""Certificates for these tests, and curl."""

from pathlib import Path

import pytest

from tests.programs import program

from .rig import Certificates


@pytest.fixture(scope="session")
def curl() -> str:
    return program("curl")


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)
