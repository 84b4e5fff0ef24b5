"""Check that a tag, the code, the chart and the change log name one version, and print what the change log says of it.

    python3 .github/release_version.py v1.2.3

Exit status 1 with the reason where they differ.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def changes(log: str, version: str) -> str | None:
    """The part of a change log (Keep a Changelog) about a version, without its heading; None where there is none."""
    found = re.search(rf"^## \[{re.escape(version)}\][^\n]*\n(.*?)(?=^## |\Z)", log, re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else None


def problems(tag: str, code: str, chart: str, log: str) -> list[str]:
    """What does not fit. The texts are those of exporter/__init__.py, Chart.yaml and CHANGELOG.md."""
    found = []
    version = tag.removeprefix("v")
    if not re.search(rf'^__version__ = "{re.escape(version)}"$', code, re.MULTILINE):
        found.append(f"exporter/__init__.py does not say {version}")
    if not re.search(rf'^appVersion: "{re.escape(version)}"$', chart, re.MULTILINE):
        found.append(f"the chart's appVersion is not {version}")
    if not changes(log, version):
        found.append(f"CHANGELOG.md says nothing about {version}")
    return found


def main(tag: str) -> int:
    """Print the change log's part, or what is wrong."""
    code = (ROOT / "exporter/__init__.py").read_text(encoding="utf-8")
    chart = (ROOT / "deploy/helm/flatfile-exporter/Chart.yaml").read_text(encoding="utf-8")
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    wrong = problems(tag, code, chart, log)
    if wrong:
        sys.stderr.writelines(f"{tag}: {problem}\n" for problem in wrong)
        return 1
    sys.stdout.write(f"{changes(log, tag.removeprefix('v'))}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
