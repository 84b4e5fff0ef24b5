"""Credentials and access tokens, under every reading of how the API hands them out."""

from collections import Counter
from email.utils import formatdate
from typing import Any

from exporter.demo import bearers
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.answers import Refused
from exporter.demo.markers import SECRET as MARK
from tests.simulator.switches import ABSENT, Switches


class Bearers(bearers.Bearers):
    """Who is let in. Change `credentials` while the server runs to rotate a secret."""

    def __init__(self, switches: Switches) -> None:
        super().__init__({CLIENT_ID: SECRET})
        self._switches = switches
        self._calls: Counter[str] = Counter()

    def exchange(self, body: object, now: float, account_id: str, **more: Any) -> dict[str, Any]:
        switches = self._switches
        if switches.auth_needs_type and isinstance(body, dict) and body.get("type") != "apiCredentials":
            raise Refused(400, "type is required", "type")
        life = switches.token_life
        answer = super().exchange(body, now, account_id, life=life, refusal=switches.auth_refusal)
        end = answer["expires"]
        lives = {"string": answer["expiresIn"], "number": round(life), "junk": "soon", "absent": ABSENT}
        ends = {"iso": end, "http": formatdate(now + life, usegmt=True), "junk": "tomorrow", "absent": ABSENT}
        answer |= {"expiresIn": lives[switches.expires_in], "expires": ends[switches.expires]}
        answer = {name: value for name, value in answer.items() if value is not ABSENT}
        return {"data": answer} if switches.auth_wrapped else answer

    def token(self, end: float, number: int) -> str:
        return super().token(end, number) if self._switches.token_is_jwt else f"{MARK}access-token-{number}"

    def check(self, authorization: str | None, now: float) -> None:
        token = (authorization or "").removeprefix("Bearer ")
        if token and token in self._switches.ready_tokens:
            return
        super().check(authorization, now)
        self._calls[token] += 1
        if self._switches.token_calls is not None and self._calls[token] > self._switches.token_calls:
            raise Refused(401, "Unauthorized")

    def invalidate(self) -> None:
        """Forget every token given out: the next use of each is a 401."""
        self.ends.clear()
