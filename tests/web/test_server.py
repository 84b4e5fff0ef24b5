"""Where it listens, and what signals do, as far as one process can show: the rest is in e2e/test_process.py."""

import asyncio
import os
import signal
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.server import Address, Signals, listen, parse_address, shown


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":10056", Address("", 10056)),
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("[::1]:80", Address("::1", 80)),
        ("[fe80::1%eth0]:80", Address("fe80::1%eth0", 80)),
        ("exporter.internal:65535", Address("exporter.internal", 65535)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "HOST:PORT"),
        ("10056", "HOST:PORT"),
        ("localhost", "HOST:PORT"),
        ("localhost:", "HOST:PORT"),
        ("localhost:http", "HOST:PORT"),
        ("localhost:-1", "HOST:PORT"),
        ("localhost:65536", "HOST:PORT"),
        ("localhost:٣", "HOST:PORT"),
        ("localhost:" + "0" * 5000, "HOST:PORT"),
        ("http://localhost:80", "brackets"),
        ("::1", "[::1]:PORT"),
        ("::1:10056", "brackets, [::1]:10056"),
        ("fe80::1::80", "brackets, [fe80::1:]:80"),
        ("[::1]", "HOST:PORT"),
        ("[]:80", "no IPv6 address in the brackets"),
        ("[localhost]:80", "no IPv6 address in the brackets"),
    ],
)
def test_what_is_no_address(text: str, said: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse_address(text)
    assert said in str(raised.value)


@given(st.text())
def test_any_text_is_an_address_or_a_clear_error(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError as error:
        assert "is no address" in str(error)  # noqa: PT017 - either is right
    else:
        assert 0 <= address.port <= 65535


def test_listening_on_any_free_port() -> None:
    (opened,) = listen(Address("127.0.0.1", 0))
    with opened, socket.create_connection(opened.getsockname()):
        assert shown(opened) == f"127.0.0.1:{opened.getsockname()[1]}"


def test_listening_on_ipv6() -> None:
    (opened,) = listen(Address("::1", 0))
    with opened, socket.create_connection(opened.getsockname()[:2]):
        assert shown(opened).startswith("[::1]:")


def test_all_interfaces_are_both_protocols() -> None:
    (opened,) = listen(Address("", 0))
    port = opened.getsockname()[1]
    with opened, socket.create_connection(("127.0.0.1", port)), socket.create_connection(("::1", port)):
        pass


def test_a_name_may_have_several_addresses() -> None:
    opened = listen(Address("localhost", 0))
    for one in opened:
        with one, socket.create_connection(one.getsockname()[:2]):
            pass


async def test_nothing_that_is_sent_is_held_back() -> None:
    """Else the end of an answer waits until its beginning is acknowledged: 40 ms."""
    (opened,) = listen(Address("127.0.0.1", 0))
    accepted: asyncio.Queue[asyncio.StreamWriter] = asyncio.Queue()
    async with await asyncio.start_server(lambda _, writer: accepted.put_nowait(writer), sock=opened) as server:
        _, client = await asyncio.open_connection(*opened.getsockname())
        writer = await accepted.get()
        assert writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        for end in (client, writer):
            end.close()
            await end.wait_closed()
        server.close()


def test_an_address_in_use() -> None:
    (opened,) = listen(Address("127.0.0.1", 0))
    port = opened.getsockname()[1]
    with opened, pytest.raises(OSError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use$"):
        listen(Address("127.0.0.1", port))


def test_an_address_in_use_on_all_interfaces() -> None:
    (opened,) = listen(Address("", 0))
    port = opened.getsockname()[1]
    with opened, pytest.raises(OSError, match=rf"^cannot listen on :{port}: Address already in use$"):
        listen(Address("", port))


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "x" * 70 + ".example", "192.0.2.1", "\udcff", "2001:db8::1"]
)
def test_a_host_that_is_not_this_one(host: str) -> None:
    with pytest.raises(OSError, match=r"^cannot listen on ") as raised:
        listen(Address(host, 10056))
    assert str(raised.value).count("\n") == 0


class Process:
    """Stands for what the process does when it is told twice."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.told = 0

    def stop(self) -> None:
        self.told += 1


async def test_the_first_signal_asks_and_the_second_ends() -> None:
    process = Process()
    signals = Signals(process.statuses.append)
    signals.on_stop = process.stop
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0)
    while not process.told:
        await asyncio.sleep(0.01)
    assert process.statuses == []
    os.kill(os.getpid(), signal.SIGINT)
    while not process.statuses:
        await asyncio.sleep(0.01)
    assert (process.told, process.statuses) == (1, [0])
    signals.close()


async def test_before_it_serves_a_signal_cancels() -> None:
    async def starting() -> None:
        signals = Signals(lambda status: None)
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(60)
        finally:
            signals.close()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(starting())


async def test_hanging_up_before_it_serves_does_nothing_and_then_calls() -> None:
    calls: list[int] = []

    async def called() -> None:
        calls.append(1)

    signals = Signals(lambda status: None)
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.sleep(0.05)
    signals.on_hangup = called
    os.kill(os.getpid(), signal.SIGHUP)
    while not calls:
        await asyncio.sleep(0.01)
    assert calls == [1]
    signals.close()
