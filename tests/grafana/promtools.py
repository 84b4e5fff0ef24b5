"""The promtools at hand: of Prometheus 2 and of 3."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """What the command prints; AssertionError with all of it where it fails."""
    # programs in Go spend a fifth of their time on collecting garbage that could stay until they end
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "GOGC": "400"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def programs(name: str) -> list[Path]:
    """Every program of that name on the path or where `go install` puts it."""
    places = os.environ["PATH"].split(os.pathsep)
    if shutil.which("go"):
        places.append(f"{run('go', 'env', 'GOPATH').strip()}/bin")
    return list(dict.fromkeys(Path(place, name).resolve() for place in places if os.access(Path(place, name), os.X_OK)))


def promtools() -> dict[str, Path]:
    """The first promtool of Prometheus 2 and of 3; one built by Go does not tell its version, but has the flags of its time."""
    found: dict[str, Path] = {}
    for path in programs("promtool"):
        newer = "ignore-unknown-fields" in run(path, "check", "rules", "--help")
        found.setdefault("3" if newer else "2", path)
    return found


PROMTOOLS = promtools()

each_promtool = pytest.mark.parametrize(
    "promtool",
    [
        pytest.param(
            PROMTOOLS.get(major),
            id=f"promtool {major}",
            marks=pytest.mark.skipif(major not in PROMTOOLS, reason=f"no promtool of Prometheus {major}"),
        )
        for major in ("2", "3")
    ],
)
