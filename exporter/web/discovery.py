"""Prometheus' HTTP service discovery: a target for each account, and one for the exporter itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request

ONLY_EXPORTER = "exporter"  # /metrics?only=exporter: the exporter's own metrics without any account's


@dataclass(frozen=True, slots=True)
class Location:
    """Where Prometheus reaches the exporter. `prefix` comes before each path."""

    scheme: str
    host: str
    prefix: str


def location(request: Request, external_url: str | None, route_prefix: str) -> Location:
    """Return where the exporter is reached: by its external URL, else as the request came."""
    if external_url is not None:
        parts = urlsplit(external_url)
        return Location(parts.scheme, parts.netloc, parts.path.rstrip("/"))
    return Location(request.scope["scheme"], request.headers.get("host") or _served_at(request), route_prefix)


def targets(where: Location, telemetry_path: str, accounts: Iterable[str]) -> list[dict[str, object]]:
    """Return the target groups as Prometheus reads them."""
    own = {
        "__scheme__": where.scheme,
        "__metrics_path__": where.prefix + telemetry_path,
        "__param_only": ONLY_EXPORTER,
        "instance": where.host,
    }
    groups: list[dict[str, object]] = [{"targets": [where.host], "labels": own}]
    for name in accounts:
        labels = {
            "__scheme__": where.scheme,
            "__metrics_path__": f"{where.prefix}/probe",
            "__param_target": name,
            "__meta_flatfile_account": name,
            "instance": f"{where.host}/{name}",
        }
        groups.append({"targets": [where.host], "labels": labels})
    return groups


def _served_at(request: Request) -> str:
    """Return the address that the request came to, for a client of HTTP/1.0 that sends no `Host`."""
    host, port = request.scope.get("server") or ("localhost", None)
    if port is None:  # a Unix socket
        return "localhost"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
