"""Steps of the workflows that need nothing but this machine, run as they are written.

Not run here: what needs Docker, cosign or a registry (`tests/image` builds and runs the image, `tests/helm` packages the chart),
pip-audit (asks a service), and what other tests do already (`make generate`: each generated file is compared with its generator;
release_version.py, zizmor: beside this file).
"""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def step(job: str, name: str) -> str:
    """The commands of a step of the release."""
    workflow: Any = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text(encoding="utf-8"))
    (found,) = [step["run"] for step in workflow["jobs"][job]["steps"] if step.get("name") == name]
    return str(found)


def run(commands: str, place: Path, **env: str) -> None:
    """Run them as GitHub does."""
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", commands],
        cwd=place,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_is_built(tmp_path: Path) -> None:
    """With the locked tools of this environment, which are those of `requirements/build.txt`."""
    *installs, build = step("package", "Build, with what is locked").splitlines()
    assert installs[-1].endswith(" install --no-deps --require-hashes -r requirements/build.txt")
    checkout = tmp_path / "checkout"
    shutil.copytree(
        ROOT, checkout, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "tests", "bench", "grafana")
    )
    run(build.replace("/tmp/build", sys.prefix), checkout)
    wheel, sdist = sorted((checkout / "dist").iterdir(), key=lambda path: path.suffix, reverse=True)
    assert sdist.name.endswith(".tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "exporter").rglob("*.py")}
    assert modules <= names
    assert {name.partition("/")[0] for name in names} == {
        "exporter",
        f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info",
    }


def test_a_digest_is_noted(tmp_path: Path) -> None:
    run(step("image", "Note the digest"), tmp_path, DIGEST="sha256:0123abc")
    assert [path.name for path in (tmp_path / "digests").iterdir()] == ["0123abc"]
