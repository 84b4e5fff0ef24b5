"""Lays out the root of the image: Python and the shared libraries that it and the exporter load, and nothing else.

Run in the image's first stage as `root.py VENV ROOT`. What is left out cannot be attacked and need not be patched; what is
there is named in `/var/lib/dpkg/status.d`, where scanners look, with its copyright. The bytecode of all modules is made here:
on a read-only file system it could not be kept, and every start and every health check would compile it anew.
"""

import compileall
import contextlib
import fnmatch
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

USER = 65532
STATE = "var/lib/flatfile-exporter"
"""Where `--storage.path` can point: the user's own, so that a volume that is mounted here becomes theirs."""

# Modules that a server has no use for, most of which want libraries of their own.
UNUSED_PACKAGES = ("site-packages", "test", "idlelib", "tkinter", "turtledemo", "lib2to3", "ensurepip", "pydoc_data",
                   "config-*", "__pycache__")  # fmt: skip
UNUSED_EXTENSIONS = ("_tkinter", "_curses*", "readline", "_dbm", "_gdbm", "_test*", "_xx*", "xx*", "nis",
                     "_ctypes_test", "ossaudiodev")  # fmt: skip
KEPT_COMMANDS = ("python*", "flatfile-exporter")


def main(venv: Path, root: Path) -> None:
    """Make `root`, and strip `venv` of what it does not need; both are used at these paths in the image too."""
    make_directories(root)
    library = copy_python(root)
    for command in (venv / "bin").iterdir():
        if not any(command.match(kept) for kept in KEPT_COMMANDS):
            command.unlink()
    for directory in (library, venv):
        if not compileall.compile_dir(
            directory,
            quiet=1,
            force=True,
            stripdir=str(root),
            invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
        ):
            sys.exit(f"not all of {directory} can be compiled")
    binaries = [root / sys.base_prefix[1:] / "bin" / PYTHON, *library.rglob("*.so"), *venv.rglob("*.so")]
    libraries = sorted(set(shared_libraries(binaries)))
    for path in libraries:
        if not path.is_relative_to(sys.base_prefix) and not path.is_relative_to(venv):
            copy(path, root)
    for package in sorted(packages(libraries)):
        describe(package, root)
    run("ldconfig", "-r", root)


def run(*command: str | Path) -> str:
    """Run a program of the first stage; gives what it says."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 - all of it is written here


PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"


def make_directories(root: Path) -> None:
    """The top of the tree and the files of /etc; a container's engine mounts /proc and so on at what is there."""
    for name in ("usr/lib", "usr/lib64", "etc/ssl/certs", "dev", "proc", "sys", "run", "tmp", STATE):
        (root / name).mkdir(parents=True)
    for name in ("lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    (root / "tmp").chmod(0o1777)
    (root / STATE).chmod(0o700)
    os.chown(root / STATE, USER, USER)
    etc = root / "etc"
    (etc / "passwd").write_text(f"nonroot:x:{USER}:{USER}:nonroot:/nonexistent:/nonexistent\n", encoding="ascii")
    (etc / "group").write_text(f"nonroot:x:{USER}:\n", encoding="ascii")
    (etc / "nsswitch.conf").write_text("hosts: files dns\n", encoding="ascii")
    shutil.copy("/etc/os-release", etc)  # tells scanners whose packages these are
    shutil.copy("/etc/ld.so.conf", etc)
    shutil.copytree("/etc/ld.so.conf.d", etc / "ld.so.conf.d")
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", etc / "ssl" / "certs")
    (root / "usr" / "lib" / "ssl").mkdir()
    (root / "usr" / "lib" / "ssl" / "cert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")


def copy_python(root: Path) -> Path:
    """Copy the interpreter to where it is here; gives the copy's standard library."""
    base, copied = Path(sys.base_prefix), root / sys.base_prefix[1:]
    (copied / "bin").mkdir(parents=True)
    shutil.copy(base / "bin" / PYTHON, copied / "bin")
    for name in ("python3", "python"):
        (copied / "bin" / name).symlink_to(PYTHON)
    library = copied / "lib" / PYTHON
    shutil.copytree(base / "lib" / PYTHON, library, ignore=shutil.ignore_patterns(*UNUSED_PACKAGES))
    for path in [*(library / "lib-dynload").iterdir()]:
        if is_unused(path):
            path.unlink()
    for path in (base / "lib").glob("libpython*.so*"):
        shutil.copy(path, copied / "lib", follow_symlinks=False)
    return library


def is_unused(extension: Path) -> bool:
    """Whether the image can do without this extension module."""
    return any(fnmatch.fnmatch(extension.name.partition(".")[0], pattern) for pattern in UNUSED_EXTENSIONS)


def shared_libraries(binaries: list[Path]) -> Iterator[Path]:
    """What the dynamic linker finds for these, as `libz.so.1 => /lib/x86_64-linux-gnu/libz.so.1 (0x…)`."""
    said = run("ldd", *binaries)
    if "not found" in said:
        sys.exit(f"a library is missing:\n{said}")
    for line in said.splitlines():
        found = re.fullmatch(r"\t(?:\S+ => )?(/\S+) \(0x[0-9a-f]+\)", line)
        if found:
            path = Path(found[1])
            yield path.parent.resolve() / path.name


def copy(path: Path, root: Path) -> None:
    """Copy a library under the name by which it is asked for."""
    target = root / str(path)[1:]
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)


def packages(libraries: list[Path]) -> set[str]:
    """The packages that the libraries come from, and that of the certificates."""
    # dpkg may know /usr/lib/… without its /usr
    real = [path.resolve() for path in libraries if not path.is_relative_to("/usr/local")]
    patterns = [f"*/{path.parent.name}/{path.name}" for path in real if path.is_relative_to("/usr/lib")]
    found = (line.partition(":")[0] for line in run("dpkg-query", "-S", *patterns).splitlines())
    return {"ca-certificates", *found}


def describe(package: str, root: Path) -> None:
    """Put a package's record and its copyright where they are looked for."""
    record = run("dpkg-query", "--status", package)
    status = root / "var" / "lib" / "dpkg" / "status.d" / package
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(record, encoding="utf-8")
    with contextlib.suppress(FileNotFoundError):  # some packages refer to another's
        text = Path("/usr/share/doc", package, "copyright").read_bytes()
        target = root / "usr" / "share" / "doc" / package / "copyright"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
