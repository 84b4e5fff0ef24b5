"""Commands and flags, as far as nothing is served: what is refused, and in which words."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import __version__
from exporter.cli.main import main

GOOD = "accounts:\n  - {name: acme, auth: {client_id: a, client_secret: b}}\n"


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0o600)
    return path


def refused(*arguments: str) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense"], "--nonsense"),
        (["--config.fil=x"], "--config.fil=x"),
        (["-config.file=x"], "-config.file=x"),
        (["sevre"], "'sevre'"),
        (["serve", "demo"], "demo"),
        (["--config.file"], "--config.file"),
        (["--config.file="], "--config.file: it takes the path of a file"),
        (["--web.listen-address=10056"], "'10056' is no address"),
        (["--web.listen-address=::1"], "[::1]:PORT"),
        (["--web.telemetry-path=metrics"], "'metrics' cannot be the path"),
        (["--web.telemetry-path=/probe"], "'/probe' cannot be the path: it is another"),
        (["--web.telemetry-path=/sd"], "'/sd' cannot be the path: it is another"),
        (["--web.telemetry-path=/-/metrics"], "cannot be the path: it is another"),
        (["--web.telemetry-path=//evil.example/"], "cannot be the path"),
        (["--web.telemetry-path=/a?b"], "cannot be the path"),
        (["--web.telemetry-path=/{x}"], "cannot be the path"),
        (["--web.telemetry-path=/../x"], "cannot be the path"),
        (["--web.enable-lifecycle=yes"], "--web.enable-lifecycle"),
        (["--web.scrape-timeout-offset=-1"], "--web.scrape-timeout-offset"),
        (["--web.scrape-timeout-offset=-1s"], "--web.scrape-timeout-offset"),
        (["--web.scrape-timeout-offset=nan"], "'nan' is not a duration"),
        (["--web.scrape-timeout-offset=1e9"], "'1e9' is not a duration"),
        (["--web.scrape-timeout-offset=61s"], "'61s' is too long: at most 60s"),
        (["--web.scrape-timeout-offset=2m"], "'2m' is too long: at most 60s"),
        (["--web.scrape-timeout-offset="], "--web.scrape-timeout-offset"),
        (["--storage.path"], "--storage.path"),
        (["--storage.path="], "--storage.path: it takes the path of a directory"),
        (["--log.level=loud"], "--log.level"),
        (["--log.format=xml"], "--log.format"),
        (["demo", "--config.file=x"], "--config.file is no flag of demo"),
        (["check-config", "--log.level=debug"], "--log.level is no flag of check-config"),
        (["check-config", "--storage.path=x"], "--storage.path is no flag of check-config"),
        (["check-config", "--web.listen-address=:1"], "--web.listen-address is no flag of check-config"),
        (["check-config", "--format=json"], "--format goes with check-config --probe"),
        (["check-config", "--account=acme"], "--account goes with check-config --probe"),
        (["check-config", "--probe", "--format=csv"], "'csv' is no format of check-config: it takes text or json"),
        (["check-config", "--probe=yes"], "--probe"),
        (["audit", "--format=json"], "'json' is no format of audit: it takes jsonl or csv"),
        (["discover", "--format=json"], "--format is no flag of discover"),
        (["discover", "--probe"], "--probe is no flag of discover"),
        (["--account=acme"], "--account is no flag of serve"),
    ],
)
def test_bad_flags_get_one_line_and_status_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(*arguments)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("flatfile-exporter: ")
    assert said in err
    assert "flatfile-exporter --help" in err


def test_what_a_terminal_would_obey_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    refused("--\x1b[31m\n\u202e\udcff")
    err = capsys.readouterr().err
    assert r"--\x1b[31m\n\u202e\udcff" in err
    assert err.count("\n") == 1


FLAGS = [
    "--config.file",
    "--web.listen-address",
    "--web.telemetry-path",
    "--web.enable-lifecycle",
    "--web.scrape-timeout-offset",
    "--log.level",
    "--log.format",
    "--web.config.file",
    "--",
    "-",
    "-x",
    "",
    "demo",
    "check-config",
]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(FLAGS) | st.text(max_size=8),
            st.sampled_from(["", "=", " "]),
            st.text(max_size=12) | st.text(string.printable, max_size=6),
        ),
        max_size=4,
    )
)
def test_whatever_is_typed_is_checked_or_refused(typed: list[tuple[str, str, str]]) -> None:
    """`check-config` of a missing file comes first, so that nothing is ever served."""
    arguments = ["check-config", "--config.file=/nowhere/config.yaml"]
    for flag, joint, text in typed:
        arguments += [flag, text] if joint == " " else [flag + joint + text]
    if "--help" in arguments or "-h" in arguments or "--version" in arguments:
        return
    try:
        status = main(arguments)
    except SystemExit as end:
        assert end.code in (0, 2)  # noqa: PT017 - 0: `-hx` is -h
    else:
        assert status == 1


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    assert raised.value.code == 0
    assert re.fullmatch(
        rf"flatfile-exporter {re.escape(__version__)} \(Python 3\.\d+\.\S+\)\n", capsys.readouterr().out
    )


@pytest.mark.parametrize("arguments", [["--help"], ["-h"]])
def test_help_names_every_command_and_flag(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 0
    text = capsys.readouterr().out
    for word in (
        "serve",
        "demo",
        "check-config",
        "--probe",
        "discover",
        "--account",
        "--format",
        *(f for f in FLAGS if len(f) > 2 and f != "--web.config.file"),
    ):
        assert word in text
    for word in ("FLATFILE_CLIENT_ID", "FLATFILE_ACCESS_TOKEN", "FLATFILE_BASE_URL", "http://localhost:10056/"):
        assert word in text
    assert max(map(len, text.splitlines())) <= 110


def test_help_of_a_command_has_its_flags_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["check-config", "--help"])
    assert raised.value.code == 0
    text = capsys.readouterr().out
    assert "--config.file" in text
    assert "--web.config.file" in text
    assert "--web.listen-address" not in text


def test_check_config_of_a_good_file(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check-config", f"--config.file={good}"]) == 0
    assert capsys.readouterr() == ("configuration is valid: 1 account (acme)\n", "")


def test_flags_may_come_before_the_command(good: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--config.file={good}", "check-config"]) == 0
    assert main(["--config.file", str(good), "check-config"]) == 0
    assert capsys.readouterr().out.count("is valid") == 2


def test_check_config_prints_warnings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(
        "accounts:\n"
        "  - {name: one, auth: {client_id: a, client_secret_file: nowhere}}\n"
        "  - {name: two, auth: {client_id: a, client_secret: b}}\n",
        encoding="utf-8",
    )
    path.chmod(0o600)
    assert main(["check-config", f"--config.file={path}"]) == 0
    out, err = capsys.readouterr()
    assert out == "configuration is valid: 2 accounts (one, two)\n"
    assert re.fullmatch(
        rf"warning: {re.escape(str(path))}:2:\d+: accounts\[0\]\.auth\.client_secret_file: no such file .*\n", err
    )


def test_check_config_prints_every_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("acounts: []\naccounts:\n  - name: one\n    auth: {client_id: a}\n    base_url: http://x.example\n")
    assert main(["check-config", f"--config.file={path}"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.match(rf"{re.escape(str(path))}:\d+:\d+: \S+: ", line)
