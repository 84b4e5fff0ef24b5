"""The health check against real servers: alive is alive, whatever it asks of its visitors, and dead is dead."""

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from exporter.cli.flags import DEFAULT_PORT
from exporter.cli.healthcheck import DEFAULT_ADDRESS, Unhealthy, check, main
from tests.e2e.process import ANY_PORT, exporter
from tests.web_config.rig import Certificates, door, users

CLIENTS = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt"


@pytest.fixture
def files(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


@contextmanager
def answering(answer: bytes | None) -> Iterator[str]:
    """A server that answers each connection with this, or with nothing until the client gives up. Yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                connection, _ = listening.accept()
                with closing(connection):
                    if not connection.recv(4096):
                        return
                    if answer is None:
                        connection.recv(4096)
                    else:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        socket.create_connection(listening.getsockname()).close()  # tells the thread to end
        thread.join()


@pytest.mark.parametrize(
    ("tls", "auth", "said"),
    [
        ("", False, "healthy"),
        ("", True, "alive, and asks for a password"),
        ("yes", False, "healthy"),
        ("yes", True, "alive, and asks for a password"),
        (CLIENTS, False, "alive, and asks for a client's certificate"),
        (f"{CLIENTS}, max_version: TLS12", False, "alive, and asks for a client's certificate"),
    ],
    ids=["plain", "password", "tls", "tls-and-password", "client-certificate", "client-certificate-tls-1.2"],
)
async def test_alive(tls: str, auth: bool, said: str, files: Certificates) -> None:
    text = (files.tls("" if tls == "yes" else tls) if tls else "") + (users() if auth else "")
    async with door(files.write(text)) as there:
        assert await asyncio.to_thread(check, there.url("")) == said
        assert await asyncio.to_thread(check, f"localhost:{there.port}") == said


async def test_the_limit_of_requests_is_no_illness(files: Certificates) -> None:
    async with door(files.write("rate_limit: {interval: 1h, burst: 1}\n")) as there:
        assert await asyncio.to_thread(check, there.url("")) == "healthy"
        assert await asyncio.to_thread(check, there.url("")) == "alive, and limits the rate of requests"


async def test_a_path_stays(files: Certificates) -> None:
    async with door(files.write("")) as there:
        await asyncio.to_thread(check, there.url("/other?a=b"))
        await asyncio.to_thread(check, there.url("/"))
        assert there.inside == ["/other", "/-/healthy"]


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_another_status_is_not_healthy(status: int) -> None:
    with answering(f"HTTP/1.1 {status} Words\r\n\r\n".encode()) as url, pytest.raises(Unhealthy, match=str(status)):
        check(url)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "without an answer"),
        (b"SSH-2.0-OpenSSH_9.9\r\n", "not HTTP"),
        (b"x" * 5000, "not HTTP"),
        (b"HTTP/1.1 2", "not HTTP"),
    ],
    ids=["nothing", "ssh", "no-line", "cut"],
)
def test_what_is_no_answer(answer: bytes, why: str) -> None:
    with answering(answer) as url, pytest.raises(Unhealthy, match=why):
        check(url)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["nothing", "http"])
def test_a_server_without_tls_is_not_taken_for_one_with(answer: bytes) -> None:
    with answering(answer) as url, pytest.raises(Unhealthy):
        check(url.replace("http:", "https:"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_hangs(scheme: str) -> None:
    with answering(None) as url, pytest.raises(Unhealthy, match="in time"):
        check(url.replace("http:", f"{scheme}:"), timeout=0.2)


def test_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    assert main([f"--url=http://127.0.0.1:{port}"]) == 1
    assert capsys.readouterr().err == "flatfile-exporter is not healthy: Connection refused\n"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://localhost",
        "http://",
        "localhost:-1",
        "localhost:99999",
        "http://a:b@localhost",
        "http://a b",
        "http://localhost:x",
    ],
)
def test_urls_that_are_none(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([f"--url={url}"]) == 2
    assert capsys.readouterr().err.startswith("flatfile-exporter healthcheck: --url: ")


@pytest.mark.parametrize("command", [("-m", "exporter.cli.healthcheck"), ("-m", "exporter", "healthcheck")])
def test_the_real_process(command: tuple[str, ...]) -> None:
    with exporter("demo", ANY_PORT) as running:
        url = running.listens().url
        done = subprocess.run([sys.executable, *command, f"--url={url}"], capture_output=True, text=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, "flatfile-exporter is healthy\n", "")
        running.client.close()
    done = subprocess.run([sys.executable, *command, f"--url={url}"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")


def test_it_needs_the_standard_library_alone() -> None:
    """So that a check every few seconds costs next to nothing."""
    code = "import sys, exporter.cli.healthcheck; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - sys.stdlib_module_names == {"exporter", "__main__"} - sys.stdlib_module_names


def test_the_default_is_where_an_exporter_listens() -> None:
    assert f"127.0.0.1:{DEFAULT_PORT}" == DEFAULT_ADDRESS
