"""The document about the matrix: what it says of results, its names and links, and how it is kept."""

import re
from pathlib import Path

import pytest

from docs.build import metrics as metrics_docs

from . import record
from .cells import Result
from .document import render
from .trials import ACCOUNT, AUTH, COPED, HOST, HOST_TRIALS, TRIALS, Trial

SEEN = [
    Result(HOST, "refused", "before", ("connection",), ("events", "users"), "0"),
    Result("/users", "500", "before", ("server_error",), ("users",), "1"),
    Result("/users", "500", "steady", ("server_error",), ("users",), "1"),
    Result("/users", "duplicates", "before", (), (), "1"),
    Result("/users", "duplicates", "steady", (), (), "1"),
    Result("/users", "408", "before", ("timeout",), ("users",), "1"),
    Result("/users", "408", "steady", ("server_error",), ("users",), "1"),
    Result(ACCOUNT, "500", "before", ("server_error",), ("environments",), "1"),
]


def lines(text: str, first: str) -> list[list[str]]:
    """The cells of the rows that begin with this."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith(f"| {first} |")]
    return [[cell.strip() for cell in row] for row in rows]


def test_what_was_seen_is_what_is_written() -> None:
    text = render(SEEN)
    assert f"{len(SEEN)} times" in text
    assert lines(text, "500") == []
    assert lines(text, "408") == [["408", "`timeout`, then `server_error` at `/users`", f"`{ACCOUNT}`"]]
    assert lines(text, "Each row twice") == [["Each row twice", "none", f"`{ACCOUNT}`"]]
    assert lines(text, "Connections refused") == []
    assert lines(text, "`/users`") == [["`/users`", "`users`", "`users`", "1"]]
    assert lines(text, f"`{ACCOUNT}`") == [[f"`{ACCOUNT}`", "`environments`", "not asked", "1"]]


def test_what_differs_is_written() -> None:
    seen = [
        *SEEN,
        Result(AUTH, "500", "before", (), (), "1"),
        Result(HOST, "no-name", "steady", ("timeout",), ("users",), "0"),
    ]
    text = render(seen)
    assert lines(text, "500") == [["500", f"**ok** at `{AUTH}`", "–"]]
    assert lines(text, "An unresolvable host name") == [["An unresolvable host name", "`timeout` at any", "–"]]


@pytest.mark.parametrize("trial", [*TRIALS, *HOST_TRIALS], ids=lambda trial: trial.id)
def test_each_fault_is_named_with_its_reason(trial: Trial) -> None:
    reason = "none" if trial.reason == COPED else f"`{trial.reason}`"
    assert [row for row in lines(render(SEEN), reason) if trial.what in row[1].split("; ")]


def test_names_and_links() -> None:
    text = render(SEEN)
    known = {desc.name for desc in metrics_docs.families()}
    assert set(re.findall(r"\bflatfile_[a-z_]+", text)) <= known
    assert AUTH in text
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert (record.DOCUMENT.parent / target).exists(), target


def test_it_is_written_once_every_case_has_ended(tmp_path: Path) -> None:
    record.keep(tmp_path, "/users", SEEN[1:])
    assert record.all_kept(tmp_path, cases=2) is None
    record.keep(tmp_path, "the host", SEEN[:1])
    kept = record.all_kept(tmp_path, cases=2)
    assert kept is not None
    assert sorted(map(str, kept)) == sorted(map(str, SEEN))


def test_it_is_written_only_where_it_differs_and_a_strict_run_fails_then(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    record.write(SEEN, document, strict=False)
    assert document.read_text(encoding="utf-8") == render(SEEN)
    written = document.stat().st_mtime_ns
    record.write(SEEN, document, strict=True)
    assert document.stat().st_mtime_ns == written
    with pytest.raises(AssertionError, match="commit it"):
        record.write(SEEN[:3], document, strict=True)
    assert document.read_text(encoding="utf-8") == render(SEEN[:3])
    assert [path.name for path in tmp_path.iterdir()] == [document.name]
