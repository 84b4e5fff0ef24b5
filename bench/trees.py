"""Which code a benchmark runs: this tree and, with `--reference REV`, another revision beside it."""

import argparse
import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Tree:
    """Code under a name. Both trees run in the virtual environment of this one."""

    name: str
    path: Path


THIS = Tree("now", HERE)


def add_reference(parser: argparse.ArgumentParser) -> None:
    """Add the flag `--reference`."""
    parser.add_argument("--reference", metavar="REV", help="a revision of the exporter to measure in the same way")


@contextlib.contextmanager
def trees(reference: str | None) -> Iterator[list[Tree]]:
    """Give the reference, if one is named, in a worktree for the time being; then this tree."""
    if reference is None:
        yield [THIS]
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tree")
        _git("worktree", "add", "--quiet", "--detach", str(path), reference)
        try:
            yield [Tree(reference[:10], path), THIS]
        finally:
            _git("worktree", "remove", "--force", str(path))


def _git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(HERE), *arguments], check=True)
