"""The files that a configuration names: regular ones of a limited size, and what may stand in one for a secret."""

import os
import socket
from pathlib import Path

import pytest

from exporter.config import ConfigError, from_environment, load, parse
from exporter.config.files import MAX_SECRET_BYTES, read_file, read_secret_file
from exporter.config.values import SECRET
from exporter.core.secret import Secret


def account(path: Path) -> str:
    return f"accounts: [{{name: acme, auth: {{access_token_file: {path}}}}}]"


def secret_file(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("content", [b"hunter2", b"hunter2\n", b"hunter2\r\n", b"\xef\xbb\xbfhunter2\n"])
async def test_a_secret_is_the_one_line_of_its_file(tmp_path: Path, content: bytes) -> None:
    path = secret_file(tmp_path, content)
    assert parse(account(path), "c.yaml").warnings == ()
    assert await read_secret_file(path, SECRET) == Secret("hunter2")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"hunter2\n\n", "must be one line without control characters"),
        (b"hunter2 \n", "must not begin or end with a space"),
        (b"hunter2\t", "must be one line without control characters"),
        (b'"hunter2"\n', "must not be in quotes"),
        (b"'hunter2'", "must not be in quotes"),
        (b"Bearer hunter2\n", "must be the token alone, without the word Bearer"),
        (b"hunter2 hunter3", "holds spaces or characters that no token has"),
        (b"hunter2\xff", "is not UTF-8 text"),
        (b"\xff\xfeh\x00", "is not UTF-8 text"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_repeated(tmp_path: Path, content: bytes, problem: str) -> None:
    path = secret_file(tmp_path, content)
    with pytest.raises(ConfigError) as raised:
        parse(account(path), "c.yaml")
    assert raised.value.problems == (f"c.yaml:1:51: accounts[0].auth.access_token_file: the content {problem}",)
    with pytest.raises(ConfigError) as raised:
        from_environment({"FLATFILE_ACCESS_TOKEN_FILE": str(path)})
    assert raised.value.problems == (f"FLATFILE_ACCESS_TOKEN_FILE: the content {problem}",)


def test_an_empty_file_may_be_filled_later(tmp_path: Path) -> None:
    (warning,) = parse(account(secret_file(tmp_path, b"\n")), "c.yaml").warnings
    assert "the file is empty; the file is read whenever a token is needed" in warning


def test_a_variable_in_quotes() -> None:
    with pytest.raises(ConfigError, match=r"^FLATFILE_ACCESS_TOKEN must not be in quotes$"):
        from_environment({"FLATFILE_ACCESS_TOKEN": '"hunter2"'})


def irregular(tmp_path: Path) -> list[tuple[Path, str]]:
    fifo, listening = tmp_path / "fifo", tmp_path / "socket"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(listening))
    return [
        (fifo, "it is a FIFO, not a regular file"),
        (Path("/dev/zero"), "it is a device, not a regular file"),
        (tmp_path, "is a directory"),
        (listening, "no such device or address"),
    ]


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    for path, problem in irregular(tmp_path):
        with pytest.raises(ConfigError) as raised:
            load(path)
        assert raised.value.problems == (f"{path}: {problem}",)
        for text in (
            account(path),
            f"accounts: [{{name: a, auth: {{access_token: t}}}}]\nrequests: {{tls: {{ca_file: {path}}}}}",
        ):
            with pytest.raises(ConfigError, match=problem):
                parse(text, "c.yaml")


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = secret_file(tmp_path, b"x" * (MAX_SECRET_BYTES + 1))
    assert len(read_file(path, MAX_SECRET_BYTES + 1)[0]) == MAX_SECRET_BYTES + 1
    with pytest.raises(ConfigError, match="the file is larger than 65536 bytes"):
        parse(account(path), "c.yaml")
