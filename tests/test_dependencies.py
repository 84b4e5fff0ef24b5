"""The locks are complete and agree with one another and with pyproject.toml, and licences are as documented."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, metadata, requires
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = ("run", "build", "dev")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "PSF-2.0"}
HERE = {name: str(value) for name, value in default_environment().items()}
WEAK_COPYLEFT = {"certifi": "MPL-2.0"}  # changes to its own files are to be published, and we make none


def locked(name: str) -> dict[str, str]:
    """Versions by package."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))


def licence(package: str) -> str:
    """What a package says of itself, as an SPDX expression."""
    about = metadata(package)
    return str(about.get("License-Expression") or about["License"])


def test_licences_are_as_documented() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = page[page.index("| package |") : page.index("\n\n", page.index("| package |"))]
    _, _, *lines = table.splitlines()
    rows = {package: said for package, said, _ in (line.strip("| ").split(" | ") for line in lines)}
    assert rows == {package: licence(package) for package in locked("run")}


@pytest.mark.parametrize("package", locked("run"))
def test_licences_allow_any_use(package: str) -> None:
    choices = set(re.split(r" (?:AND|OR) ", licence(package)))
    assert choices <= PERMISSIVE | {WEAK_COPYLEFT.get(package, "MIT")}


def test_locks_agree_on_versions() -> None:
    together = locked("dev")
    for name in ("run", "build"):
        assert locked(name).items() <= together.items(), name


def test_everything_locked_has_a_hash_and_no_address() -> None:
    for name in LOCKS:
        text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        assert "://" not in text
        for entry in re.split(r"\n(?! )", text.strip()):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


def test_locked_versions_are_at_least_the_lowest_that_work() -> None:
    versions = locked("run")
    for requirement in PROJECT["project"]["dependencies"]:
        found = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<[\d.]+)?", requirement)
        assert found is not None, requirement
        assert numbers(versions[found[1]]) >= numbers(found[2]), requirement


def numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def declared(lock: str) -> list[Requirement]:
    """The requirements in pyproject.toml that a lock is made of."""
    groups = PROJECT["dependency-groups"]

    def group(name: str) -> list[str]:
        entries = groups[name]
        return [
            word for entry in entries for word in ([entry] if isinstance(entry, str) else group(entry["include-group"]))
        ]

    texts = [] if lock == "build" else [*PROJECT["project"]["dependencies"]]
    return [Requirement(text) for text in texts + ([] if lock == "run" else group(lock))]


def pinned(lock: str, environment: dict[str, str]) -> dict[str, Requirement]:
    """The locked packages that are installed in an environment, by name."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")
    entries = [Requirement(line) for line in re.findall(r"^([\w.-]+==.*?) \\$", text, re.MULTILINE)]
    return {entry.name: entry for entry in entries if entry.marker is None or entry.marker.evaluate(environment)}


def unmet(lock: str, environment: dict[str, str]) -> list[str]:
    """Requirements that a lock leaves open, from pyproject.toml on through what the installed packages require."""
    locked = pinned(lock, environment)
    found: list[str] = []
    seen: set[tuple[str, str]] = set()
    wanted = [("pyproject.toml", "", requirement) for requirement in declared(lock)]
    wanted += [("the lock", "", entry) for entry in locked.values()]
    while wanted:
        who, extra, requirement = wanted.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({**environment, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        version = str(locked[name].specifier).removeprefix("==") if name in locked else None
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            found.append(f"{who} needs {requirement}, locked is {version}")
            continue
        for its_extra in {"", *requirement.extras}:
            if (name, its_extra) not in seen:
                seen.add((name, its_extra))
                wanted += [(name, its_extra, Requirement(text)) for text in required(name)]
    return found


def required(package: str) -> list[str]:
    """What a package requires. One that this Python does not need is not installed, and its requirements not known."""
    try:
        return requires(package) or []
    except PackageNotFoundError:
        assert package not in pinned("dev", HERE)
        return []


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", re.findall(r"Python :: (3\.\d+)", str(PROJECT["project"]["classifiers"])))
@pytest.mark.parametrize("lock", LOCKS)
def test_locks_are_complete(lock: str, python: str, machine: str) -> None:
    """So that `pip install --no-deps` installs all that is needed."""
    python_of_it = {"python_version": python, "python_full_version": f"{python}.0"}
    assert unmet(lock, {**HERE, **python_of_it, "platform_machine": machine}) == []
