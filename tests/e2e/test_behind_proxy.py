"""External URL, route prefix and systemd's sockets, as flags of the real process."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import PATIENCE, clean_environment, serving
from tests.simulator.server import SimulatedServer

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
"""


def test_an_external_url_with_a_path(api: SimulatedServer, tmp_path: Path) -> None:
    flag = "--web.external-url=https://metrics.example:8443/flatfile/"
    with serving(CONFIG % api.base_url, tmp_path, flag) as exporter:
        assert f"url={exporter.url}/flatfile/ " in exporter.text
        assert exporter.get("/metrics").status_code == 404
        assert "flatfile_up" in exporter.page("/flatfile/metrics")
        assert exporter.get("/flatfile/-/ready").status_code == 200
        account = exporter.get("/flatfile/sd").json()[1]
        assert account["targets"] == ["metrics.example:8443"]
        assert account["labels"]["__scheme__"] == "https"
        assert account["labels"]["__metrics_path__"] == "/flatfile/probe"


def test_a_proxy_that_strips_the_path(api: SimulatedServer, tmp_path: Path) -> None:
    flags = ("--web.external-url=https://metrics.example/flatfile", "--web.route-prefix=/")
    with serving(CONFIG % api.base_url, tmp_path, *flags) as exporter:
        assert exporter.get("/-/healthy").status_code == 200
        assert exporter.get("/sd").json()[0]["labels"]["__metrics_path__"] == "/flatfile/metrics"
        assert 'href="sd"' in exporter.page("/")


def test_a_socket_of_systemd(api: SimulatedServer, tmp_path: Path) -> None:
    config, path = tmp_path / "config.yaml", tmp_path / "socket"
    config.write_text(CONFIG % api.base_url, encoding="utf-8")
    config.chmod(0o600)
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(path))
        opened.listen()
        script = f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{opened.fileno()}'
        exporter = (sys.executable, "-m", "exporter", f"--config.file={config}", "--web.systemd-socket")
        process = subprocess.Popen(
            ["bash", "-c", script, "bash", *exporter],
            pass_fds=[opened.fileno()],
            env=clean_environment(),
            stderr=subprocess.DEVNULL,
        )
        try:
            with httpx.Client(transport=httpx.HTTPTransport(uds=str(path)), timeout=PATIENCE) as client:
                assert "flatfile_up" in client.get("http://localhost/metrics").text
                assert client.get("http://localhost/sd").json()[0]["targets"] == ["localhost"]
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            assert path.exists(), "it is systemd's"
        finally:
            process.kill()
            process.wait()
