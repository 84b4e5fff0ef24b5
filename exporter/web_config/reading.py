"""The text of a web configuration file to its frozen values, or to all of its problems."""

import re
import ssl
from pathlib import Path

from yaml.nodes import ScalarNode

from exporter.config.problems import Place, Problems
from exporter.config.yaml_tree import YamlError, compose
from exporter.core.secret import Secret
from exporter.web_config.names import (
    CIPHER_SUITES,
    CLIENT_AUTH,
    CURVES,
    HEADERS,
    HTTP_KEYS,
    RATE_LIMIT_KEYS,
    ROOT_KEYS,
    TLS13_SUITES,
    TLS_KEYS,
    VERSIONS,
)
from exporter.web_config.nodes import Entry, Nodes, place_of
from exporter.web_config.types import ClientAuth, RateLimit, Tls, WebConfig

LARGEST_COST = 18
"""Of a bcrypt hash: 15 s of computing on a machine of today. Each step more doubles it."""
USUAL_COST = 10

# The last letter of the 22 of the salt stands for two bits.
_BCRYPT = re.compile(r"\$2[aby]\$([0-3][0-9])\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}")


def parse(text: str, filename: str, problems: Problems) -> tuple[WebConfig | None, dict[str, Place]]:
    """The configuration, None where there are problems; and where each key stands, by its path.

    Relative paths in it start from the directory of `filename`. What the files hold is not looked at.
    """
    reader = _Reading(problems, Path(filename).parent)
    try:
        root = compose(text)
    except YamlError as error:
        problems.add(Place(error.line, error.column, ""), error.message)
        return None, {}
    start = Place(1, 1, "")
    entries = {} if root is None else reader.nodes.mapping(root, place_of(root, ""), ROOT_KEYS)
    if not entries and not problems.count:
        problems.warn(start, "the file turns nothing on: everybody may read everything, without TLS")
    config = reader.config(entries)
    return (None if problems.count else config), reader.places


def fake_hash(cost: int) -> Secret:
    """A bcrypt hash of that cost which belongs to no password anybody could know."""
    return Secret(f"$2b${cost:02}$" + "." * 53)


class _Reading:
    def __init__(self, problems: Problems, directory: Path) -> None:
        self.nodes = Nodes(problems)
        self.places: dict[str, Place] = {}
        self._problems = problems
        self._directory = directory

    def config(self, entries: dict[str, Entry]) -> WebConfig:
        section = {
            name: self._section(entries[name], keys)
            for name, keys in (
                ("tls_server_config", TLS_KEYS),
                ("http_server_config", HTTP_KEYS),
                ("rate_limit", RATE_LIMIT_KEYS),
            )
            if name in entries
        }
        tls = section.get("tls_server_config")
        users, cost = self._users(entries["basic_auth_users"]) if "basic_auth_users" in entries else ({}, USUAL_COST)
        if users and not tls:
            self._problems.warn(
                entries["basic_auth_users"].place, "without tls_server_config the passwords travel unencrypted"
            )
        rate = section.get("rate_limit")
        return WebConfig(
            tls=self._tls(entries["tls_server_config"].place, tls) if tls else None,
            users=users,
            fake_hash=fake_hash(cost),
            headers=self._http(section.get("http_server_config", {})),
            rate_limit=self._rate_limit(entries["rate_limit"].place, rate) if rate else None,
        )

    def _section(self, entry: Entry, keys: tuple[str, ...]) -> dict[str, Entry]:
        found = self.nodes.mapping(entry.node, entry.place, keys)
        self.places |= {one.place.path: one.place for one in found.values()}
        return found

    def _tls(self, place: Place, given: dict[str, Entry]) -> Tls | None:
        before = self._problems.count
        certificate, key = self._pem(given, "cert"), self._pem(given, "key")
        for name, value in (("cert", certificate), ("key", key)):
            if value is None and name not in given and f"{name}_file" not in given:
                self._problems.add(place, f"{name}_file is missing: TLS needs a certificate and its key")
        client_auth, client_ca, sans = self._clients(given)
        minimum, maximum = self._versions(given)
        ciphers, minimum = self._ciphers(given, minimum, maximum)
        prefer = given.get("prefer_server_cipher_suites")
        prefers = True if prefer is None else self.nodes.boolean(prefer)
        curve = self._curve(given)
        if certificate is None or key is None or self._problems.count > before:
            return None
        return Tls(certificate, key, client_auth, client_ca, sans, minimum, maximum, ciphers, prefers, curve)

    def _pem(self, given: dict[str, Entry], name: str) -> Path | Secret | None:
        text, file = given.get(name), given.get(f"{name}_file")
        if text is not None and file is not None:
            self._problems.add(text.place, f"{name} and {name}_file are both given: keep one of them")
        if file is not None:
            return self.nodes.file(file, self._directory)
        value = self.nodes.pem(text) if text is not None else None
        return None if value is None else Secret(value)

    def _clients(self, given: dict[str, Entry]) -> tuple[ClientAuth, Path | Secret | None, frozenset[str]]:
        chosen = given.get("client_auth_type")
        client_auth = self.nodes.word(chosen, CLIENT_AUTH) if chosen is not None else ClientAuth.NONE
        client_ca = self._pem(given, "client_ca")
        authority = given.get("client_ca_file") or given.get("client_ca")
        sans = given.get("client_allowed_sans")
        if client_auth is ClientAuth.NONE and authority is not None:
            self._problems.add(
                authority.place,
                "has no effect without client_auth_type: RequireAndVerifyClientCert asks for certificates",
            )
        if client_auth not in (ClientAuth.NONE, None) and authority is None and chosen is not None:
            self._problems.add(
                chosen.place, "needs client_ca_file (or client_ca), which says whose certificates to trust"
            )
        names = (
            frozenset(filter(None, map(self.nodes.text, self.nodes.items(sans)))) if sans is not None else frozenset()
        )
        if sans is not None and client_auth not in (ClientAuth.REQUIRED, None):
            self._problems.add(sans.place, "needs client_auth_type: RequireAndVerifyClientCert")
        if sans is not None and not names:
            self._problems.add(sans.place, "must not be empty: nobody would be let in")
        return client_auth or ClientAuth.NONE, client_ca, names

    def _versions(self, given: dict[str, Entry]) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
        low, high = given.get("min_version"), given.get("max_version")
        minimum = self.nodes.word(low, VERSIONS) if low is not None else VERSIONS["TLS12"]
        maximum = self.nodes.word(high, VERSIONS) if high is not None else VERSIONS["TLS13"]
        if minimum is None or maximum is None:
            return VERSIONS["TLS12"], VERSIONS["TLS13"]
        at = low or high
        if minimum > maximum and at is not None:
            least = "the min_version" if low is not None else "the min_version TLS12, which holds where none is given,"
            self._problems.add(at.place, f"{least} is newer than the max_version")
        return minimum, maximum

    def _ciphers(
        self, given: dict[str, Entry], minimum: ssl.TLSVersion, maximum: ssl.TLSVersion
    ) -> tuple[str | None, ssl.TLSVersion]:
        """The suites in OpenSSL's words, and the least version for which there are some."""
        entry = given.get("cipher_suites")
        if entry is None:
            return None, minimum
        known = CIPHER_SUITES | dict.fromkeys(TLS13_SUITES, "")
        suites = [self.nodes.word(item, known) for item in self.nodes.items(entry)]
        older = [suite for suite in suites if suite]
        if not suites or older:
            return ":".join(older) or None, minimum
        if None not in suites and maximum < ssl.TLSVersion.TLSv1_3:
            self._problems.add(entry.place, "none of these suites is of the versions that max_version allows")
        return None, ssl.TLSVersion.TLSv1_3

    def _curve(self, given: dict[str, Entry]) -> str | None:
        entry = given.get("curve_preferences")
        if entry is None:
            return None
        curves = [self.nodes.word(item, CURVES) for item in self.nodes.items(entry)]
        if len(curves) > 1:
            self._problems.warn(entry.place, "has no effect: this version can be held to one curve, but not to several")
        return curves[0] if len(curves) == 1 else None

    def _http(self, given: dict[str, Entry]) -> tuple[tuple[str, str], ...]:
        if "http2" in given:
            self.nodes.boolean(given["http2"])
        if "headers" not in given:
            return ()
        entry = given["headers"]
        headers = []
        for name, one in self.nodes.mapping(entry.node, entry.place, HEADERS).items():
            allowed = HEADERS[name]
            value = self.nodes.word(one, {word: word for word in allowed}) if allowed else self.nodes.text(one)
            if value:
                headers.append((name, value))
        return tuple(headers)

    def _users(self, entry: Entry) -> tuple[dict[bytes, Secret], int]:
        """The users, and the highest cost of their hashes. No name is repeated: it may be that of a person."""
        users: dict[bytes, Secret] = {}
        costs = []
        for key, one in self.nodes.pairs(entry.node, entry.place, "a user name and a bcrypt hash each"):
            name, node = key.value, one.node
            if not name or ":" in name or not name.isprintable():
                at = place_of(key, entry.place.path)
                self._problems.add(at, "a user name must be of printable characters without a ':'")
            found = _BCRYPT.fullmatch(node.value) if isinstance(node, ScalarNode) else None
            cost = int(found[1]) if found is not None else 0
            if not isinstance(node, ScalarNode) or not 4 <= cost <= 31:
                self._problems.add(
                    one.place, "must be a bcrypt hash, as `htpasswd -nBC 10 NAME` prints it after the name and ':'"
                )
            elif cost > LARGEST_COST:
                self._problems.add(one.place, f"a bcrypt hash of cost {cost}: more than {LARGEST_COST} takes too long")
            else:
                users[name.encode("utf-8", "surrogatepass")] = Secret(node.value)
                costs.append(cost)
        return users, max(costs, default=USUAL_COST)

    def _rate_limit(self, place: Place, given: dict[str, Entry]) -> RateLimit | None:
        before = self._problems.count
        interval = self.nodes.duration(given["interval"]) if "interval" in given else 0.0
        burst = self.nodes.count(given["burst"]) if "burst" in given else 0
        if not interval:
            return None
        if not burst and self._problems.count == before:
            self._problems.add(place, "burst must be at least 1: otherwise no request would be answered")
        return RateLimit(interval, burst)
