"""Faults that answer something else: error statuses, redirects, bodies that are none."""

from dataclasses import dataclass
from email.utils import formatdate
from typing import Literal

from exporter.demo.api import Reply
from exporter.demo.markers import SECRET
from tests.simulator.faults.kinds import Replied

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


@dataclass(frozen=True)
class Status(Replied):
    """An error status. `retry_after`: seconds, an HTTP date so many seconds on (`"date"`: 1), or none."""

    status: int
    retry_after: float | Literal["date"] | None = None
    body: Literal["json", "html", "empty"] = "json"

    def reply(self, now: float) -> Reply:
        headers = {}
        if self.retry_after == "date":
            headers["Retry-After"] = formatdate(now + 1, usegmt=True)
        elif self.retry_after is not None:
            headers["Retry-After"] = f"{self.retry_after:g}"
        if self.body == "html":
            return Reply(self.status, HTML, {**headers, "Content-Type": "text/html"})
        note = b'{"errors":[{"message":"' + SECRET.encode() + b'error-text: this went wrong"}]}'
        return Reply(self.status, note if self.body == "json" else b"", headers)


@dataclass(frozen=True)
class Redirect(Replied):
    """A redirect, by default to another host."""

    location: str = "http://127.0.0.2:9/elsewhere"
    status: int = 302

    def reply(self, now: float) -> Reply:
        return Reply(self.status, b"", {"Location": self.location})


@dataclass(frozen=True)
class EmptyBody(Replied):
    """200 and nothing."""

    def reply(self, now: float) -> Reply:
        return Reply(200)


@dataclass(frozen=True)
class NotJson(Replied):
    """200 and a page of HTML, or whatever bytes are given."""

    body: bytes = HTML

    def reply(self, now: float) -> Reply:
        return Reply(200, self.body, {"Content-Type": "text/html"})
