"""tests/system-packages.sh: waits where another apt-get runs, in an empty system of its own."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("system-packages.sh")
NEEDED = ("sh", "apt-get", "id", "seq", "sleep", "dpkg")

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("apt-get") is None, reason="installs only as root, on Debian and Ubuntu"
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A system that knows no packages, with none of the programs that the script looks for."""
    for name in ("lists/partial", "cache/archives/partial", "dpkg", "bin", "sources"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "dpkg" / "status").touch()
    for name in NEEDED:
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    (tmp_path / "apt.conf").write_text(
        f'Dir::State::Lists "{tmp_path}/lists"; Dir::State::status "{tmp_path}/dpkg/status"; '
        f'Dir::Cache "{tmp_path}/cache"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{tmp_path}/sources";',
        encoding="utf-8",
    )
    return {"PATH": str(tmp_path / "bin"), "APT_CONFIG": str(tmp_path / "apt.conf")}


def test_it_waits_for_another_apt_get(environment: dict[str, str], tmp_path: Path) -> None:
    with (tmp_path / "lists" / "lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)  # as apt-get update does
        process = subprocess.Popen(
            ["sh", SCRIPT], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
    rest, _ = process.communicate()
    assert first.startswith("installing for the tests: prometheus ")
    assert second == "waiting for another apt-get\n"
    assert process.returncode == 1
    assert "lock" not in rest
    assert "Unable to locate package prometheus" in rest
