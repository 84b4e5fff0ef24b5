"""Crowds of clients do not keep Prometheus out: requests that hang, clients that hung up, floods of wrong passwords."""

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import httpx

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import Exporter, eventually, serving
from tests.simulator.faults import Hang
from tests.simulator.server import SimulatedServer

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
requests: {{timeout: 10m, per_second: 1000, retries: 1}}
"""
LONG = "GET /metrics HTTP/1.1\r\nHost: x\r\nX-Prometheus-Scrape-Timeout-Seconds: 250\r\n\r\n"
USER, PASSWORD = "prometheus", "the right one"


@contextlib.contextmanager
def crowd(exporter: Exporter, address: str, number: int) -> Iterator[list[socket.socket]]:
    """Have so many scrapes under way that wait for long."""
    port = int(exporter.url.rsplit(":", 1)[1])
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(number):
            client = socket.create_connection(("127.0.0.1", port), source_address=(address, 0))
            sockets.append(stack.enter_context(client))
            client.sendall(LONG.encode())
        yield sockets


def scrape(exporter: Exporter) -> httpx.Response:
    return exporter.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="1")


def test_requests_that_hang_keep_nobody_out(api: SimulatedServer, tmp_path: Path) -> None:
    hang = api.faults.add("*", Hang())
    with serving(CONFIG % api.base_url, tmp_path) as exporter:
        for address in ("127.0.0.1", "127.0.0.2"):
            with crowd(exporter, address, 60):
                eventually(lambda: api.count("/auth"), "a refresh begins")
                for _ in range(3):
                    assert scrape(exporter).status_code == 200
        api.faults.remove(hang)


def test_one_address_does_not_hold_all_places_and_those_who_hang_up_hold_none(
    api: SimulatedServer, tmp_path: Path
) -> None:
    hang = api.faults.add("*", Hang())
    with serving(CONFIG % api.base_url, tmp_path, "--web.max-requests=2") as exporter:
        with crowd(exporter, "127.0.0.2", 30) as sockets:
            assert {client.recv(12) for client in sockets[8:]} == {b"HTTP/1.1 503"}
            assert scrape(exporter).status_code == 200
            with crowd(exporter, "127.0.0.3", 30) as more:
                assert {client.recv(12) for client in more[8:]} == {b"HTTP/1.1 503"}
                assert scrape(exporter).status_code == 503, "all places are taken"
        eventually(lambda: scrape(exporter).status_code == 200, "the crowd has gone")
        api.faults.remove(hang)


def test_a_first_login_gets_through_a_flood_of_wrong_ones(api: SimulatedServer, tmp_path: Path) -> None:
    web = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(8)).decode()
    web.write_text(f"basic_auth_users: {{{USER}: '{hashed}'}}\n", encoding="utf-8")
    web.chmod(0o600)
    done, number = threading.Event(), itertools.count()
    wrong: list[int] = []

    def flood(url: str) -> None:
        with httpx.Client(trust_env=False, timeout=60) as client:
            while not done.is_set():
                wrong.append(client.get(url, auth=(USER, f"wrong {next(number)}")).status_code)

    with serving(CONFIG % api.base_url, tmp_path, f"--web.config.file={web}") as exporter:
        threads = [threading.Thread(target=flood, args=(exporter.url + "/-/healthy",)) for _ in range(20)]
        for thread in threads:
            thread.start()
        try:
            eventually(lambda: len(wrong) > 5, "the flood is there")
            answer = exporter.client.get(exporter.url + "/metrics?only=exporter", auth=(USER, PASSWORD))
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert answer.status_code == 200
        assert set(wrong) == {401}
