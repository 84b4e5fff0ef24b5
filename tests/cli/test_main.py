"""Commands and flags, as far as nothing is served: what is refused, and in which words."""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import __version__
from exporter.cli.main import main
from exporter.cli.parser import parse

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
        (["--cofig.file=x"], "unknown flag --cofig.file; did you mean --config.file?"),
        (["--config.fil", "x"], "unknown flag --config.fil; did you mean --config.file?"),
        (["-config.file=x"], "unknown flag -config.file; did you mean --config.file?"),
        (["discover", "--acount=x"], "unknown flag --acount; did you mean --account?"),
        (["sevre"], "unknown command 'sevre'; did you mean serve?"),
        (["x"], "unknown command 'x'"),
        (["serve", "demo"], "unexpected argument 'demo'"),
        (["--config.file"], "--config.file"),
        (["--config.file="], "--config.file: expected the path of a file"),
        (["--web.listen-address=10056"], "'10056' is not an address"),
        (["--web.listen-address=::1"], "[::1]:PORT"),
        (["--web.telemetry-path=metrics"], "'metrics' is not a path"),
        (["--web.telemetry-path=/probe"], "'/probe' is taken"),
        (["--web.telemetry-path=/sd"], "'/sd' is taken"),
        (["--web.telemetry-path=/-/metrics"], "is taken"),
        (["--web.telemetry-path=//evil.example/"], "is not a path"),
        (["--web.telemetry-path=/a?b"], "is not a path"),
        (["--web.telemetry-path=/{x}"], "is not a path"),
        (["--web.telemetry-path=/../x"], "is not a path"),
        (["--web.enable-lifecycle=yes"], "--web.enable-lifecycle"),
        (["--web.systemd-socket=yes"], "--web.systemd-socket"),
        (["--web.route-prefix=/a b"], "'/a b' is not a path"),
        (["--web.route-prefix=/../x"], "is not a path"),
        (["--web.external-url=example.com"], "'example.com' is not a URL"),
        (["--web.external-url=https://"], "is not a URL"),
        (["--web.external-url=https://a:b@example.com/"], "is not a URL"),
        (["--web.external-url=https://example.com/?a"], "is not a URL"),
        (["--web.external-url=https://example.com:x/"], "is not a URL"),
        (["--web.external-url=https://example.com/a b"], "is not a"),
        (["--web.scrape-timeout-offset=-1"], "--web.scrape-timeout-offset"),
        (["--web.scrape-timeout-offset=-1s"], "--web.scrape-timeout-offset"),
        (["--web.scrape-timeout-offset=nan"], "'nan' is not a duration"),
        (["--web.scrape-timeout-offset=1e9"], "'1e9' is not a duration"),
        (["--web.scrape-timeout-offset=61s"], "'61s' is too long: at most 60s"),
        (["--web.scrape-timeout-offset=2m"], "'2m' is too long: at most 60s"),
        (["--web.scrape-timeout-offset="], "--web.scrape-timeout-offset"),
        (["--storage.path"], "--storage.path"),
        (["--storage.path="], "--storage.path: expected the path of a directory"),
        (["--log.level=loud"], "--log.level"),
        (["--log.format=xml"], "--log.format"),
        (["demo", "--config.file=x"], "--config.file is not a flag of demo"),
        (["check-config", "--log.level=debug"], "--log.level is not a flag of check-config"),
        (["check-config", "--storage.path=x"], "--storage.path is not a flag of check-config"),
        (["check-config", "--web.listen-address=:1"], "--web.listen-address is not a flag of check-config"),
        (["check-config", "--format=json"], "--format requires --probe"),
        (["check-config", "--account=acme"], "--account requires --probe"),
        (["check-config", "--probe", "--format=csv"], "invalid choice: 'csv' (choose from 'text', 'json')"),
        (["check-config", "--probe=yes"], "--probe"),
        (["audit", "--format=json"], "invalid choice: 'json' (choose from 'jsonl', 'csv')"),
        (["discover", "--format=json"], "--format is not a flag of discover"),
        (["discover", "--probe"], "--probe is not a flag of discover"),
        (["--account=acme"], "--account is not a flag of serve"),
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
    assert re.search(r"\(see flatfile-exporter( [a-z-]+)? --help\)\n$", err)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5.0), ("500ms", 0.5), ("1m", 60.0), ("0.25", 0.25), ("0.25s", 0.25), ("5", 5.0), ("0", 0.0)],
)
def test_a_duration_is_written_as_in_the_configuration_or_in_seconds(text: str, seconds: float) -> None:
    assert parse([f"--web.scrape-timeout-offset={text}"]).web_scrape_timeout_offset == seconds


@pytest.mark.parametrize(
    ("arguments", "external_url", "route_prefix"),
    [
        ([], None, ""),
        (["--web.external-url=https://example.com"], "https://example.com", ""),
        (["--web.external-url=https://example.com:8443/flatfile/"], "https://example.com:8443/flatfile", "/flatfile"),
        (["--web.external-url=https://example.com/a/b", "--web.route-prefix=/"], "https://example.com/a/b", ""),
        (["--web.route-prefix=flatfile"], None, "/flatfile"),
        (["--web.route-prefix=/a/b/"], None, "/a/b"),
    ],
)
def test_the_prefix_of_the_paths_is_that_of_the_external_url(
    arguments: list[str], external_url: str | None, route_prefix: str
) -> None:
    flags = parse(arguments)
    assert (flags.web_external_url, flags.web_route_prefix, flags.web_systemd_socket) == (
        external_url,
        route_prefix,
        False,
    )


def test_sockets_of_systemd_are_asked_for() -> None:
    assert parse(["--web.systemd-socket"]).web_systemd_socket is True


def test_an_empty_web_configuration_is_none() -> None:
    assert parse(["--web.config.file="]).web_config_file is None


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


def help_of(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("argument", ["--help", "-h"])
def test_help_lists_the_commands_and_the_flags_of_the_default_one(
    argument: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(argument, capsys=capsys)
    listed = text.partition("commands:")[2]
    for command in ("serve", "demo", "check-config", "discover", "inventory", "audit", "healthcheck"):
        assert f"    {command} " in listed
    for word in (*(f for f in FLAGS if len(f) > 2 and f.startswith("--")), "FLATFILE_CLIENT_ID", "FLATFILE_BASE_URL"):
        assert word in text
    assert "http://localhost:10056/" in text
    for flag in ("--probe", "--account", "--url", "--follow"):
        assert f"  {flag} " not in text
    assert max(map(len, text.splitlines())) <= 110


COMMON = {"-h", "--version"}
LOG = {"--log.level", "--log.format"}
SERVING = {
    *(flag for flag in FLAGS if flag.startswith("--web.")),
    *("--web.max-requests", "--web.external-url", "--web.route-prefix", "--web.systemd-socket", "--storage.path"),
    *LOG,
    *COMMON,
}


@pytest.mark.parametrize(
    ("command", "flags"),
    [
        ("serve", SERVING | {"--config.file"}),
        ("demo", SERVING),
        (
            "check-config",
            COMMON | {"--config.file", "--web.config.file", "--probe", "--account", "--format"},
        ),
        ("discover", COMMON | {"--config.file", "--account"}),
        (
            "inventory",
            COMMON
            | {"--config.file", "--account", "--environment", "--inactive", "--matrix", "--people", "--format"}
            | {"--output", "--storage.path", "--timeout"},
        ),
        ("healthcheck", COMMON | {"--url"}),
    ],
)
def test_help_of_a_command_has_its_flags_alone(
    command: str, flags: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = help_of(command, "--help", capsys=capsys)
    assert text.startswith(f"usage: flatfile-exporter {command} ")
    assert set(re.findall(r"^  (--?[a-z.-]+)", text, re.MULTILINE)) == flags


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
