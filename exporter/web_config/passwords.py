"""Whether a password is right: bcrypt in a thread, one at a time, and never twice for the same login."""

import asyncio
import base64
import binascii
import hmac
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import bcrypt

from exporter.core.secret import Secret

LONGEST_PASSWORD = 72
"""Bytes. bcrypt cannot tell longer ones apart."""
REMEMBERED = 1000
LINE = 16
"""Checks that wait or run; whoever comes when so many do is told to come again."""
LINE_OF_ONE_CLIENT = 4


@dataclass(frozen=True, slots=True)
class Login:
    """What a client says of itself. No dump shows it."""

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)

    @classmethod
    def of_header(cls, value: bytes) -> "Login | None":
        """Read the value of an `Authorization` header; None where it is no basic one."""
        scheme, _, encoded = value.partition(b" ")
        if scheme.lower() != b"basic":
            return None
        try:
            decoded = base64.b64decode(encoded.strip(b" "), validate=True)
        except binascii.Error:
            return None
        user, colon, password = decoded.partition(b":")
        return cls(user, password) if colon else None


class Busy(Exception):
    """Too many logins wait to be checked."""


class Passwords:
    """Checks logins. Results are remembered under a keyed digest: no password is kept, and no key leaves the process.

    Right logins and wrong ones are remembered apart, so that junk cannot push out what scrapers rely on.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw) -> None:
        self._check = check
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Task[bool]] = {}
        self._clients: Counter[str] = Counter()
        self._one_at_a_time = asyncio.Semaphore(1)

    async def right(self, login: Login, users: Mapping[bytes, Secret], fake_hash: Secret, client: str) -> bool:
        """True where the user is known and the password is theirs. Raises Busy.

        An unknown user costs as much as a known one: the password is then held against `fake_hash`. `client` is
        whom to count the work to.
        """
        if len(login.password) > LONGEST_PASSWORD:
            return False
        known = users.get(login.user)
        hashed = (known or fake_hash).reveal().encode()
        name = self._name(login, hashed)
        for remembered, result in ((self._right, True), (self._wrong, False)):
            if name in remembered:
                remembered.move_to_end(name)
                return result and known is not None
        task = self._under_way.get(name)
        if task is None:
            if len(self._under_way) >= LINE or self._clients[client] >= LINE_OF_ONE_CLIENT:
                raise Busy
            self._clients[client] += 1
            task = asyncio.create_task(self._checked(name, login.password, hashed, client))
            self._under_way[name] = task
        return await asyncio.shield(task) and known is not None

    async def _checked(self, name: bytes, password: bytes, hashed: bytes, client: str) -> bool:
        try:
            async with self._one_at_a_time:
                result = await asyncio.to_thread(self._matches, password, hashed)
        finally:
            del self._under_way[name]
            self._clients -= Counter((client,))  # forgets whom nothing is left of
        remembered = self._right if result else self._wrong
        remembered[name] = None
        if len(remembered) > REMEMBERED:
            remembered.popitem(last=False)
        return result

    def _matches(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._check(password, hashed)
        except ValueError:  # bcrypt does not take this password
            return False

    def _name(self, login: Login, hashed: bytes) -> bytes:
        """What a result is remembered under: another password, user or hash is another name."""
        digest = hmac.new(self._key, digestmod="sha256")
        for part in (login.user, hashed, login.password):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()
