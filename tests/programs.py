"""Programs of the system that some tests drive. Without one its tests are skipped; where CI is set they fail instead."""

import os
import shutil

import pytest


def program(*names: str) -> str:
    """The path of a program that may have several names, the one of its package in Debian first."""
    for name in names:
        path = shutil.which(name)
        if path is not None:
            return path
    message = f"{names[0]} is not installed (tests/system-packages.sh)"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
