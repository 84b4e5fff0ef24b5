"""Whatever a user types into the file, it is a configuration or a list of problems that have a place and no secret."""

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.config.problems import Problems
from exporter.config.schema import walk
from exporter.web_config.keys import ROOT
from exporter.web_config.reading import parse

from .rig import hash_of, users

SECRET = "hunter2"
WHOLE = f"""\
tls_server_config:
  cert_file: server.crt
  key: |
    -----BEGIN {SECRET} KEY-----
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [a, 10.0.0.1]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: true
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers:
    X-Frame-Options: deny
{users("a", "b")}rate_limit:
  interval: 1s
  burst: 3
"""
LINES = WHOLE.splitlines()
PLACE = re.compile(r"web\.yml:\d+:\d+: [^\n]+")
SCALARS = st.sampled_from(
    [
        *(
            "",
            "~",
            "yes",
            "5",
            "-1",
            ".nan",
            "10:30",
            "1s",
            "0",
            "text",
            "[]",
            "{}",
            "[[]]",
            "[{}]",
            "{a: b}",
            "[1, x]",
        ),
        *("*x", "&x", "&x y", "!x", "|", ">-", "<<", "? x", "'", '"', "%", "@", "\t", "\\", "TLS13", "'a\x7f'", "é"),
        *(SECRET, f"{SECRET}{hash_of()}", hash_of(), f"'{hash_of()} '"),
    ]
)
KEYS = st.sampled_from([*(entry.name for _, entry in walk(ROOT)), "hunter2 x", "", "<<"])


def answer(text: str) -> bool:
    """True where it is a configuration."""
    problems = Problems("web.yml")
    config, _ = parse(text, "web.yml", problems)
    lines = (*problems.lines(), *problems.warnings())
    assert (config is None) == bool(problems.lines())
    for line in lines:
        assert PLACE.fullmatch(line), line
        assert hash_of() not in line
        assert SECRET not in line
    return config is not None


def test_the_whole_file_is_legal() -> None:
    assert answer(WHOLE)


@settings(deadline=None)
@given(st.text(max_size=200))
@example("a: &x [*x]")
@example("\x00")
@example("? {a: b}\n: c")
def test_any_text(text: str) -> None:
    answer(text)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, len(LINES) - 1), SCALARS, st.data())
def test_any_value_of_any_key(index: int, value: str, data: st.DataObject) -> None:
    line = LINES[index]
    changed = data.draw(
        st.sampled_from(
            [line.split(":")[0] + ": " + value, " " + line, line.replace(":", ""), value, line + "\n" + line]
        )
    )
    answer("\n".join([*LINES[:index], changed, *LINES[index + 1 :]]) + "\n")


@settings(deadline=None, max_examples=300)
@given(
    st.dictionaries(
        KEYS, st.one_of(SCALARS, st.dictionaries(KEYS, SCALARS, max_size=4).map(lambda one: mapping(one))), max_size=4
    )
)
def test_any_keys(found: dict[str, str]) -> None:
    answer(mapping(found))


def mapping(entries: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in entries.items()) + "}"


@settings(deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_a_file_that_is_cut_off(length: int) -> None:
    answer(WHOLE[:length])
