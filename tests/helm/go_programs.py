"""Helm, kubeconform and jsonnet: from PATH, or built from their Go modules, once for each version and user.

They are built with BUILD_TOOLS=1 alone: the first time, Helm takes longer than all other tests together.
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

MODULES = {
    "helm": ("helm.sh/helm/v4/cmd/helm", "v4.3.1"),
    "kubeconform": ("github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0"),
    "jsonnet": ("github.com/google/go-jsonnet/cmd/jsonnet", "v0.21.0"),
}
QUICKLY_BUILT = ("-gcflags=all=-N -l", "-ldflags=-s -w")
"""Without optimisation, which costs a quarter of the time of Helm's build and gains nothing here."""
BUILD = "BUILD_TOOLS"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "flatfile-exporter-tests"


class MissingError(Exception):
    """The program is not here and is not or cannot be built; the text says why."""


def program(name: str) -> str:
    """The path of the program. Raises MissingError."""
    module, version = MODULES[name]
    found = shutil.which(name)
    if found:
        return found
    built = CACHE / f"{name}-{version}" / name
    if built.exists():
        return str(built)
    if BUILD not in os.environ:
        raise MissingError(f"{name} is not on PATH; with {BUILD}=1 it is built once, with Go, in some minutes")
    go = shutil.which("go")
    if go is None:
        raise MissingError(f"neither {name} nor go (which could build it) is on PATH")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # one process builds, the others wait for it
        if not built.exists():
            _install(go, f"{module}@{version}", built)
    return str(built)


def _install(go: str, module: str, to: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        done = subprocess.run(
            ["nice", go, "install", *QUICKLY_BUILT, module],
            cwd=folder,
            env={**os.environ, "GOBIN": folder},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise MissingError(f"go install {module}: {done.stderr.strip()[-500:]}")
        to.parent.mkdir(exist_ok=True)
        (Path(folder) / to.name).replace(to)
