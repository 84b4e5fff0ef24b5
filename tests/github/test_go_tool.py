"""`.github/go-tool.sh` installs what `go install` refuses: a module with `replace`, from a module proxy that is a folder."""

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".github" / "go-tool.sh"
MODULE, VERSION = "example.com/tool", "v1.2.3"
FILES = {
    "go.mod": f"module {MODULE}\n\ngo 1.21\n\nreplace example.com/unused => example.com/other v1.0.0\n",
    "cmd/tool/main.go": f'package main\n\nimport "{MODULE}/words"\n\nfunc main() {{ println(words.Greeting) }}\n',
    "words/words.go": 'package words\n\nconst Greeting = "hello"\n',
}

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="go is not installed")


@pytest.fixture
def go(tmp_path: Path) -> dict[str, str]:
    """An environment in which Go knows the module alone."""
    served = tmp_path / "proxy" / MODULE / "@v"
    served.mkdir(parents=True)
    (served / f"{VERSION}.info").write_text(f'{{"Version": "{VERSION}"}}', encoding="utf-8")
    (served / f"{VERSION}.mod").write_text(FILES["go.mod"], encoding="utf-8")
    with zipfile.ZipFile(served / f"{VERSION}.zip", "w") as archive:
        for name, text in FILES.items():
            archive.writestr(f"{MODULE}@{VERSION}/{name}", text)
    return {
        **os.environ,
        "GOPROXY": f"file://{tmp_path / 'proxy'}",
        "GOSUMDB": "off",
        "GOMODCACHE": str(tmp_path / "modules"),
        "GOBIN": str(tmp_path / "bin"),
        "GOFLAGS": "-modcacherw",  # so that pytest can remove it
    }


def test_a_program_with_replace_is_installed(go: dict[str, str], tmp_path: Path) -> None:
    refused = subprocess.run(["go", "install", f"{MODULE}/cmd/tool@{VERSION}"], env=go, capture_output=True, text=True)
    assert refused.returncode != 0
    assert "replace" in refused.stderr
    subprocess.run(["sh", SCRIPT, MODULE, VERSION, "cmd/tool"], env=go, check=True)
    said = subprocess.run([tmp_path / "bin" / "tool"], capture_output=True, text=True, check=True).stderr
    assert said == "hello\n"


def test_a_version_that_is_not_there(go: dict[str, str]) -> None:
    done = subprocess.run(["sh", SCRIPT, MODULE, "v9.9.9"], env=go, capture_output=True, text=True)
    assert done.returncode != 0
    assert f"{MODULE}@v9.9.9" in done.stderr
