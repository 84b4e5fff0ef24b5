"""Each benchmark runs and prints its figures, on tiny accounts. What the figures are is not looked at."""

import importlib
from pathlib import Path

import pytest

from tests.pages import blocks

ROOT = Path(__file__).parent.parent
TINY = "--environments=1 --spaces=3 --guests=4 --latency=0 --scrapes=1"


@pytest.mark.parametrize(
    ("command", "row"),
    [
        ("startup --runs=1", "demo: first 200 of /metrics"),
        ("memory --scrapes=1", "serve: a small account"),
        ("requests --sizes=1 --interval=1800", "1/10/20"),
        (f"scrape {TINY}", "plain client / warm scrape"),
        (
            "compare --spaces 3 --environments=1 --latency=0 --scrapes=1 --most=2 --clients sdk-1000",
            "Flatfile's SDK, pages of 1000",
        ),
        (
            "large --environments=1 --spaces=5 --guests=5 --agents=1 --history=5 --steady=1 --storage=yes",
            "all spaces read",
        ),
        ("profile --spaces=3 --scrapes=1 --functions=1", "h11: HTTP on both sides"),
        ("soak --minutes=0.02", "with --storage.path"),
    ],
)
def test_a_benchmark_prints_its_figures(command: str, row: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, *arguments = command.split()
    importlib.import_module(f"bench.{name}").main(arguments)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if row in line][:1]
    assert line.split()[-1].rstrip("x").replace(".", "").isdecimal()


def test_the_guide_names_every_benchmark() -> None:
    (block,) = [block for block in blocks("docs/figures.md") if block.kind == "sh benchmarks"]
    named = {line.partition("python -m bench.")[2].split()[0] for line in block.text.splitlines() if "bench." in line}
    commands = {
        path.stem for path in (ROOT / "bench").glob("*.py") if "ArgumentParser(" in path.read_text(encoding="utf-8")
    }
    assert named == commands
