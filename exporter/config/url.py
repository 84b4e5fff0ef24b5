"""Normalises base URLs and checks proxy URLs."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_.])?", re.ASCII)
_PATH = re.compile(r"(/[A-Za-z0-9._~%-]+)*", re.ASCII)


def normalise_base_url(text: str) -> str:
    """Return the URL with a scheme (by default `https://`) and with `/v1` and no `/` at the end.

    A bare `platform.…` host gets `/api/v1`: the region hosts are documented with `/api` (API sheet 1.1).
    Raises ValueError with a text that does not repeat the URL.
    """
    parts = _split(text, ("https", "http"), "https")
    if "@" in parts.netloc:
        raise ValueError("must not hold a user or password: credentials belong under auth")
    if parts.query or parts.fragment or text.rstrip().endswith(("?", "#")):
        raise ValueError("must not have a part after '?' or '#'")
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path):
        raise ValueError("has a path with empty parts or with characters that no path has")
    host = (parts.hostname or "").rstrip(".")
    if not path and host.startswith("platform."):
        path = "/api"
    if path.rpartition("/")[2] != "v1":
        path += "/v1"
    return f"{parts.scheme}://{_authority(parts)}{path}"


def is_plain_http_to_elsewhere(base_url: str) -> bool:
    """Return whether this is http:// to another machine, which sends the credentials in the clear."""
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def check_proxy_url(text: str) -> None:
    """Raise ValueError for anything but the URL of an HTTP proxy; the text does not repeat the URL."""
    parts = _split(text, ("http", "https"), None)
    if parts.path.rstrip("/") or parts.query or parts.fragment:
        raise ValueError("must end after the host and port")


def _split(text: str, schemes: tuple[str, ...], default: str | None) -> SplitResult:
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    if "://" not in text:
        if default is None:
            raise ValueError(f"must begin with {wanted}")
        text = f"{default}://{text}"
    if not re.fullmatch(r"[!-~]+", text):
        raise ValueError("must not hold spaces or characters beyond ASCII")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL: is the host or the port right?") from None
    if parts.scheme not in schemes:
        raise ValueError(f"must begin with {wanted}")
    host = parts.hostname or ""
    if not host or port == 0 or not (_HOST.fullmatch(host) or _is_ip(host)):
        raise ValueError(f"is not a URL: after {parts.scheme}:// comes a host name, or a host name and a port")
    return parts


def _authority(parts: SplitResult) -> str:
    host = parts.hostname or ""
    name = f"[{host}]" if ":" in host else host
    return name if parts.port is None else f"{name}:{parts.port}"


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
