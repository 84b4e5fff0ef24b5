"""File descriptors used up: scrapes get in, the log names the cause once, and all is well again afterwards."""

import contextlib
import resource
import socket
from pathlib import Path

import httpx

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import PATIENCE, Exporter, eventually, serving
from tests.simulator.faults import Hang
from tests.simulator.server import SimulatedServer

ACCOUNT = f"  - {{name: %s, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}\n"
MORE = """\
requests: {timeout: 2s, retries: 1, per_second: 1000}
collectors: {environments: {interval: 0s}, users: {interval: 0s}, guests: {enabled: false}}
"""


def scrape(exporter: Exporter) -> httpx.Response:
    """A scrape on a connection of its own."""
    return httpx.get(
        exporter.url + "/metrics",
        headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"},
        trust_env=False,
        verify=False,  # without TLS
        timeout=PATIENCE,
    )


def set_limit(exporter: Exporter, limit: int | None = None) -> None:
    """Let the process have so many descriptors, by default as many as it has now."""
    if limit is None:
        limit = len([*Path(f"/proc/{exporter.process.pid}/fd").iterdir()])
    _, hard = resource.prlimit(exporter.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(exporter.process.pid, resource.RLIMIT_NOFILE, (limit, hard))


def test_many_accounts_with_few_descriptors(api: SimulatedServer, tmp_path: Path) -> None:
    config = "accounts:\n" + "".join(ACCOUNT % (f"a{number}", api.base_url) for number in range(30)) + MORE
    with serving(config, tmp_path) as exporter:
        set_limit(exporter, 40)
        hang = api.call(api.faults.add, "*", Hang())
        for _ in range(3):
            assert scrape(exporter).status_code == 200
        api.call(api.faults.remove, hang)
        for _ in range(3):
            assert scrape(exporter).status_code == 200
        assert "Too many open files" in exporter.text
        assert len(exporter.lines) < 1000
        set_limit(exporter, 1000)
        eventually(lambda: scrape(exporter).text.count("flatfile_up{") == 30, "every account is there", pause=0.3)
        eventually(lambda: "} 0\n" not in up(exporter), "every account is up", pause=0.3)


def up(exporter: Exporter) -> str:
    return "".join(line + "\n" for line in scrape(exporter).text.splitlines() if line.startswith("flatfile_up{"))


def test_clients_get_in_where_no_descriptor_is_free(api: SimulatedServer, tmp_path: Path) -> None:
    with serving("accounts:\n" + ACCOUNT % ("acme", api.base_url), tmp_path) as exporter:
        host, port = exporter.url.removeprefix("http://").split(":")
        exporter.page()
        set_limit(exporter)
        assert scrape(exporter).status_code == 200
        with contextlib.ExitStack() as stack:
            for _ in range(30):  # all of the reserve, and more
                client = stack.enter_context(socket.create_connection((host, int(port))))
                client.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            exporter.wait_for("cannot accept connections at once.*Too many open files")
            assert exporter.page(), "a connection that is open already"
            set_limit(exporter, 1000)
            assert client.recv(15) == b"HTTP/1.1 200 OK", "it waited"
        assert scrape(exporter).status_code == 200
        assert exporter.text.count("cannot accept") == 1
