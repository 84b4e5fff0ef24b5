"""Strangers at the door of the real process: hundreds of them, and scrapes go on as before."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from tests.serving import FAST, account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .process import Exporter, serving

MEBIBYTE = 1 << 20
CROWD = 400
BEGUN = [
    b"",
    b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ",
    b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS, where none is spoken
    b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 3,  # and nobody reads the answers
]


def _port(running: Exporter) -> tuple[str, int]:
    parts = urlsplit(running.url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


@contextlib.contextmanager
def _crowd(running: Exporter) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for i in range(CROWD):
            stranger = stack.enter_context(socket.create_connection(_port(running), timeout=30))
            with contextlib.suppress(ConnectionError):
                stranger.sendall(BEGUN[i % len(BEGUN)])
        yield


@contextlib.contextmanager
def _serving(directory: Path) -> Iterator[Exporter]:
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=10)
    with contextlib.ExitStack() as stack:
        api = stack.enter_context(SimulatedServer(world).in_thread())
        started = stack.enter_context(serving(configuration(account_lines("acme", api.base_url), more=FAST), directory))
        started.page()
        yield started


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exporter]:
    """One process for all of them: nothing that strangers do may change it."""
    with _serving(tmp_path_factory.mktemp("strangers")) as started:
        yield started
        assert 'flatfile_up{account="acme"} 1' in started.page()
        assert "Traceback" not in started.text


def test_scrapes_go_on_in_a_crowd(tmp_path: Path) -> None:
    with _serving(tmp_path) as running:  # of its own, to measure it
        check_crowd(running)


def check_crowd(running: Exporter) -> None:
    usual = running.peak_bytes
    with _crowd(running):
        for _ in range(5):
            assert 'flatfile_up{account="acme"} 1' in running.page()
            assert running.get("/-/healthy").status_code == 200
    assert running.peak_bytes < usual + 40 * MEBIBYTE
    assert "Traceback" not in running.text
    warnings = [line for line in running.lines if "level=WARN" in line or "level=ERROR" in line]
    assert warnings == [], "strangers do not write the log"


def test_what_is_no_request_gets_an_answer_or_none_and_never_a_fault(running: Exporter) -> None:
    junk = [
        b"\r\n\r\n",
        bytes(range(256)) * 40,
        b"GET /metrics HTTP/9.9\r\n\r\n",
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"c" * 200_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT metadata.internal:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://metadata.internal/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ]
    for each in junk:
        with socket.create_connection(_port(running), timeout=30) as stranger, contextlib.suppress(ConnectionError):
            stranger.sendall(each)
            stranger.shutdown(socket.SHUT_WR)
            said = stranger.recv(12)
            assert said == b"" or (said.startswith(b"HTTP/1.1 ") and said[9:10] != b"5"), (each[:40], said)
    assert 'flatfile_up{account="acme"} 1' in running.page()
    assert "Traceback" not in running.text


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//metrics",
        "/metrics/",
        "/metrics/../-/reload",
        "/Metrics",
        "/metrics%00",
        "/metrics;x=1",
        "/probe/../metrics",
        "/-/",
        "/static/",
        "/debug/pprof/",
        "/%ff%fe",
    ],
)
def test_a_path_is_right_or_it_is_not(running: Exporter, path: str) -> None:
    with socket.create_connection(_port(running), timeout=30) as stranger:  # clients would tidy the path up
        stranger.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: stranger.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"content-security-policy" in answer.lower()


WILD = ["", "x" * 20_000, "\N{SNOWMAN}" * 3000, "a\nb", "%", "a&b=c", "\x00", "../acme", "ACME", "acme ", "*"]


@pytest.mark.parametrize("value", WILD, ids=lambda value: f"{len(value)}-{value[:6]!r}")
def test_wild_parameters_are_refused_and_not_echoed_at_length(running: Exporter, value: str) -> None:
    for query in (
        f"/probe?target={quote(value)}",
        f"/metrics?collect[]={quote(value)}",
        f"/metrics?only={quote(value)}",
    ):
        answer = running.get(query)
        assert answer.status_code == 400, query[:60]
        assert len(answer.text) < 1500
        assert answer.headers["content-type"].startswith("text/plain")
        assert len(answer.text.splitlines()) == 1
    assert "Traceback" not in running.text


def test_many_parameters_cost_little(running: Exporter) -> None:
    page = running.get("/metrics?" + "&".join(["collect[]=users"] * 2000))
    assert page.status_code == 200
    assert "flatfile_users" in page.text
    assert "flatfile_spaces" not in page.text


@pytest.mark.parametrize(
    "accept",
    [
        "",
        ",,,;;;===",
        "application/openmetrics-text;version=abc",
        "application/openmetrics-text;version=9.9.9;q=1e999",
        "*/*;q=nan, text/plain;q=-1",
        "text/plain;" * 3000,
        "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
        "\xff\xfe",
    ],
    ids=range(8),
)
def test_wild_accept_headers_get_a_page(running: Exporter, accept: str) -> None:
    with socket.create_connection(_port(running), timeout=30) as stranger:
        stranger.sendall(
            b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: "
            + accept.encode("latin-1")
            + b"\r\n\r\n"
        )
        answer = b"".join(iter(lambda: stranger.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"flatfile_up{" in answer
