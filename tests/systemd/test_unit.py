"""The unit for systemd: valid, hardened, and in agreement with the command line and the steps of installing it."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from exporter.cli.parser import parse

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "flatfile-exporter.service"
TEXT = UNIT.read_text(encoding="utf-8")
DOCS = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
WORST_EXPOSURE = 2.0


def setting(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", TEXT, re.MULTILINE)
    return str(value)


def analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here (the package systemd has it): the unit is not examined")
    return subprocess.run([program, *arguments], capture_output=True, text=True)


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    """In a copy whose program exists; `verify` prints each setting that it does not know."""
    program = tmp_path / "flatfile-exporter"
    program.write_text("#!/bin/sh\n", encoding="ascii")
    program.chmod(0o755)
    copy = tmp_path / UNIT.name
    copy.write_text(TEXT.replace("ExecStart=/opt/flatfile-exporter/bin/", f"ExecStart={tmp_path}/"), encoding="utf-8")
    done = analyze("verify", "--man=no", "--recursive-errors=no", copy)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    copy.write_text(copy.read_text(encoding="utf-8") + "\n[Service]\nDynamicUsr=yes\n", encoding="utf-8")
    assert "DynamicUsr" in analyze("verify", "--man=no", "--recursive-errors=no", copy).stderr


def test_little_is_exposed() -> None:
    def judged(worst: float) -> subprocess.CompletedProcess[str]:
        return analyze("security", "--offline=yes", f"--threshold={worst * 10:.0f}", "--no-pager", UNIT)

    done = judged(WORST_EXPOSURE)
    if "unrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze judges running services alone (before version 250): the unit is not judged")
    assert done.returncode == 0, done.stdout + done.stderr
    assert judged(0.5).returncode != 0, "the threshold means nothing"


def test_the_command_is_one() -> None:
    program, *arguments = shlex.split(setting("ExecStart"))
    assert Path(program).name == "flatfile-exporter"
    flags = parse(arguments)
    assert flags.command == "serve"
    assert str(flags.config_file) in DOCS
    assert program in DOCS


def test_reload_is_the_signal_that_reloads() -> None:
    assert setting("ExecReload") == "/bin/kill -HUP $MAINPID"


def test_the_documented_configuration_names_the_credential() -> None:
    name, _, source = setting("LoadCredential").partition(":")
    assert f"client_secret_file: /run/credentials/{UNIT.name}/{name}" in DOCS
    assert source in DOCS


def test_the_state_directory_is_the_documented_one() -> None:
    assert f"--storage.path=/var/lib/{setting('StateDirectory')}" in DOCS
