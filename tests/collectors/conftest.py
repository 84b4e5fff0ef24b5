"""Fixtures shared by the collectors' tests."""

import pytest

from tests.collectors.exported import Time


@pytest.fixture
def time() -> Time:
    return Time()
