"""Legal files: what they say, and that Prometheus' own tool takes each of them too."""

import ssl
import subprocess
from pathlib import Path

import pytest

from exporter.web_config import load_web
from exporter.web_config.keys import CIPHER_SUITES, CLIENT_AUTH, CURVES, VERSIONS
from exporter.web_config.types import ClientAuth, RateLimit

from .rig import Certificates, hash_of, users

PAIR = "cert_file: server.crt, key_file: server.key"
LEGAL = [
    "",
    "# nothing\n",
    "{}\n",
    "tls_server_config: {}\n",
    "tls_server_config:\nhttp_server_config:\nbasic_auth_users:\n",
    f"tls_server_config: {{{PAIR}}}\n",
    *(f"tls_server_config: {{{PAIR}, client_auth_type: {word}}}\n" for word in ("NoClientCert", "RequestClientCert")),
    *(
        f"tls_server_config: {{{PAIR}, client_auth_type: {word}, client_ca_file: ca.crt}}\n"
        for word, auth in CLIENT_AUTH.items()
        if auth is not ClientAuth.NONE
    ),
    *(f"tls_server_config: {{{PAIR}, min_version: {version}}}\n" for version in VERSIONS),
    f"tls_server_config: {{{PAIR}, min_version: TLS10, max_version: TLS11}}\n",
    f"tls_server_config: {{{PAIR}, cipher_suites: [{', '.join(CIPHER_SUITES)}]}}\n",
    f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256]}}\n",
    f"tls_server_config: {{{PAIR}, cipher_suites: [], curve_preferences: }}\n",
    f"tls_server_config: {{{PAIR}, curve_preferences: [{', '.join(CURVES)}]}}\n",
    f"tls_server_config: {{{PAIR}, curve_preferences: [CurveP384], prefer_server_cipher_suites: false}}\n",
    "http_server_config: {http2: false}\n",
    "http_server_config: {headers: {X-Frame-Options: deny, X-Content-Type-Options: nosniff, X-XSS-Protection: 0,"
    " Strict-Transport-Security: max-age=60, Content-Security-Policy: ''}}\n",
    "http_server_config: {headers: }\n",
    users("one", "two"),
    users("1", "yes", '"a b"', "müller"),
    f"basic_auth_users: {{a: {hash_of(cost=5).replace('$2y$', '$2a$')}, b: {hash_of().replace('$2y$', '$2b$')}}}\n",
]
# What promtool 2.42 is too old for.
NEWER = [
    f"tls_server_config: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, "
    "client_allowed_sans: [prometheus.internal, 10.0.0.1]}\n",
    "rate_limit: {interval: 0, burst: 0}\n",
    "rate_limit: {interval: 1s, burst: 3}\n",
    "rate_limit:\n",
]
INLINE = """\
tls_server_config:
  cert: |
{certificate}
  key: |
{key}
  client_auth_type: VerifyClientCertIfGiven
  client_ca: |
{authority}
"""


@pytest.mark.parametrize("text", LEGAL)
def test_promtool_takes_what_we_take(text: str, files: Certificates, promtool: str) -> None:
    path = files.write(text)
    load_web(path)
    done = subprocess.run([promtool, "check", "web-config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text", NEWER)
def test_what_is_newer_than_promtool(text: str, files: Certificates, promtool: str) -> None:
    path = files.write(text)
    load_web(path)
    done = subprocess.run([promtool, "check", "web-config", path], capture_output=True, text=True, check=False)
    if "version 2.42" in subprocess.run([promtool, "--version"], capture_output=True, text=True, check=True).stdout:
        assert "not found in type web." in done.stderr  # the day it is known, it belongs to the list above
    else:
        assert done.returncode == 0, done.stderr


def indented(path: Path) -> str:
    return "".join(f"    {line}\n" for line in path.read_text(encoding="ascii").splitlines()).rstrip("\n")


def test_certificates_in_the_file_itself(files: Certificates) -> None:
    text = INLINE.format(
        certificate=indented(files.directory / "server.crt"),
        key=indented(files.directory / "server.key"),
        authority=indented(files.ca),
    )
    loaded = load_web(files.write(text))
    assert loaded.context is not None
    assert loaded.context.verify_mode is ssl.CERT_OPTIONAL
    assert loaded.files == (files.web,)
    assert "PRIVATE" not in repr(loaded)


def test_what_a_whole_file_says(files: Certificates) -> None:
    loaded = load_web(
        files.write(
            files.tls(
                "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, client_allowed_sans: [a, 1],"
                "min_version: TLS12, max_version: TLS12, prefer_server_cipher_suites: false,"
                "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]"
            )
            + users("one")
            + "http_server_config: {headers: {X-Frame-Options: sameorigin, X-XSS-Protection: ''}}\n"
            + "rate_limit: {interval: 1m1.5s, burst: 3}\n"
        )
    )
    config, context = loaded.config, loaded.context
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.allowed_sans == {"a", "1"}
    assert (context.minimum_version, context.maximum_version) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)
    assert not context.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    older = [one["name"] for one in context.get_ciphers() if one["protocol"] != "TLSv1.3"]
    assert older == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert config.headers == (("X-Frame-Options", "sameorigin"),)
    assert config.rate_limit == RateLimit(61.5, 3)
    assert list(config.users) == [b"one"]
    assert config.summary == "TLS with client certificates, 1 user"
    assert config.locks == {
        "basic_auth_users",
        "tls_server_config.client_auth_type",
        "tls_server_config.client_allowed_sans",
    }
    assert loaded.files == tuple(files.directory / name for name in ("web.yml", "server.crt", "server.key", "ca.crt"))


def test_suites_of_tls_1_3_alone_leave_no_other_version(files: Certificates) -> None:
    context = load_web(files.write(files.tls("cipher_suites: [TLS_AES_128_GCM_SHA256]"))).context
    assert context is not None
    assert context.minimum_version is ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1s", 1), ("1.5h", 5400), ("1m30s", 90), ("500ms", 0.5), ("5us", 5e-6), ("5µs", 5e-6), ("2000000ns", 0.002)],
)
def test_durations_are_those_of_go(text: str, seconds: float, files: Certificates) -> None:
    limit = load_web(files.write(f"rate_limit: {{interval: {text}, burst: 1}}\n")).config.rate_limit
    assert limit is not None
    assert limit.interval == pytest.approx(seconds)


def test_unknown_users_cost_as_much_as_the_costliest_known_one(files: Certificates) -> None:
    config = load_web(files.write(f"basic_auth_users: {{a: {hash_of(cost=4)}, b: {hash_of(cost=6)}}}\n")).config
    assert config.fake_hash.reveal().startswith("$2b$06$")


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("", "1:1: the file enables nothing: neither TLS nor authentication"),
        ("{}\n", "1:1: the file enables nothing: neither TLS nor authentication"),
        (users(), "1:1: basic_auth_users: without tls_server_config, passwords are sent unencrypted"),
        (
            f"tls_server_config: {{{PAIR}, curve_preferences: [X25519, CurveP256]}}\n",
            "1:85: tls_server_config.curve_preferences: has no effect: only a single curve can be enforced",
        ),
    ],
)
def test_warnings(text: str, warning: str, files: Certificates) -> None:
    assert load_web(files.write(text)).warnings == (f"{files.web}:{warning}",)


def test_a_key_that_everybody_can_read(files: Certificates) -> None:
    (files.directory / "server.key").chmod(0o644)
    (warning,) = load_web(files.write(files.tls())).warnings
    assert warning.endswith("run chmod o-r on it")
