"""Flags that do not go together, and the key of the hashes."""

import time
from pathlib import Path
from typing import Any

import pytest

from exporter.audit.options import BadOptions, Options
from exporter.cli.parser import parse

KEY = "a key of 16 bytes or more"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"follow": True, "until": 1e9}, "--until and --follow exclude each other"),
        ({"since": 1e9, "until": 1e9 - 60}, "--since is later than --until"),
        ({"payload": True, "actors": "hash"}, "--payload and --actors=hash exclude each other"),
        ({"hash_key_file": Path("key")}, "--hash-key-file requires --actors=hash"),
        ({"state": Path("x"), "output": Path("x")}, "must be different files"),
    ],
)
def test_flags_that_contradict_one_another_are_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOptions, match=said):
        Options(**{"since": 0.0} | given).check()


def test_the_key_comes_from_the_flag_before_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n", encoding="utf-8")
    asked = Options(0.0, actors="hash")
    assert asked.key({"FLATFILE_AUDIT_KEY": KEY}) == KEY.encode()
    assert asked.key({"FLATFILE_AUDIT_KEY_FILE": str(file)}) == KEY.encode()
    assert Options(0.0, actors="hash", hash_key_file=file).key({"FLATFILE_AUDIT_KEY": "another"}) == KEY.encode()
    assert Options(0.0, actors="full").key({}) == b""


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({}, "needs a key"),
        ({"FLATFILE_AUDIT_KEY": KEY, "FLATFILE_AUDIT_KEY_FILE": "key"}, "one of"),
        ({"FLATFILE_AUDIT_KEY": "short"}, "has 5 bytes: it needs at least 16"),
        ({"FLATFILE_AUDIT_KEY_FILE": "/nonexistent/key"}, "cannot read /nonexistent/key"),
    ],
)
def test_without_a_good_key_nothing_is_hashed(environ: dict[str, str], said: str) -> None:
    with pytest.raises(BadOptions, match=said) as raised:
        Options(0.0, actors="hash").key(environ)
    assert "short" not in str(raised.value)


def test_the_command_line_gives_the_options() -> None:
    flags = parse(
        [
            "audit",
            "--account=a",
            "--account=b",
            "--since=2026-11-01",
            "--environment=prod*",
            "--topic=file:*",
            "--topic=job:*",
            "--actors=id",
            "--format=csv",
            "--output=o",
            "--follow",
            "--state=s",
            "--interval=5s",
            "--payload",
        ]
    )
    assert Options.of(flags) == Options(
        accounts=("a", "b"),
        since=1793491200.0,
        environments=("prod*",),
        topics=("file:*", "job:*"),
        actors="id",
        format="csv",
        output=Path("o"),
        follow=True,
        state=Path("s"),
        interval=5.0,
        payload=True,
    )
    before = time.time()
    given = Options.of(parse(["audit"]))
    assert before - 86400 <= given.since <= time.time() - 86400
    assert given == Options(given.since)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "--since=never"], "'never' is not a duration"),
        (["audit", "--interval=0"], "'0' is out of range"),
        (["audit", "--interval=2h"], "'2h' is out of range"),
        (["audit", "--actors=some"], "--actors"),
        (["audit", "--format=xml"], "--format"),
        (["audit", "--output="], "expected the path of a file"),
        (["audit", "--web.listen-address=:1"], "--web.listen-address is not a flag of audit"),
        (["serve", "--follow"], "--follow is not a flag of serve"),
    ],
)
def test_bad_flags_get_one_line(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(arguments)
    assert raised.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
