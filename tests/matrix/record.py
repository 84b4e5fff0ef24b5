"""What the cases have seen, put together by whichever of them ends last: in processes of their own, or in one."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from .cells import Result
from .document import render

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"


def keep(directory: Path, case: str, results: Iterable[Result]) -> None:
    """Keep the results of a case for the others of the same run, in one step."""
    name = case.strip("/").replace("/", "-").replace(" ", "-")
    new = directory / f"{name}.new"
    new.write_text(json.dumps([asdict(result) for result in results]), encoding="utf-8")
    new.replace(directory / f"{name}.json")


def all_kept(directory: Path, cases: int) -> Sequence[Result] | None:
    """The results of all cases in one order, None while there are fewer than so many."""
    files = sorted(directory.glob("*.json"))
    if len(files) < cases:
        return None
    rows = [row for file in files for row in json.loads(file.read_text(encoding="utf-8"))]
    return [Result(**{**row, "reasons": tuple(row["reasons"]), "failed": tuple(row["failed"])}) for row in rows]


def write(results: Sequence[Result], document: Path = DOCUMENT, *, strict: bool) -> None:
    """Write the document where it is not what the results give. `strict`: that is an AssertionError, so that it is committed."""
    text = render(results)
    if document.exists() and document.read_text(encoding="utf-8") == text:
        return
    new = document.with_suffix(f".{os.getpid()}")
    new.write_text(text, encoding="utf-8")
    new.replace(document)
    assert not strict, f"{document.name} is not what the run has shown: commit it as written now"
