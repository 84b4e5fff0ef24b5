"""The text of a web configuration file to its frozen values, or to all of its problems."""

import ssl
from pathlib import Path
from typing import Any

from exporter.config.problems import Place, Problems
from exporter.config.reader import BROKEN, Block, Reader
from exporter.config.yaml_tree import YamlError, compose
from exporter.core.secret import Secret
from exporter.web_config.keys import ROOT, VERSIONS
from exporter.web_config.types import ClientAuth, RateLimit, Tls, WebConfig

_USUAL_COST = 10
_TLS = "tls_server_config."
_USERS = "basic_auth_users."
_HEADERS = "http_server_config.headers."


def parse(text: str, filename: str, problems: Problems) -> tuple[WebConfig | None, dict[str, Place]]:
    """Return the configuration, None where there are problems; and where each key stands, by its path.

    Relative paths in it start from the directory of `filename`. What the files hold is not looked at.
    """
    try:
        block = Reader(ROOT, Path(filename).parent, problems).read(compose(text))
    except YamlError as error:
        problems.add(Place(error.line, error.column, ""), error.message)
        return None, {}
    if not block.sections and not problems.count:
        problems.warn(Place(1, 1, ""), "the file enables nothing: neither TLS nor authentication")
    config = _Reading(block, problems).config()
    return (None if problems.count else config), {path: setting.place for path, setting in block.settings.items()}


def fake_hash(cost: int) -> Secret:
    """Return a bcrypt hash of that cost which belongs to no password anybody could know."""
    return Secret(f"$2b${cost:02}$" + "." * 53)


class _Reading:
    """Checks what needs more than one key. With a BROKEN value what it returns is of no use."""

    def __init__(self, block: Block, problems: Problems) -> None:
        self._block = block
        self._settings = block.settings
        self._problems = problems

    def _get(self, path: str, default: Any = None) -> Any:
        """Return the value where it is written and can be used."""
        setting = self._settings.get(path)
        return default if setting is None or setting.value is BROKEN else setting.value

    def _is_broken(self, *paths: str) -> bool:
        return any(path in self._settings and self._settings[path].value is BROKEN for path in paths)

    def _written(self, *paths: str) -> Place | None:
        """Return the place of the first of these that is written."""
        return next((self._settings[path].place for path in paths if path in self._settings), None)

    def _has(self, section: str) -> bool:
        """Return whether the section is a mapping with keys."""
        return section in self._block.sections and any(path.startswith(f"{section}.") for path in self._settings)

    def _below(self, prefix: str) -> dict[str, Any]:
        return {path.removeprefix(prefix): self._get(path) for path in self._settings if path.startswith(prefix)}

    def config(self) -> WebConfig:
        tls = self._tls() if self._has("tls_server_config") else None
        users = self._users(has_tls=tls is not None)
        costs = [int(value.reveal()[4:6]) for value in users.values() if value is not None]
        return WebConfig(
            tls=tls,
            users=users,
            fake_hash=fake_hash(max(costs, default=_USUAL_COST)),
            headers=tuple((name, value) for name, value in self._below(_HEADERS).items() if value),
            rate_limit=self._rate_limit(),
        )

    def _tls(self) -> Tls:
        certificate, key = self._pem("cert"), self._pem("key")
        for name in ("cert", "key"):
            if self._written(f"{_TLS}{name}", f"{_TLS}{name}_file") is None:
                place = self._block.sections["tls_server_config"]
                self._problems.add(place, f"{name}_file is missing: TLS needs a certificate and its key")
        client_ca = self._pem("client_ca")
        minimum, maximum = self._versions()
        ciphers, minimum = self._ciphers(minimum, maximum)
        return Tls(
            certificate,
            key,
            self._client_auth(),
            client_ca,
            frozenset(filter(None, self._get(f"{_TLS}client_allowed_sans") or ())),
            minimum,
            maximum,
            ciphers,
            self._get(f"{_TLS}prefer_server_cipher_suites", default=True),
            self._curve(),
        )

    def _pem(self, name: str) -> Any:
        text, file = self._written(f"{_TLS}{name}"), f"{_TLS}{name}_file"
        if text is not None and self._written(file) is not None:
            self._problems.add(text, f"{name} and {name}_file are both given: keep one of them")
        return self._get(file) or self._get(f"{_TLS}{name}")

    def _client_auth(self) -> ClientAuth:
        chosen = self._written(f"{_TLS}client_auth_type")
        client_auth: ClientAuth | None = ClientAuth.NONE if chosen is None else self._get(f"{_TLS}client_auth_type")
        authority = self._written(f"{_TLS}client_ca_file", f"{_TLS}client_ca")
        if client_auth is ClientAuth.NONE and authority is not None:
            self._problems.add(
                authority, "has no effect without client_auth_type: RequireAndVerifyClientCert asks for certificates"
            )
        if client_auth not in (ClientAuth.NONE, None) and authority is None and chosen is not None:
            self._problems.add(chosen, "needs client_ca_file (or client_ca), which says whose certificates to trust")
        sans = self._get(f"{_TLS}client_allowed_sans")
        place = self._written(f"{_TLS}client_allowed_sans")
        if sans is not None and place is not None:
            if client_auth not in (ClientAuth.REQUIRED, None):
                self._problems.add(place, "needs client_auth_type: RequireAndVerifyClientCert")
            if not any(sans):
                self._problems.add(place, "must not be empty: no client would be accepted")
        return client_auth or ClientAuth.NONE

    def _versions(self) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        low, high = self._written(f"{_TLS}min_version"), self._written(f"{_TLS}max_version")
        minimum: ssl.TLSVersion = self._get(f"{_TLS}min_version", VERSIONS["TLS12"])
        maximum: ssl.TLSVersion = self._get(f"{_TLS}max_version", VERSIONS["TLS13"])
        at = low or high
        if minimum > maximum and at is not None and not self._is_broken(f"{_TLS}min_version", f"{_TLS}max_version"):
            least = "the min_version" if low is not None else "the default min_version TLS12"
            self._problems.add(at, f"{least} is newer than the max_version")
        return minimum, maximum

    def _ciphers(self, minimum: ssl.TLSVersion, maximum: ssl.TLSVersion) -> tuple[str | None, ssl.TLSVersion]:
        """Return the suites in OpenSSL's words, and the least version for which there are some."""
        suites, place = self._get(f"{_TLS}cipher_suites"), self._written(f"{_TLS}cipher_suites")
        older = [suite for suite in suites or () if suite]
        if not suites or older or place is None:
            return ":".join(older) or None, minimum
        if maximum < ssl.TLSVersion.TLSv1_3:
            self._problems.add(place, "none of these suites is of the versions that max_version allows")
        return None, ssl.TLSVersion.TLSv1_3

    def _curve(self) -> str | None:
        curves: tuple[str, ...] = self._get(f"{_TLS}curve_preferences") or ()
        place = self._written(f"{_TLS}curve_preferences")
        if len(curves) > 1 and place is not None:
            self._problems.warn(place, "has no effect: only a single curve can be enforced")
        return curves[0] if len(curves) == 1 else None

    def _users(self, *, has_tls: bool) -> dict[bytes, Secret]:
        """Return the users. No name is repeated: it may be that of a person."""
        users = self._below(_USERS) if self._has("basic_auth_users") else {}
        if users and not has_tls:
            place = self._block.sections["basic_auth_users"]
            self._problems.warn(place, "without tls_server_config, passwords are sent unencrypted")
        for name in users:
            if not name or ":" in name or not name.isprintable():
                place = self._settings[_USERS + name].place
                self._problems.add(place, "a user name must be of printable characters without a ':'")
        return {name.encode("utf-8", "surrogatepass"): value for name, value in users.items()}

    def _rate_limit(self) -> RateLimit | None:
        interval, burst = self._get("rate_limit.interval"), self._get("rate_limit.burst", 0)
        if not interval:
            return None
        if not burst and not self._is_broken("rate_limit.burst"):
            self._problems.add(
                self._block.sections["rate_limit"], "burst must be at least 1: otherwise no request would be answered"
            )
        return RateLimit(interval, burst)
