"""What must fit together before a version is released."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SCRIPT = ".github/release_version.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository of version 1.2.3."""
    for path, text in {
        SCRIPT: (ROOT / SCRIPT).read_text(encoding="utf-8"),
        "exporter/__init__.py": '"""Docs."""\n\n__version__ = "1.2.3"\n',
        "deploy/helm/flatfile-exporter/Chart.yaml": 'name: flatfile-exporter\nversion: 0.1.0\nappVersion: "1.2.3"\n',
        "CHANGELOG.md": "# Changelog\n\n## [1.2.3] - 2026-11-23\n\n### Added\n\n- This.\n\n## [1.2.2] - 2026-01-01\n\n- That.\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    return tmp_path


def run(tree: Path, tag: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, tree / SCRIPT, tag], capture_output=True, text=True, check=False)


def test_the_notes_are_the_part_of_the_change_log(tree: Path) -> None:
    ended = run(tree, "v1.2.3")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "### Added\n\n- This.\n", "")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("exporter/__init__.py", "exporter/__init__.py does not say 1.2.3"),
        ("deploy/helm/flatfile-exporter/Chart.yaml", "the chart's appVersion is not 1.2.3"),
        ("CHANGELOG.md", "CHANGELOG.md says nothing about 1.2.3"),
    ],
)
def test_what_differs_is_named(tree: Path, path: str, said: str) -> None:
    changed = tree / path
    changed.write_text(changed.read_text(encoding="utf-8").replace("1.2.3", "1.2.4"), encoding="utf-8")
    ended = run(tree, "v1.2.3")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == f"v1.2.3: {said}\n"
