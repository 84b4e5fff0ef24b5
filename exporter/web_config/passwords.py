"""Checks passwords with bcrypt in a thread, one at a time, and never twice for the same login."""

import asyncio
import base64
import binascii
import hmac
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import bcrypt

from exporter.core.secret import Secret
from exporter.core.worker import Worker

MAX_PASSWORD = 72
"""Bytes. bcrypt cannot tell longer ones apart."""
MAX_REMEMBERED = 1000
MAX_WAITING = 512
"""Checks that wait or run. Further logins are refused."""
MAX_WAITING_OF_ONE_ADDRESS = 256
MAX_WAIT = 9.0
"""Seconds that a login waits for its check: less than Prometheus waits by default."""
CROWD = 4
"""Logins of an address that wait, from which on its wrong ones are answered late."""
LATE = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password. Neither is shown by `repr`."""

    user: bytes = field(repr=False)
    password: bytes = field(repr=False)

    @classmethod
    def of_header(cls, value: bytes) -> "Login | None":
        """Read the value of an `Authorization` header. Return None unless it is a basic one."""
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


@dataclass(eq=False, slots=True)
class _Check:
    """A login that waits to be checked, for `requests` requests."""

    name: bytes
    password: bytes = field(repr=False)
    hashed: bytes = field(repr=False)
    result: asyncio.Future[bool]
    requests: int = 0


class Passwords:
    """Checks logins. Results are remembered under a keyed digest: no password is kept, and no key leaves the process.

    Right logins and wrong ones are remembered apart, so that wrong ones cannot push out what scrapers rely on. Addresses
    take turns, so that a flood of wrong logins from one of them delays that one alone. There a wrong login is answered
    late: a right one that comes among them then waits for few.
    """

    def __init__(self, check: Callable[[bytes, bytes], bool] = bcrypt.checkpw, late: float = LATE) -> None:
        self._check = check
        self._late = late
        self._key = os.urandom(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._wrong: OrderedDict[bytes, None] = OrderedDict()
        self._checks: dict[bytes, _Check] = {}
        self._lines: dict[str, deque[_Check]] = {}  # by address; the first address is the next one to have its turn
        self._worker = Worker("passwords")
        self._task: asyncio.Task[None] | None = None

    async def right(self, login: Login, users: Mapping[bytes, Secret], fake_hash: Secret, client: str) -> bool:
        """Return whether the user is known and the password is theirs. Raises Busy.

        An unknown user costs as much as a known one: the password is then checked against `fake_hash`. `client` is the
        address that the check is counted for.
        """
        if len(login.password) > MAX_PASSWORD:
            return False
        known = users.get(login.user)
        hashed = (known or fake_hash).reveal().encode()
        name = self._name(login, hashed)
        for remembered, result in ((self._right, True), (self._wrong, False)):
            if name in remembered:
                remembered.move_to_end(name)
                return result and known is not None
        result = await self._wait(name, login.password, hashed, client)
        if not result and len(self._lines.get(client, ())) >= CROWD:
            await asyncio.sleep(self._late)
        return result and known is not None

    async def _wait(self, name: bytes, password: bytes, hashed: bytes, client: str) -> bool:
        """Wait until the login is checked. Raises Busy."""
        check = self._checks.get(name)
        if check is None:
            line = self._lines.get(client, deque())
            if len(self._checks) >= MAX_WAITING or len(line) >= MAX_WAITING_OF_ONE_ADDRESS:
                raise Busy
            check = _Check(name, password, hashed, asyncio.get_running_loop().create_future())
            self._checks[name] = check
            line.append(check)
            self._lines[client] = line
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        check.requests += 1
        try:
            async with asyncio.timeout(MAX_WAIT):
                return await asyncio.shield(check.result)
        except TimeoutError:
            raise Busy from None
        finally:
            check.requests -= 1

    async def _run(self) -> None:
        """Check one login after the other, as long as any waits."""
        try:
            while self._lines:
                client, line = next(iter(self._lines.items()))
                check = line.popleft()
                del self._lines[client]
                if line:
                    self._lines[client] = line  # behind the other addresses
                if check.requests:  # else everybody who waited has gone
                    await self._run_check(check)
                del self._checks[check.name]
        finally:
            self._task = None

    async def _run_check(self, check: _Check) -> None:
        try:
            result = await self._worker.run(self._matches, check.password, check.hashed)
        except RuntimeError:  # no thread can be started
            check.result.set_exception(Busy())
            return
        except Exception as error:  # noqa: BLE001 - whoever waits for the result handles it
            check.result.set_exception(error)
            return
        remembered = self._right if result else self._wrong
        remembered[check.name] = None
        if len(remembered) > MAX_REMEMBERED:
            remembered.popitem(last=False)
        check.result.set_result(result)

    def _matches(self, password: bytes, hashed: bytes) -> bool:
        try:
            return self._check(password, hashed)
        except ValueError:  # bcrypt does not take this password
            return False

    def _name(self, login: Login, hashed: bytes) -> bytes:
        """Return the key of a result: it differs with the password, the user and the hash."""
        digest = hmac.new(self._key, digestmod="sha256")
        for part in (login.user, hashed, login.password):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()
