"""TLS contexts from the configuration, and one that uses the current one for each new connection."""

import contextlib
import hashlib
import ipaddress
import os
import ssl
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from exporter.config.files import MAX_PEM_BYTES, certificates, read_file, reason
from exporter.core.secret import Secret
from exporter.web_config.types import Tls

_OTHER_KEY = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")  # the last: of another kind
_OLD_CIPHERS = "ECDH:DHE:!aNULL:!eNULL"


class TlsError(Exception):
    """Certificates or keys that cannot be used. `problems`: the key of the configuration and the error."""

    def __init__(self, problems: tuple[tuple[str, str], ...]) -> None:
        super().__init__("; ".join(f"{key}: {message}" for key, message in problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Pem:
    """The content of the files and texts of a `Tls`."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None


class ServerContext(ssl.SSLContext):
    """A server's context that also checks the names in a client's certificate."""

    allowed_sans: frozenset[str] = frozenset()


class _Connection(ssl.SSLObject):
    def do_handshake(self) -> None:
        """Continue the handshake; at its end, refuse a client without any of the allowed names."""
        super().do_handshake()
        context = self.context
        if isinstance(context, ServerContext) and context.allowed_sans:
            certificate = self.getpeercert() or {}
            if not context.allowed_sans.intersection(_names(certificate)):
                raise ssl.SSLCertVerificationError("the client's certificate has none of the allowed names")

    def unwrap(self) -> None:
        """Close without waiting for the client's close_notify, for which asyncio would wait half a minute."""
        with contextlib.suppress(ssl.SSLWantReadError):
            super().unwrap()


class ListeningContext(ssl.SSLContext):
    """The server's context: each new connection uses the context that `current` returns then.

    A change applies to new connections only.
    """

    _current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> Self:
        """Create it; its own settings are not used."""
        made = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        made._current = current
        return made

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begin a connection (asyncio calls this once for each)."""
        return self._current().wrap_bio(*args, **kwargs)


def read_pem(tls: Tls) -> Pem:
    """Read the files now. Raises TlsError with every file that cannot be read."""
    problems: list[tuple[str, str]] = []

    def read(name: str, source: Path | Secret) -> bytes:
        try:
            return _content(source)
        except OSError as error:
            problems.append((f"{name}_file", reason(error)))
            return b""

    pem = Pem(
        read("cert", tls.certificate),
        read("key", tls.key),
        None if tls.client_ca is None else read("client_ca", tls.client_ca),
    )
    if problems:
        raise TlsError(tuple(problems))
    return pem


def read_client_ca(tls: Tls) -> bytes | None:
    """Return the CA certificates alone. Raises OSError."""
    return None if tls.client_ca is None else _content(tls.client_ca)


def make_context(tls: Tls, pem: Pem) -> ServerContext:
    """Return the context of these settings with these certificates. Raises TlsError."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Connection
    with warnings.catch_warnings():  # Python warns of TLS 1.0 and 1.1, which somebody has asked for
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = tls.minimum
        context.maximum_version = tls.maximum
    context.options |= ssl.OP_NO_RENEGOTIATION
    if not tls.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    old = tls.minimum < ssl.TLSVersion.TLSv1_2
    try:
        if old or tls.ciphers is not None:
            # OpenSSL speaks TLS 1.1 and 1.0 at its lowest level of security alone
            context.set_ciphers((tls.ciphers or _OLD_CIPHERS) + ("@SECLEVEL=0" if old else ""))
    except ssl.SSLError:
        raise TlsError((("cipher_suites", "the TLS library of this machine has none of these suites"),)) from None
    try:
        if tls.curve is not None:
            context.set_ecdh_curve(tls.curve)
    except (ssl.SSLError, ValueError):
        raise TlsError((("curve_preferences", "the TLS library of this machine does not have this curve"),)) from None
    context.set_alpn_protocols(["http/1.1"])
    problems = _load_pair(context, tls, pem)
    if pem.client_ca is not None:
        # As in Go, what is listed is trusted for itself, be it a root or not.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        authorities = certificates(pem.client_ca)
        if authorities is not None:
            context.load_verify_locations(cadata=authorities)
        else:
            problems.append((_called("client_ca", tls.client_ca), "contains no certificate in PEM format"))
    if problems:
        raise TlsError(tuple(problems))
    context.verify_mode = tls.client_auth.value
    context.allowed_sans = tls.allowed_sans
    return context


def digest(pem: Pem) -> bytes:
    """Return a digest, to compare without keeping a key."""
    parts = (pem.certificate, pem.key, pem.client_ca or b"")
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).digest()


def _content(source: Path | Secret) -> bytes:
    if isinstance(source, Secret):
        return source.reveal().encode()
    return read_file(source, MAX_PEM_BYTES)[0]


def _called(name: str, source: Path | Secret | None) -> str:
    return f"{name}_file" if isinstance(source, Path) else name


def _load_pair(context: ssl.SSLContext, tls: Tls, pem: Pem) -> list[tuple[str, str]]:
    certificate, key = _called("cert", tls.certificate), _called("key", tls.key)
    if certificates(pem.certificate) is None:
        return [(certificate, "contains no certificate in PEM format")]
    if b"ENCRYPTED" in pem.key:
        return [(key, "the private key is encrypted: decrypt it with `openssl pkey`")]
    try:
        with _as_file(pem.certificate) as certificate_file, _as_file(pem.key) as key_file:
            # without a password of ours OpenSSL would ask for one at the terminal
            context.load_cert_chain(certificate_file, key_file, password=b"")
    except ssl.SSLError as error:
        if error.reason in _OTHER_KEY:
            return [(key, f"the private key does not belong to the certificate of {certificate}")]
        if error.reason is not None and error.library == "SSL" and error.reason != "PEM lib":
            return [(certificate, f"the certificate cannot be used: {error.reason.lower().replace('_', ' ')}")]
        return [(key, "contains no private key in PEM format")]
    return []


@contextlib.contextmanager
def _as_file(text: bytes) -> Iterator[str]:
    """Yield a path from which OpenSSL can read the text, in memory where the system can do that."""
    if sys.platform == "linux":
        file = os.fdopen(os.memfd_create("pem"), "w+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the block below closes either
    with file:
        file.write(text)
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"


def _names(certificate: Any) -> Iterator[str]:
    """Yield the subject alternative names: DNS names, e-mail and IP addresses, URIs."""
    for kind, name in certificate.get("subjectAltName", ()):
        if kind in ("DNS", "email", "URI"):
            yield name
        elif kind == "IP Address":
            with contextlib.suppress(ValueError):
                yield str(ipaddress.ip_address(name.strip()))
