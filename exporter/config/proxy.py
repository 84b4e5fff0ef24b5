"""The proxy that the environment's variables give for a base URL (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY)."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

from exporter.config.types import AccountConfig
from exporter.config.url import check_proxy_url, is_plain_http_to_elsewhere
from exporter.config.values import shown
from exporter.core.secret import Secret

_ENTRY = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[^\]]*\]|[^:\[\]]*|[0-9A-Fa-f:./]*)(?::(?P<port>[0-9]{1,5}))?"
)
_NAME = re.compile(r"[*.]*[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?", re.ASCII)


def with_proxy(account: AccountConfig, env: Mapping[str, str], warnings: list[str]) -> AccountConfig:
    """Return the account with the proxy of the environment, unless it has one of its own.

    What cannot be used is left out, with a warning that does not repeat a password.
    """
    if account.proxy is not None:
        return account
    base = urlsplit(account.base_url)
    if base.scheme == "http" and not is_plain_http_to_elsewhere(account.base_url):
        return account
    for name in (f"{base.scheme}_proxy", "all_proxy"):
        variable, text = _variable(name, env)
        if not text:
            continue
        url = text if "://" in text else f"http://{text}"
        try:
            check_proxy_url(url)
        except ValueError as error:
            warnings.append(f"{variable} {error}: it is not used")
            continue
        no_proxy, entries = _variable("no_proxy", env)
        port = base.port or {"http": 80, "https": 443}[base.scheme]
        if _is_excluded(base.scheme, base.hostname or "", port, re.split(r"[,\s]+", entries), no_proxy, warnings):
            return account
        return replace(account, proxy=Secret(url))
    return account


def _variable(name: str, env: Mapping[str, str]) -> tuple[str, str]:
    """Return the name that is set, in small letters before capitals, and the value."""
    used = name if name in env else name.upper()
    return used, env.get(used, "").strip()


def _is_excluded(scheme: str, host: str, port: int, entries: Iterable[str], variable: str, warnings: list[str]) -> bool:
    """Return whether an entry is this host: `*`, an address or network, or a domain, also with a scheme or a port."""
    found = False
    for entry in filter(None, entries):
        parts = _ENTRY.fullmatch(entry)
        name = "" if parts is None else parts["host"].strip("[]")
        matches = entry == "*" or _matches(host, name)
        if parts is None or matches is None:
            warnings.append(f"{variable}: {shown(entry)} is no host, domain or network: it is not used")
            continue
        found |= matches and parts["scheme"] in (None, scheme) and parts["port"] in (None, str(port))
    return found


def _matches(host: str, name: str) -> bool | None:
    """Return whether an address, network or domain holds the host; None for what is none of them."""
    try:
        network = ip_network(name, strict=False)
    except ValueError:
        domain = name.lstrip("*.").rstrip(".").lower()
        return (host == domain or host.endswith(f".{domain}")) if _NAME.fullmatch(name) else None
    try:
        return ip_address(host) in network
    except ValueError:
        return False
