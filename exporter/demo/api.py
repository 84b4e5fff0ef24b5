"""Requests to the simulated API, and its replies."""

import gzip
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from exporter.demo.answers import Refused, template

GZIP_ABOVE = 1024  # bytes; smaller bodies go out plain


@dataclass
class Request:
    """One request as it came. `path`: as sent, until it is found to lie below the prefix; then without that."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    status: int | None = None
    """What was answered; None while open, or where a fault took the connection."""

    @classmethod
    def parse(cls, method: str, target: str, headers: dict[str, str], body: bytes) -> Self:
        """From a request line's target and headers with lower-case names."""
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(method, unquote(parts.path), query, headers, body)

    @property
    def endpoint(self) -> str:
        """The path's template: ids replaced by `{id}`."""
        return template(self.path)


@dataclass(frozen=True)
class Reply:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self, accepted: str, now: float) -> "Reply":
        """With gzip where `accepted` (an Accept-Encoding) allows and the size is worth it, and with every header."""
        headers = {"Date": formatdate(now, usegmt=True), "Content-Type": "application/json", **self.headers}
        body = self.body
        if "gzip" in accepted and len(body) > GZIP_ABOVE:
            body = gzip.compress(body, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(body))
        return Reply(self.status, body, headers)


def refusal(refused: Refused) -> Reply:
    error = {"message": refused.message} if refused.key is None else {"key": refused.key, "message": refused.message}
    return Reply(refused.status, msgspec.json.encode({"errors": [error]}))
