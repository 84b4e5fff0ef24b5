"""Credentials, and the access tokens that they are exchanged for."""

import base64
from email.utils import formatdate
from typing import Any

import msgspec

from exporter.demo.markers import SECRET, TEAM_MAIL
from exporter.demo.paging import Refused
from exporter.demo.rows import iso
from exporter.demo.switches import Switches


class Bearers:
    """Who is let in. `credentials`: clientId -> secret; change it while the server runs to rotate a secret."""

    def __init__(self, switches: Switches, credentials: dict[str, str]) -> None:
        self.credentials = credentials
        self._switches = switches
        self._ends: dict[str, float] = {}
        self._calls: dict[str, int] = {}
        self._issued = 0

    def exchange(self, body: object, now: float, account_id: str) -> dict[str, Any]:
        """The answer to POST /auth; Refused with the status of `Switches.auth_refusal` for wrong credentials."""
        switches = self._switches
        if not isinstance(body, dict):
            raise Refused(400, "the body must be an object")
        if switches.auth_needs_type and body.get("type") != "apiCredentials":
            raise Refused(400, "type is required", "type")
        client_id, secret = body.get("clientId"), body.get("secret")
        if not isinstance(client_id, str) or not isinstance(secret, str):
            raise Refused(400, "clientId and secret are required", "clientId")
        if self.credentials.get(client_id) != secret:
            raise Refused(switches.auth_refusal, "Invalid credentials")
        end = now + switches.token_life
        token = self._token(end)
        self._ends = {t: e for t, e in self._ends.items() if e > now} | {token: end}
        self._calls = {t: n for t, n in self._calls.items() if t in self._ends}
        answer: dict[str, Any] = {"accessToken": token}
        if switches.expires_in != "absent":
            life: dict[str, object] = {
                "string": f"{switches.token_life:.0f}",
                "number": round(switches.token_life),
                "junk": "soon",
            }
            answer["expiresIn"] = life[switches.expires_in]
        if switches.expires != "absent":
            texts = {"iso": iso(end), "http": formatdate(end, usegmt=True), "junk": "tomorrow"}
            answer["expires"] = texts[switches.expires]
        answer |= {"email": f"ops{TEAM_MAIL}", "userId": "us_usr_Kq81mZ4t", "accountId": account_id}
        return {"data": answer} if switches.auth_wrapped else answer

    def check(self, authorization: str | None, now: float) -> None:
        """Refused (401) unless this `Authorization` header holds a token that is good now."""
        token = (authorization or "").removeprefix("Bearer ")
        if token in self._switches.ready_tokens and token:
            return
        if self._ends.get(token, float("-inf")) <= now:
            raise Refused(401, "Unauthorized")
        self._calls[token] = calls = self._calls.get(token, 0) + 1
        if self._switches.token_calls is not None and calls > self._switches.token_calls:
            raise Refused(401, "Unauthorized")

    def invalidate(self) -> None:
        """Forget every token given out: the next use of each is a 401."""
        self._ends.clear()
        self._calls.clear()

    def _token(self, end: float) -> str:
        self._issued += 1
        if not self._switches.token_is_jwt:
            return f"{SECRET}access-token-{self._issued}"
        return f"{_part({'alg': 'HS256'})}.{_part({'exp': int(end)})}.{SECRET}signature-{self._issued}"


def _part(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip("=")
