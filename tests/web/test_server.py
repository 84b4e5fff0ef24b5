"""Where it listens."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.web.server import Address, listen, parse_address, shown


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
        assert "is not an address" in str(error)  # noqa: PT017 - either is right
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


INHERITING = """
import asyncio, os
from starlette.responses import PlainTextResponse
from exporter.web.server import inherited, serve, shown
from exporter.web.signals import Signals

async def main():
    sockets = inherited(os.environ)
    assert not [name for name in os.environ if name.startswith("LISTEN_")]
    print(*map(shown, sockets), flush=True)
    await serve(PlainTextResponse("served"), sockets, Signals())

asyncio.run(main())
"""


def activated(*sockets: socket.socket, pid: str = "$$") -> subprocess.Popen[str]:
    """Start a program with these sockets as systemd does."""
    moved = " ".join(f"{3 + number}<&{one.fileno()}" for number, one in enumerate(sockets))
    return subprocess.Popen(
        [
            "bash",
            "-c",
            f'LISTEN_PID={pid} LISTEN_FDS={len(sockets)} exec "$0" -c "$1" {moved}',
            sys.executable,
            INHERITING,
        ],
        pass_fds=[one.fileno() for one in sockets],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sockets_of_systemd(tmp_path: Path) -> None:
    (opened,) = listen(Address("127.0.0.1", 0))
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(str(tmp_path / "socket"))
    unix.listen()
    with opened, unix, activated(opened, unix) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{shown(opened)} {tmp_path / 'socket'}\n"
        assert httpx.get(f"http://{shown(opened)}/", trust_env=False).text == "served"
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(tmp_path / "socket"))) as client:
            assert client.get("http://localhost/").text == "served"
        process.terminate()
        assert process.wait(60) == 0


def test_no_socket_of_systemd() -> None:
    (opened,) = listen(Address("127.0.0.1", 0))
    with opened, activated(opened, pid="1") as process:
        assert "OSError: systemd passed no socket" in process.communicate(timeout=60)[1]
    with socket.socket() as silent, activated(silent) as process:
        assert "is not a listening stream socket" in process.communicate(timeout=60)[1]
