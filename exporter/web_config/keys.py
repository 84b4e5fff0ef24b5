"""The keys of the file and what each may hold. Names of TLS are those of Go's crypto/tls, as exporter-toolkit has them."""

import re
import ssl
from collections.abc import Mapping
from typing import TypeVar

from yaml.nodes import ScalarNode

from exporter.config.schema import Entry, Key, Kind, Section
from exporter.config.values import FILE, list_of, nearest, shown
from exporter.core.secret import Secret
from exporter.web_config.types import ClientAuth

T = TypeVar("T")

VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}

# Python can neither ask for a certificate without verifying it nor tell what an unverified one says, so two of the
# words are read as their stricter (or, where nothing is looked at anyway, equal) neighbours.
CLIENT_AUTH = {
    "NoClientCert": ClientAuth.NONE,
    "RequestClientCert": ClientAuth.NONE,
    "VerifyClientCertIfGiven": ClientAuth.OPTIONAL,
    "RequireAnyClientCert": ClientAuth.REQUIRED,
    "RequireClientCert": ClientAuth.REQUIRED,  # exporter-toolkit's older word for RequireAnyClientCert
    "RequireAndVerifyClientCert": ClientAuth.REQUIRED,
}

# Those with forward secrecy, which every version of Go takes; the others are called insecure there by now.
CIPHER_SUITES: dict[str, str | None] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    # accepted, but TLS 1.3 always has all three, here as in Go
    **dict.fromkeys(("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")),
}

CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


BCRYPT_HINT = "a bcrypt hash, as `htpasswd -nBC 10 NAME` prints it after the name and ':'"
MAX_COST = 18
"""Of a bcrypt hash: about 15 s of CPU time. Each further step doubles it."""

_BOOLEAN = "tag:yaml.org,2002:bool"
_STRING = "tag:yaml.org,2002:str"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
# The last letter of the 22 of the salt stands for two bits.
_BCRYPT = re.compile(r"\$2[aby]\$([0-3][0-9])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")
# what Go's time.ParseDuration takes
_DURATION = re.compile(r"0|(?:[0-9]{1,9}(?:\.[0-9]{1,9})?(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"([0-9.]+)(ns|us|µs|ms|s|m|h)")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


# A secret may have been written to the wrong key: no message repeats a value that resembles no known word.


def _flag(node: ScalarNode) -> bool:
    if node.tag != _BOOLEAN:
        raise ValueError("must be true or false, without quotes")
    return node.value.lower() in ("true", "yes", "on")


def _count(node: ScalarNode) -> int:
    if not re.fullmatch("0|[1-9][0-9]{0,8}", node.value):
        raise ValueError("must be a whole number such as 50")
    return int(node.value)


def _pem(node: ScalarNode) -> Secret:
    if node.tag != _STRING or "-----BEGIN " not in node.value:
        raise ValueError("must be PEM text: write '|' after the key and the text below it, indented")
    return Secret(node.value)


def _text(node: ScalarNode) -> str:
    text: str = node.value
    if _CONTROL.search(text) or not text.isascii():
        raise ValueError("must be one line of ASCII characters")
    return text


def _duration(node: ScalarNode) -> float:
    text: str = node.value
    if not _DURATION.fullmatch(text):
        hint = f", write {text}s for seconds" if text.isascii() and text.isdigit() else " such as 1s, 500ms or 1m30s"
        raise ValueError(f"must be a duration with a unit{hint}")
    return sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))


def _bcrypt(node: ScalarNode) -> Secret:
    found = _BCRYPT.fullmatch(node.value)
    cost = int(found[1]) if found is not None else 0
    if not 4 <= cost <= 31:
        raise ValueError(f"must be {BCRYPT_HINT}")
    if cost > MAX_COST:
        raise ValueError(f"a bcrypt hash of cost {cost}: more than {MAX_COST} takes too long")
    return Secret(node.value)


def _word(known: Mapping[str, T]) -> Kind[T]:
    """Return the kind of what a known word stands for."""
    wanted = f"one of {', '.join(known)}"

    def read(node: ScalarNode) -> T:
        if node.value in known:
            return known[node.value]
        guess = nearest(node.value, known)
        raise ValueError(f"{shown(node.value)} is not known; did you mean '{guess}'?" if guess else f"must be {wanted}")

    return Kind("word", wanted, read)


_PEM = Kind("PEM text", "PEM text", _pem)
_FLAG = Kind("true or false", "true or false", _flag)
_TEXT = Kind("text", "text", _text)
_VERSION = _word(VERSIONS)


def _choice(*words: str) -> Kind[str]:
    return _word({word: word for word in words})


ROOT: tuple[Entry, ...] = (
    Section(
        "tls_server_config",
        "",
        (
            Key("cert_file", FILE),
            Key("key_file", FILE),
            Key("cert", _PEM),
            Key("key", _PEM),
            Key("client_auth_type", _word(CLIENT_AUTH)),
            Key("client_ca_file", FILE),
            Key("client_ca", _PEM),
            Key("client_allowed_sans", list_of(_TEXT, "list", "[prometheus.internal]"), "null"),
            Key("min_version", _VERSION),
            Key("max_version", _VERSION),
            Key("cipher_suites", list_of(_word(CIPHER_SUITES), "list", f"[{next(iter(CIPHER_SUITES))}]"), "null"),
            Key("prefer_server_cipher_suites", _FLAG),
            Key("curve_preferences", list_of(_word(CURVES), "list", "[X25519]"), "null"),
        ),
    ),
    Section(
        "http_server_config",
        "",
        (
            Key("http2", _FLAG),
            Section(
                "headers",
                "",
                (
                    Key("Content-Security-Policy", _TEXT),
                    Key("X-Frame-Options", _choice("deny", "sameorigin")),
                    Key("X-Content-Type-Options", _choice("nosniff")),
                    Key("X-XSS-Protection", _TEXT),
                    Key("Strict-Transport-Security", _TEXT),
                ),
            ),
        ),
    ),
    Section(
        "basic_auth_users",
        "",
        (Key("a user name and a bcrypt hash each", Kind("bcrypt hash", BCRYPT_HINT, _bcrypt)),),
        any_name=True,
    ),
    Section(
        "rate_limit",
        "",
        (
            Key("interval", Kind("duration", "a duration such as 1s", _duration)),
            Key("burst", Kind("whole number", "a whole number such as 50", _count)),
        ),
    ),
)
