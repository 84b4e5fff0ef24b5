"""Credentials, and the access tokens that they are exchanged for."""

import base64
from typing import Any

import msgspec

from exporter.demo.answers import Refused
from exporter.demo.markers import SECRET, TEAM_MAIL
from exporter.demo.rows import iso

LIFE = 86400.0  # seconds


class Bearers:
    """Who is let in. `credentials`: clientId -> secret. `ends`: when each token ends (unix seconds)."""

    def __init__(self, credentials: dict[str, str]) -> None:
        self.credentials = credentials
        self.ends: dict[str, float] = {}
        self._issued = 0

    def exchange(
        self, body: object, now: float, account_id: str, *, life: float = LIFE, refusal: int = 400
    ) -> dict[str, Any]:
        """The answer to POST /auth, with a token for `life` seconds; Refused for wrong credentials, with that status."""
        if not isinstance(body, dict):
            raise Refused(400, "the body must be an object")
        client_id, secret = body.get("clientId"), body.get("secret")
        if not isinstance(client_id, str) or not isinstance(secret, str):
            raise Refused(400, "clientId and secret are required", "clientId")
        if self.credentials.get(client_id) != secret:
            raise Refused(refusal, "Invalid credentials")
        end = now + life
        self._issued += 1
        token = self.token(end, self._issued)
        self.ends = {t: e for t, e in self.ends.items() if e > now} | {token: end}
        return {
            "accessToken": token,
            "expiresIn": f"{life:.0f}",
            "expires": iso(end),
            "email": f"ops{TEAM_MAIL}",
            "userId": "us_usr_Kq81mZ4t",
            "accountId": account_id,
        }

    def token(self, end: float, number: int) -> str:
        """A JWT that says when it ends (unix seconds)."""
        return f"{_part({'alg': 'HS256'})}.{_part({'exp': int(end)})}.{SECRET}signature-{number}"

    def check(self, authorization: str | None, now: float) -> None:
        """Refused (401) unless this `Authorization` header holds a token that is good now."""
        if self.ends.get((authorization or "").removeprefix("Bearer "), now) <= now:
            raise Refused(401, "Unauthorized")


def _part(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(claims)).decode().rstrip("=")
