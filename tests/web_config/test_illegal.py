"""Illegal files: every problem with its place and its exact words, and never a secret."""

from pathlib import Path

import pytest

from exporter.config import ConfigError
from exporter.web_config import load_web

from .rig import Certificates, authority, hash_of, rsa_key

PAIR = "cert_file: server.crt, key_file: server.key"
KEYS = (
    "cert_file, key_file, cert, key, client_auth_type, client_ca_file, client_ca, client_allowed_sans, min_version, "
    "max_version, cipher_suites, prefer_server_cipher_suites, curve_preferences"
)
ROOT = "tls_server_config, http_server_config, basic_auth_users, rate_limit"
TLS = "tls_server_config"
NOT_A_HASH = "must be a bcrypt hash, as `htpasswd -nBC 10 NAME` prints it after the name and ':'"
NO_CA = "needs client_ca_file (or client_ca), which says whose certificates to trust"
NAME = "basic_auth_users: a user name must be of printable characters without a ':'"

ILLEGAL: list[tuple[str, list[str]]] = [
    ("hunter2\n", [f"1:1: must be a mapping of keys ({ROOT}), not a single value"]),
    ("[]\n", [f"1:1: must be a mapping of keys ({ROOT}), not a list"]),
    ("tls_server_config: x\n", [f"1:20: {TLS}: must be a mapping of keys ({KEYS}), not a single value"]),
    ("tls_config: {}\n", ["1:1: tls_config: unknown key; did you mean 'tls_server_config'?"]),
    ("cert_file: server.crt\n", [f"1:1: cert_file: unknown key here; it belongs to {TLS}.cert_file"]),
    ("other: 1\n", [f"1:1: other: unknown key; known here: {ROOT}"]),
    ("'hunter2 $': 1\n", [f"1:1: unknown key; known here: {ROOT}"]),
    ("[a]: 1\n", ["1:1: a key must be plain text"]),
    ("http_server_config: {}\nhttp_server_config: {}\n", ["2:1: http_server_config: duplicate key (first at line 1)"]),
    ("rate_limit: {}\n---\n{}\n", ["2:1: there is a second document ('---') in the file: only one is allowed"]),
    ("rate_limit: [\n", ["2:1: a value is missing here"]),
    (f"{TLS}: {{min_version: TLS13}}\n", [
        f"1:1: {TLS}: cert_file is missing: TLS needs a certificate and its key",
        f"1:1: {TLS}: key_file is missing: TLS needs a certificate and its key",
    ]),
    (f"{TLS}: {{cert_file: server.crt}}\n", [f"1:1: {TLS}: key_file is missing: TLS needs a certificate and its key"]),
    (f"{TLS}: {{{PAIR}, cert: hunter2}}\n", [
        f"1:72: {TLS}.cert: cert and cert_file are both given: keep one of them",
        f"1:72: {TLS}.cert: must be PEM text: write '|' after the key and the text below it, indented",
    ]),
    (f"{TLS}: {{cert_file: server.crt, key: hunter2}}\n", [
        f"1:49: {TLS}.key: must be PEM text: write '|' after the key and the text below it, indented",
    ]),
    (f"{TLS}: {{cert_file: no.crt, key_file: no.key}}\n", [
        f"1:32: {TLS}.cert_file: no such file or directory",
        f"1:50: {TLS}.key_file: no such file or directory",
    ]),
    (f"{TLS}: {{cert_file: web.yml, key_file: server.key}}\n", [
        f"1:32: {TLS}.cert_file: contains no certificate in PEM format",
    ]),
    (f"{TLS}: {{cert_file: server.crt, key_file: server.crt}}\n", [
        f"1:54: {TLS}.key_file: contains no private key in PEM format",
    ]),
    (f"{TLS}: {{cert_file: server.crt, key_file: other.key}}\n", [
        f"1:54: {TLS}.key_file: the private key does not belong to the certificate of cert_file",
    ]),
    (f"{TLS}: {{cert_file: server.crt, key_file: rsa.key}}\n", [
        f"1:54: {TLS}.key_file: the private key does not belong to the certificate of cert_file",
    ]),
    (f"{TLS}: {{cert_file: server.crt, key_file: encrypted.key}}\n", [
        f"1:54: {TLS}.key_file: the private key is encrypted: "
        "decrypt it with `openssl pkey`",
    ]),
    (f"{TLS}: {{cert_file: [], key_file: }}\n", [
        f"1:32: {TLS}.cert_file: must be the path of a file, not a list",
        f"1:45: {TLS}.key_file: must be the path of a file, but is empty",
    ]),
    (f"{TLS}: {{{PAIR}, client_auth_type: RequireAndVerify}}\n", [
        f"1:84: {TLS}.client_auth_type: 'RequireAndVerify' is not known; did you mean 'RequireAndVerifyClientCert'?",
    ]),
    (f"{TLS}: {{{PAIR}, client_auth_type: }}\n", [
        f"1:83: {TLS}.client_auth_type: must be one of NoClientCert, RequestClientCert, VerifyClientCertIfGiven, "
        "RequireAnyClientCert, RequireClientCert, RequireAndVerifyClientCert, but is empty",
    ]),
    *(
        (f"{TLS}: {{{PAIR}, client_auth_type: {word}}}\n", [f"1:84: {TLS}.client_auth_type: {NO_CA}"])
        for word in ("VerifyClientCertIfGiven", "RequireAnyClientCert", "RequireAndVerifyClientCert")
    ),
    (f"{TLS}: {{{PAIR}, client_ca_file: ca.crt}}\n", [
        f"1:82: {TLS}.client_ca_file: has no effect without client_auth_type: RequireAndVerifyClientCert asks for "
        "certificates",
    ]),
    (f"{TLS}: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: web.yml}}\n", [
        f"1:128: {TLS}.client_ca_file: contains no certificate in PEM format",
    ]),
    (f"{TLS}: {{{PAIR}, client_auth_type: VerifyClientCertIfGiven, client_ca_file: ca.crt, "
     "client_allowed_sans: [a]}\n", [
        f"1:154: {TLS}.client_allowed_sans: needs client_auth_type: RequireAndVerifyClientCert",
    ]),
    (f"{TLS}: {{{PAIR}, client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt, "
     "client_allowed_sans: []}\n", [
        f"1:157: {TLS}.client_allowed_sans: must not be empty: no client would be accepted",
    ]),
    (f"{TLS}: {{{PAIR}, min_version: TLS1.2}}\n", [
        f"1:79: {TLS}.min_version: 'TLS1.2' is not known; did you mean 'TLS12'?",
    ]),
    (f"{TLS}: {{{PAIR}, min_version: TLS13, max_version: TLS12}}\n", [
        f"1:79: {TLS}.min_version: the min_version is newer than the max_version",
    ]),
    (f"{TLS}: {{{PAIR}, max_version: TLS11}}\n", [
        f"1:79: {TLS}.max_version: the default min_version TLS12 is newer than the max_version",
    ]),
    (f"{TLS}: {{{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA, 5]}}\n", [
        f"1:82: {TLS}.cipher_suites[0]: 'TLS_RSA_WITH_RC4_128_SHA' is not known; "
        "did you mean 'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA'?",
        f"1:108: {TLS}.cipher_suites[1]: must be one of " + ", ".join([
            *(f"TLS_ECDHE_{k}_WITH_{c}" for k in ("ECDSA", "RSA")
              for c in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")),
            *(f"TLS_ECDHE_{k}_WITH_{c}" for k in ("ECDSA", "RSA") for c in ("AES_128_CBC_SHA", "AES_256_CBC_SHA")),
            "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256",
        ]),
    ]),
    (f"{TLS}: {{{PAIR}, max_version: TLS12, cipher_suites: [TLS_AES_128_GCM_SHA256]}}\n", [
        f"1:101: {TLS}.cipher_suites: none of these suites is of the versions that max_version allows",
    ]),
    (f"{TLS}: {{{PAIR}, cipher_suites: TLS_AES_128_GCM_SHA256}}\n", [
        f"1:81: {TLS}.cipher_suites: must be a list, such as [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]",
    ]),
    (f"{TLS}: {{{PAIR}, curve_preferences: [P256]}}\n", [
        f"1:86: {TLS}.curve_preferences[0]: 'P256' is not known; did you mean 'CurveP256'?",
    ]),
    (f"{TLS}: {{{PAIR}, prefer_server_cipher_suites: 1}}\n", [
        f"1:95: {TLS}.prefer_server_cipher_suites: must be true or false, without quotes",
    ]),
    ("http_server_config: {http2: maybe, headers: {x-frame-options: deny}}\n", [
        "1:29: http_server_config.http2: must be true or false, without quotes",
        "1:46: http_server_config.headers.x-frame-options: unknown key; did you mean 'X-Frame-Options'?",
    ]),
    ("http_server_config: {headers: {X-Frame-Options: '', X-Content-Type-Options: no, Server: x}}\n", [
        "1:49: http_server_config.headers.X-Frame-Options: must be one of deny, sameorigin",
        "1:77: http_server_config.headers.X-Content-Type-Options: must be one of nosniff",
        "1:81: http_server_config.headers.Server: unknown key; known here: Content-Security-Policy, X-Frame-Options, "
        "X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security",
    ]),
    ('http_server_config: {headers: {Content-Security-Policy: "a\\r\\nSet-Cookie: b", X-XSS-Protection: [é]}}\n', [
        "1:57: http_server_config.headers.Content-Security-Policy: must be one line of ASCII characters",
        "1:97: http_server_config.headers.X-XSS-Protection: must be text, not a list",
    ]),
    ("basic_auth_users: {a: hunter2, b: , c: 5, d: []}\n", [
        f"1:23: basic_auth_users: {NOT_A_HASH}",
        f"1:34: basic_auth_users: {NOT_A_HASH}, but is empty",
        f"1:40: basic_auth_users: {NOT_A_HASH}",
        f"1:46: basic_auth_users: {NOT_A_HASH}, not a list",
    ]),
    ("basic_auth_users: [a]\n", [
        "1:19: basic_auth_users: must be a mapping of keys (a user name and a bcrypt hash each), not a list",
    ]),
    *(
        (f"basic_auth_users: {{a: {hashed}}}\n", [f"1:23: basic_auth_users: {NOT_A_HASH}"])
        for hashed in (
            hash_of().replace("$2y$", "$2x$"),
            hash_of().replace("$04$", "$03$"),
            hash_of().replace("$04$", "$32$"),
            hash_of()[:-1],
            hash_of() + "x",
            hash_of()[:28] + "Z" + hash_of()[29:],  # no salt ends so
        )
    ),
    (f"basic_auth_users: {{a: {hash_of().replace('$04$', '$19$')}}}\n", [
        "1:23: basic_auth_users: a bcrypt hash of cost 19: more than 18 takes too long",
    ]),
    (f"basic_auth_users: {{'hunter2:x': {hash_of()}, '': {hash_of()}}}\n", [f"1:33: {NAME}", f"1:99: {NAME}"]),
    (f"basic_auth_users: {{a: {hash_of()}, a: {hash_of()}}}\n", [
        "1:85: basic_auth_users: duplicate key (first at line 1)",
    ]),
    ("rate_limit: {interval: 5, burst: x}\n", [
        "1:24: rate_limit.interval: must be a duration with a unit, write 5s for seconds",
        "1:34: rate_limit.burst: must be a whole number such as 50",
    ]),
    ("rate_limit: {interval: 1d, burst: -1}\n", [
        "1:24: rate_limit.interval: must be a duration with a unit such as 1s, 500ms or 1m30s",
        "1:35: rate_limit.burst: must be a whole number such as 50",
    ]),
    ("rate_limit: {interval: 1s}\n", [
        "1:1: rate_limit: burst must be at least 1: otherwise no request would be answered",
    ]),
    ("rate_limit: {interval: [], burst: 2}\n", [
        "1:24: rate_limit.interval: must be a duration such as 1s, not a list",
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "problems"), ILLEGAL)
def test_each_problem_with_its_place(text: str, problems: list[str], files: Certificates) -> None:
    other = authority("ours").issue_cert("localhost")
    files.replace("other.key", other.private_key_pem.bytes())
    files.replace("rsa.key", rsa_key())
    files.replace(
        "encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nhunter2\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    with pytest.raises(ConfigError) as raised:
        load_web(files.write(text))
    assert raised.value.problems == tuple(f"{files.web}:{problem}" for problem in problems)
    assert "hunter" not in str(raised.value)
    assert hash_of() not in str(raised.value)
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^.*web\.yml: no such file or directory$"):
        load_web(tmp_path / "web.yml")
    with pytest.raises(ConfigError, match=r"is a directory$"):
        load_web(tmp_path)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"the file is not UTF-8 text$"):
        load_web(tmp_path / "web.yml")
