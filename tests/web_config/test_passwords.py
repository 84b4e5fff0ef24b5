"""Logins: how often bcrypt is asked, what is remembered, and who is told to come again."""

import asyncio
import base64
import itertools
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core.secret import Secret
from exporter.web_config.passwords import (
    CROWD,
    MAX_PASSWORD,
    MAX_REMEMBERED,
    MAX_WAITING,
    MAX_WAITING_OF_ONE_ADDRESS,
    Busy,
    Login,
    Passwords,
)
from exporter.web_config.reading import fake_hash

from .rig import hash_of

USERS = {b"one": Secret("hash of one"), b"two": Secret("hash of two")}
FAKE = Secret("the fake hash")


class Bcrypt:
    """Stands for bcrypt: the right password is `right`. `asked` has each question."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        self.asked.append((password, hashed))
        return password == b"right"


class HeldBack(Bcrypt):
    """The same, but it answers only when it may. `most` at once were asked so far."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self._lock = threading.Lock()
        self._now = 0
        self.most = 0

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
        self.go_on.wait(60)
        with self._lock:
            self._now -= 1
        return super().__call__(password, hashed)


async def right(passwords: Passwords, user: bytes, password: bytes, client: str = "10.0.0.1") -> bool:
    return await passwords.right(Login(user, password), USERS, FAKE, client)


async def settles(condition: Callable[[], bool]) -> None:
    """Give other tasks their turns until it holds."""
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_a_right_password_is_checked_once() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    assert [await right(passwords, b"one", b"right") for _ in range(3)] == [True] * 3
    assert check.asked == [(b"right", b"hash of one")]


async def test_a_wrong_password_is_checked_once() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    assert [await right(passwords, b"one", b"wrong") for _ in range(3)] == [False] * 3
    assert check.asked == [(b"wrong", b"hash of one")]


async def test_an_unknown_user_costs_what_a_known_one_does() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    assert [await right(passwords, b"nobody", b"wrong") for _ in range(3)] == [False] * 3
    assert check.asked == [(b"wrong", b"the fake hash")]


async def test_no_password_lets_an_unknown_user_in() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    assert [await right(passwords, b"nobody", b"right") for _ in range(2)] == [False] * 2
    assert len(check.asked) == 1


async def test_a_password_holds_for_its_user_and_hash() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    assert await right(passwords, b"one", b"right")
    assert await right(passwords, b"two", b"right")
    await passwords.right(Login(b"one", b"right"), {b"one": Secret("new hash")}, FAKE, "10.0.0.1")
    assert [hashed for _, hashed in check.asked] == [b"hash of one", b"hash of two", b"new hash"]
    assert not await passwords.right(Login(b"one", b"right"), {b"two": Secret("hash of two")}, FAKE, "10.0.0.1")


async def test_where_a_name_ends_and_a_password_begins_matters() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    users = {b"a": Secret("h"), b"ah": Secret("h")}
    await passwords.right(Login(b"a", b"hx"), users, FAKE, "")
    await passwords.right(Login(b"ah", b"x"), users, FAKE, "")
    assert len(check.asked) == 2


async def test_passwords_that_are_too_long_are_wrong_for_everybody_unasked() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    assert not await right(passwords, b"one", b"x" * (MAX_PASSWORD + 1))
    assert not await right(passwords, b"nobody", b"x" * (MAX_PASSWORD + 1))
    assert check.asked == []
    await right(passwords, b"one", b"x" * MAX_PASSWORD)
    assert len(check.asked) == 1


async def test_a_password_that_bcrypt_does_not_take_is_wrong() -> None:
    def check(password: bytes, hashed: bytes) -> bool:
        raise ValueError

    assert not await right(Passwords(check), b"one", b"\x00")


async def test_the_real_bcrypt() -> None:
    passwords = Passwords()
    users = {b"a": Secret(hash_of("ä\x00b"))}
    assert await passwords.right(Login(b"a", "ä\x00b".encode()), users, fake_hash(4), "")
    assert not await passwords.right(Login(b"a", b"other"), users, fake_hash(4), "")
    assert not await passwords.right(Login(b"b", b"other"), users, fake_hash(4), "")


async def test_what_is_remembered_is_bounded_and_junk_does_not_push_out_right_logins() -> None:
    check = Bcrypt()
    passwords = Passwords(check)
    await right(passwords, b"one", b"right")
    await right(passwords, b"one", b"first")
    for number in range(MAX_REMEMBERED):
        await right(passwords, b"nobody", b"%d" % number)
    before = len(check.asked)
    assert await right(passwords, b"one", b"right")
    assert len(check.asked) == before
    await right(passwords, b"one", b"first")
    assert len(check.asked) == before + 1
    await right(passwords, b"nobody", b"%d" % (MAX_REMEMBERED - 1))
    assert len(check.asked) == before + 1


async def test_many_requests_with_one_login_are_one_check() -> None:
    check = HeldBack()
    passwords = Passwords(check)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(right(passwords, b"one", b"right")) for _ in range(50)]
        await settles(lambda: check.most == 1)
        check.go_on.set()
    assert all(task.result() for task in tasks)
    assert len(check.asked) == 1


async def test_one_check_at_a_time_and_the_loop_goes_on() -> None:
    check = HeldBack()
    passwords = Passwords(check, late=0)
    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(right(passwords, b"one", b"%d" % number))
        await settles(lambda: check.most > 0)
        check.go_on.set()
    assert check.most == 1
    assert len(check.asked) == 20


async def test_the_line_is_bounded_for_each_address_and_for_all() -> None:
    check = HeldBack()
    passwords = Passwords(check, late=0)
    async with asyncio.TaskGroup() as group:
        for number in range(MAX_WAITING + 1):  # one of them is being checked
            client = f"10.0.0.{number // (MAX_WAITING_OF_ONE_ADDRESS + 1)}"
            group.create_task(right(passwords, b"one", b"%d" % number, client))
            if number == 0:
                await settles(lambda: check.most > 0)
            if number == MAX_WAITING_OF_ONE_ADDRESS:
                await asyncio.sleep(0)
                with pytest.raises(Busy):
                    await right(passwords, b"one", b"another", "10.0.0.0")
            if number == MAX_WAITING - 1:
                break
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await right(passwords, b"one", b"another", "10.9.9.9")
        check.go_on.set()
    assert not await right(passwords, b"one", b"another", "10.0.0.0")
    assert len(check.asked) == MAX_WAITING + 1


async def test_addresses_take_turns() -> None:
    check = HeldBack()
    passwords = Passwords(check, late=0)
    async with asyncio.TaskGroup() as group:
        for number in range(50):
            group.create_task(right(passwords, b"one", b"%d" % number, "10.0.0.66"))
        await settles(lambda: check.most > 0)
        first = group.create_task(right(passwords, b"one", b"right", "10.0.0.1"))
        await asyncio.sleep(0)
        check.go_on.set()
    assert first.result()
    assert [password for password, _ in check.asked].index(b"right") == 2


async def test_a_first_login_gets_through_a_flood_of_wrong_ones_from_its_own_address() -> None:
    check = Bcrypt()
    passwords = Passwords(check, late=60)  # each wrong login costs the flood a minute
    number = itertools.count()

    async def flood() -> None:
        while True:
            await right(passwords, b"one", b"%d" % next(number))

    tasks = [asyncio.create_task(flood()) for _ in range(100)]
    await settles(lambda: len(check.asked) > 0)
    assert await right(passwords, b"one", b"right")
    assert len(check.asked) <= 101 + CROWD
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_what_bcrypt_raises_is_not_lost() -> None:
    def check(password: bytes, hashed: bytes) -> bool:
        raise ZeroDivisionError

    passwords = Passwords(check)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await right(passwords, b"one", b"right")


async def test_a_remembered_login_does_not_wait_in_line() -> None:
    check = HeldBack()
    check.go_on.set()
    passwords = Passwords(check)
    await right(passwords, b"one", b"right")
    check.go_on.clear()
    async with asyncio.TaskGroup() as group:
        for number in range(CROWD):
            group.create_task(right(passwords, b"one", b"%d" % number, str(number)))
        await asyncio.sleep(0)
        assert await right(passwords, b"one", b"right")
        check.go_on.set()


async def test_a_request_that_goes_away_does_not_take_the_check_of_another_along() -> None:
    check = HeldBack()
    passwords = Passwords(check)
    first = asyncio.create_task(right(passwords, b"one", b"right"))
    second = asyncio.create_task(right(passwords, b"one", b"right"))
    await settles(lambda: check.most == 1)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    check.go_on.set()
    assert await second
    assert len(check.asked) == 1


async def test_a_check_that_nobody_waits_for_is_left_out() -> None:
    check = HeldBack()
    passwords = Passwords(check)
    first = asyncio.create_task(right(passwords, b"one", b"first"))
    gone = asyncio.create_task(right(passwords, b"one", b"gone"))
    await settles(lambda: check.most == 1)
    gone.cancel()
    await asyncio.wait([gone])
    check.go_on.set()
    assert not await first
    assert not await right(passwords, b"one", b"last")
    assert [password for password, _ in check.asked] == [b"first", b"last"]


async def test_no_password_is_kept() -> None:
    passwords = Passwords(Bcrypt())
    await right(passwords, b"one", b"right")
    await right(passwords, b"one", b"hunter2")
    held = repr(vars(passwords))
    for secret in ("b'right'", "hunter2", "hash of one"):
        assert secret not in held
    assert "hunter2" not in repr(Login(b"one", b"hunter2"))


async def test_two_processes_remember_under_different_names() -> None:
    one, other = Passwords(Bcrypt()), Passwords(Bcrypt())
    await right(one, b"one", b"right")
    await right(other, b"one", b"right")
    assert not set(vars(one)["_right"]) & set(vars(other)["_right"])


def header(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


@pytest.mark.parametrize(
    ("value", "login"),
    [
        (header("one:right"), (b"one", b"right")),
        (b"bAsIc   " + base64.b64encode(b"one:right"), (b"one", b"right")),
        (header("one:a:b"), (b"one", b"a:b")),
        (header(":"), (b"", b"")),
        (header("é:ü"), ("é".encode(), "ü".encode())),
        (header("one"), None),
        (b"Basic", None),
        (b"Basic ", None),
        (b"Basic !", None),
        (b"Basic " + base64.b64encode(b"one:righ").rstrip(b"="), None),
        (b"Basic \xff", None),
        (b"Bearer " + base64.b64encode(b"one:right"), None),
        (b"", None),
    ],
)
def test_headers(value: bytes, login: tuple[bytes, bytes] | None) -> None:
    assert Login.of_header(value) == (None if login is None else Login(*login))


@given(st.binary(max_size=100))
def test_any_header_is_a_login_or_none(value: bytes) -> None:
    for text in (value, b"Basic " + value):
        login = Login.of_header(text)
        assert login is None or b":" not in login.user


@given(st.binary(max_size=40).filter(lambda user: b":" not in user), st.binary(max_size=100))
def test_every_login_can_be_said(user: bytes, password: bytes) -> None:
    assert Login.of_header(b"Basic " + base64.b64encode(user + b":" + password)) == Login(user, password)
