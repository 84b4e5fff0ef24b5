"""One account from environment variables alone."""

from pathlib import Path

import pytest

from exporter.config import ConfigError, from_environment, parse
from exporter.core.secret import Secret

PAIR = {"FLATFILE_CLIENT_ID": "id", "FLATFILE_CLIENT_SECRET": "hunter2"}


def problems(env: dict[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        from_environment(env)
    return raised.value.problems


def test_a_pair_makes_an_account_named_default_with_every_default() -> None:
    config = from_environment(PAIR | {"HOME": "/root"})
    text = "accounts: [{name: default, auth: {client_id: id, client_secret: hunter2}}]"
    assert config.accounts == parse(text, "config.yaml").accounts
    assert config.warnings == ()


def test_a_token_and_a_base_url() -> None:
    env = {"FLATFILE_ACCESS_TOKEN": "pat_1", "FLATFILE_BASE_URL": "platform.eu.flatfile.com"}
    (account,) = from_environment(env).accounts
    assert account.auth.access_token == Secret("pat_1")
    assert account.base_url == "https://platform.eu.flatfile.com/api/v1"


def test_files_in_place_of_values(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2", encoding="utf-8")
    secret.chmod(0o644)
    env = {"FLATFILE_CLIENT_ID": "id", "FLATFILE_CLIENT_SECRET_FILE": str(secret)}
    config = from_environment(env)
    assert config.accounts[0].auth.client_secret_file == secret
    (warning,) = config.warnings
    assert warning.startswith("FLATFILE_CLIENT_SECRET_FILE: the file is readable by every user of this machine")


def test_a_file_that_is_not_there_yet() -> None:
    config = from_environment({"FLATFILE_ACCESS_TOKEN_FILE": "no/such"})
    assert config.accounts[0].auth.access_token_file == Path("no/such")
    assert "no such file or directory" in config.warnings[0]


def test_nothing_names_both_ways_and_the_demo() -> None:
    text = "\n".join(problems({"FLATFILE_BASE_URL": "https://x", "FLATFILE_CLIENT_ID": ""}))
    for way in (
        "--config.file",
        "FLATFILE_CLIENT_ID",
        "FLATFILE_CLIENT_SECRET",
        "FLATFILE_ACCESS_TOKEN",
        "flatfile-exporter demo",
    ):
        assert way in text


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        (
            {"FLATFILE_CLIENT_ID": "id"},
            "FLATFILE_CLIENT_ID requires FLATFILE_CLIENT_SECRET (or FLATFILE_CLIENT_SECRET_FILE)",
        ),
        (
            {"FLATFILE_CLIENT_SECRET_FILE": "x"},
            "FLATFILE_CLIENT_SECRET requires FLATFILE_CLIENT_ID (or FLATFILE_CLIENT_ID_FILE)",
        ),
        (
            PAIR | {"FLATFILE_CLIENT_ID_FILE": "x"},
            "FLATFILE_CLIENT_ID and FLATFILE_CLIENT_ID_FILE are both given: keep one of them",
        ),
        (
            PAIR | {"FLATFILE_ACCESS_TOKEN": "t"},
            "two kinds of credentials are given: keep either FLATFILE_CLIENT_ID with FLATFILE_CLIENT_SECRET, "
            "or FLATFILE_ACCESS_TOKEN",
        ),
        ({"FLATFILE_ACCESS_TOKEN": "hunter2\n"}, "FLATFILE_ACCESS_TOKEN must be one line without control characters"),
        ({"FLATFILE_ACCESS_TOKEN": " "}, "FLATFILE_ACCESS_TOKEN must not be empty"),
        (
            {"FLATFILE_ACCESS_TOKEN": "Bearer hunter2"},
            "FLATFILE_ACCESS_TOKEN must be the token alone, without the word Bearer",
        ),
        (
            PAIR | {"FLATFILE_BASE_URL": "ftp://x"},
            "FLATFILE_BASE_URL must begin with https:// or http://",
        ),
        (
            PAIR | {"FLATFILE_BASE_URL": "http://flatfile.internal"},
            "FLATFILE_BASE_URL must begin with https://: http:// would send the credentials in the clear "
            "(a configuration file can allow it for an account)",
        ),
    ],
)
def test_what_does_not_fit_is_said_without_the_value(env: dict[str, str], problem: str) -> None:
    assert problems(env) == (problem,)
    assert "hunter2" not in problem


def test_every_problem_at_once() -> None:
    env = {
        "FLATFILE_CLIENT_SECRET": "\x07",
        "FLATFILE_ACCESS_TOKEN": "a b",
        "FLATFILE_BASE_URL": "https://me:hunter2@x",
    }
    found = problems(env)
    assert len(found) == 4
    assert "hunter2" not in str(found)
