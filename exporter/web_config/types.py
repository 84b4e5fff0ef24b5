"""The web configuration as frozen values. What is secret is in a `Secret`, so that no dump shows it."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from exporter.core.secret import Secret


class ClientAuth(Enum):
    """Whether a client must present a certificate; one that is presented is always verified."""

    NONE = ssl.CERT_NONE
    OPTIONAL = ssl.CERT_OPTIONAL
    REQUIRED = ssl.CERT_REQUIRED


@dataclass(frozen=True, slots=True)
class Tls:
    """The TLS settings of the server. Certificates and keys are the path of a PEM file, or the PEM text itself.

    `ciphers` is in OpenSSL's words, None its defaults; it holds for TLS 1.2 and older. `allowed_sans` empty: a
    client's certificate may have any names.
    """

    certificate: Path | Secret
    key: Path | Secret
    client_auth: ClientAuth
    client_ca: Path | Secret | None
    allowed_sans: frozenset[str]
    minimum: ssl.TLSVersion
    maximum: ssl.TLSVersion
    ciphers: str | None
    prefer_server_ciphers: bool
    curve: str | None

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(one for one in (self.certificate, self.key, self.client_ca) if isinstance(one, Path))


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request each `interval` seconds, and up to `burst` at once after a pause."""

    interval: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """`users`: name in UTF-8 to bcrypt hash. `fake_hash`: what an unknown user's password is held against.

    `headers` are those that every answer gets.
    """

    tls: Tls | None
    users: Mapping[bytes, Secret] = field(hash=False, repr=False)
    fake_hash: Secret
    headers: tuple[tuple[str, str], ...]
    rate_limit: RateLimit | None

    @property
    def locks(self) -> frozenset[str]:
        """The keys that restrict access."""
        locks = set()
        if self.users:
            locks.add("basic_auth_users")
        if self.tls is not None and self.tls.client_auth is ClientAuth.REQUIRED:
            locks.add("tls_server_config.client_auth_type")
        if self.tls is not None and self.tls.allowed_sans:
            locks.add("tls_server_config.client_allowed_sans")
        return frozenset(locks)

    @property
    def summary(self) -> str:
        """What is enabled, in words."""
        words = ["TLS" if self.tls is not None else "no TLS"]
        if self.tls is not None and self.tls.client_auth is ClientAuth.REQUIRED:
            words[0] += " with client certificates"
        words.append(f"{len(self.users)} user{'' if len(self.users) == 1 else 's'}" if self.users else "no password")
        return ", ".join(words)
