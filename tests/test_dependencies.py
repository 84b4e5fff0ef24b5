"""The locks agree with one another and with pyproject.toml, licences are as documented, and httpx is known in one place."""

import ast
import re
import tomllib
from importlib.metadata import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCKS = ("run", "build", "dev")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PERMISSIVE = {"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "PSF-2.0"}
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
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
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


def test_one_module_knows_httpx() -> None:
    """The swap of the HTTP client that docs/dependencies.md describes is one line."""
    importers = [
        (path.relative_to(ROOT).as_posix(), ast.unparse(node))
        for path in (ROOT / "exporter").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom) and "httpx" in ast.unparse(node)
    ]
    assert importers == [("exporter/flatfile/transport.py", "import httpx")]
