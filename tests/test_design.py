"""docs/design.md: its example of a collector works, and the files that it names are there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.process import ANY_PORT, exporter

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")


def test_the_example_of_a_collector_is_one_file_that_works(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```python collector\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    shutil.copytree(ROOT / "exporter", tmp_path / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "exporter" / "collectors" / "logins.py").write_text(example, encoding="utf-8")
    elsewhere = {"PYTHONPATH": str(tmp_path)}
    with exporter("demo", ANY_PORT, env=elsewhere, program=("-P", "-m", "exporter")) as running:
        running.listens()
        page = running.page()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    users = families["flatfile_users"].samples[0].value
    assert sum(sample.value for sample in families["flatfile_users_by_login"].samples) == users > 0
    assert 'collector_success{account="demo",collector="logins"} 1' in page
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version=3.11", "exporter/collectors/logins.py"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_what_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:exporter|tests|grafana|bench|deploy|docs)/[\w./]*)`", TEXT)) - {
        "exporter/collectors/logins.py"
    }
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    linked = re.findall(r"\]\(([\w.-]+\.md)\)", TEXT)
    assert [path for path in linked if not (ROOT / "docs" / path).exists()] == []
