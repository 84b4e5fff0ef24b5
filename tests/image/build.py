"""Builds the image where neither an engine nor a registry of images is at hand: with buildah, on a base made here.

`python -m tests.image.build` does it and prints its size. The base stands in for Docker's `python:…-slim`: copies of this
machine's essential packages, and the Python that runs this where that image has its own, in /usr/local. Everything that the
build fetches from the package index is fetched before, by the ordinary pip with its ordinary settings; the build itself asks
nobody.
"""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import Any

PROJECT = Path(__file__).parents[2]
LOCKS = ("requirements/run.txt", "requirements/build.txt")
BASE = "localhost/base"
IMAGE = "localhost/flatfile-exporter"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
INFO = Path("/var/lib/dpkg/info")
DOCUMENTATION = ("/usr/share/doc/", "/usr/share/locale/", "/usr/share/man/")
PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def left_out() -> str | None:
    """Why the image cannot be built here; None where it can."""
    programs = [name for name in ("buildah", "unshare", "chroot") if shutil.which(name) is None]
    if programs:
        return f"{', '.join(programs)} not installed"
    if os.geteuid() != 0:
        return "only root can make the base"
    if os_release().get("ID") != "debian" or not os_release().get("VERSION_CODENAME"):
        return "the base is made of Debian's packages, as this machine's Python needs them: only on Debian"
    if sys.base_prefix == "/usr":
        return "Debian's own Python is not laid out as that of the image"
    return None


def os_release() -> dict[str, str]:
    """What system this is."""
    lines = Path("/etc/os-release").read_text(encoding="utf-8").splitlines()
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}


@dataclass(frozen=True)
class Image:
    """An image that was built. `root` is its file system."""

    root: Path
    about: dict[str, Any]

    @property
    def environment(self) -> list[str]:
        return list(self.about["Env"])

    @cached_property
    def size(self) -> int:
        """Bytes on the disk."""
        return int(run("du", "--summarize", "--bytes", self.root).split()[0])


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a program to its end; raises RuntimeError with what it said where it fails."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@contextmanager
def built(**arguments: str) -> Iterator[Image]:
    """Build the image with these build arguments; its files are gone when the block is left."""
    with tempfile.TemporaryDirectory(prefix="image-") as directory:
        work = Path(directory)
        policy = work / "policy.json"
        policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', encoding="ascii")
        store = ("buildah", "--root", work / "store", "--runroot", work / "run", "--storage-driver", "vfs")
        try:
            base = run(*store, "from", "scratch").strip()
            make_base(Path(run(*store, "mount", base).strip()))
            run(*store, "commit", "--rm", "--signature-policy", policy, base, BASE)
            given = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
            options = ("--isolation", "chroot", "--format", "docker", "--pull-never", "--signature-policy", policy)
            run(*store, "build", *options, "--from", BASE, "--network", "host", *given, "-t", IMAGE, PROJECT)
            container = run(*store, "from", "--pull-never", "--signature-policy", policy, IMAGE).strip()
            about = json.loads(run(*store, "inspect", "--type", "image", IMAGE))["Docker"]["config"]
            yield Image(Path(run(*store, "mount", container).strip()), about)
        finally:
            subprocess.run([*store, "umount", "--all"], capture_output=True, check=False)


def make_base(root: Path) -> None:
    """Make the base in an empty directory."""
    layout = image_layout()
    extensions = [path for path in (library() / "lib-dynload").glob("*.so") if not layout.is_unused(path)]
    needed = layout.packages(sorted(set(layout.shared_libraries(extensions))))
    copy_packages(root, needed)
    copy_python(root / "usr" / "local")
    run("chroot", root, "/sbin/ldconfig")
    wheels = root / "wheels"
    locks = [word for lock in LOCKS for word in ("-r", PROJECT / lock)]
    download = ("pip", "download", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:", "-d", wheels)
    run(sys.executable, "-m", *download, *locks)
    (root / "etc" / "pip.conf").write_text("[global]\nno-index = true\nfind-links = /wheels\n", encoding="ascii")


def copy_packages(root: Path, names: set[str]) -> None:
    """Copy these packages, the essential ones and what they depend on, as installed here, with their records."""
    form = "${Package}\t${Essential}\t${Pre-Depends}, ${Depends}\n"
    rows = [line.split("\t") for line in run("dpkg-query", "--show", f"--showformat={form}").splitlines()]
    depends = {name: set(re.findall(r"(?:^|[,|] *)([a-z0-9][a-z0-9+.-]*)", text)) for name, _, text in rows}
    wanted, found = {name for name, essential, _ in rows if essential == "yes"} | names, set[str]()
    while wanted:
        found |= wanted
        wanted = {name for one in wanted for name in depends[one] & depends.keys()} - found
    packages = sorted(found)
    files = {path for path in run("dpkg-query", "--listfiles", *packages).splitlines() if path.startswith("/")}
    records = [str(path) for name in packages for path in INFO.glob(f"{name}[.:]*")]
    listed = [path for path in (str(INFO / "format"), *records, *sorted(files), CERTIFICATES) if wanted_in_base(path)]
    for link in (path for path in Path("/").iterdir() if path.is_symlink()):  # /lib and so on lead into /usr
        (root / link.readlink()).mkdir(parents=True, exist_ok=True)
        (root / link.name).symlink_to(link.readlink())
    archive = root / "packages.tar"
    names_of_files = root / "packages"
    names_of_files.write_text("\0".join(listed), encoding="utf-8")
    run(
        "tar",
        "--create",
        f"--file={archive}",
        "--directory=/",
        "--no-recursion",
        "--null",
        f"--files-from={names_of_files}",
    )
    run(
        "tar",
        "--extract",
        f"--file={archive}",
        "--preserve-permissions",
        "--keep-directory-symlink",
        f"--directory={root}",
    )
    for made in (archive, names_of_files):
        made.unlink()
    (root / "var/lib/dpkg/status").write_text(run("dpkg-query", "--status", *packages), encoding="utf-8")


def wanted_in_base(path: str) -> bool:
    """Whether a file of a package is there, and not just to be read."""
    documentation = path.startswith(DOCUMENTATION) and Path(path).is_file() and not path.endswith("/copyright")
    return os.path.lexists(path) and not documentation


def image_layout() -> ModuleType:
    """What lays out the image, which is in no package: it knows what Python needs."""
    spec = importlib.util.spec_from_file_location("image_layout", PROJECT / "deploy" / "image" / "root.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def library() -> Path:
    """The standard library."""
    return Path(sys.base_prefix) / "lib" / PYTHON


def copy_python(prefix: Path) -> None:
    """Copy this Python, with pip."""
    for name in ("bin", "lib"):
        (prefix / name).mkdir(parents=True)
    shutil.copy(Path(sys.base_prefix) / "bin" / PYTHON, prefix / "bin")
    for name in ("python3", "python"):
        (prefix / "bin" / name).symlink_to(PYTHON)
    for path in (Path(sys.base_prefix) / "lib").glob("libpython*.so*"):
        shutil.copy(path, prefix / "lib", follow_symlinks=False)
    copied = prefix / "lib" / PYTHON
    shutil.copytree(
        library(), copied, ignore=shutil.ignore_patterns("test", "site-packages", "config-*", "*.opt-*.pyc")
    )
    pip = importlib.util.find_spec("pip")
    assert pip is not None
    assert pip.origin is not None
    shutil.copytree(Path(pip.origin).parent, copied / "site-packages" / "pip")
    command = prefix / "bin" / "pip"
    command.write_text('#!/bin/sh\nexec python -m pip "$@"\n', encoding="ascii")
    command.chmod(0o755)


if __name__ == "__main__":
    why = left_out()
    if why is not None:
        sys.exit(f"not built: {why}")
    with built() as image:
        print(f"{image.size / 2**20:.1f} MiB")
