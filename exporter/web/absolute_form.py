"""Request targets in absolute form: `GET http://host/metrics`, which a server must accept (RFC 9112, 3.2.2)."""

from urllib.parse import unquote

from starlette.types import ASGIApp, Receive, Scope, Send


class AbsoluteForm:
    """Turns such a target into a path, and its authority into the header `Host`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            target: bytes = scope["raw_path"]
            scheme, separator, rest = target.partition(b"://")
            if separator and scheme.lower() in (b"http", b"https"):
                host, _, path = rest.partition(b"/")
                headers = [(b"host", host), *(header for header in scope["headers"] if header[0] != b"host")]
                raw_path = b"/" + path
                path_text = unquote(raw_path.decode("ascii"))
                scope = dict(scope) | {"raw_path": raw_path, "path": path_text, "headers": headers}
        await self._app(scope, receive, send)
