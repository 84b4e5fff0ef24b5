"""A reload whose file cannot be read to its end fails in time, and the next one works."""

import os
import signal
from pathlib import Path

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import serving
from tests.simulator.server import SimulatedServer

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
"""


def test_a_pipe_in_the_place_of_the_file(api: SimulatedServer, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    successful = "flatfile_exporter_config_last_reload_successful"
    with serving(CONFIG % api.base_url, tmp_path, "--web.enable-lifecycle") as exporter:
        assert f"\n{successful} 1\n" in exporter.page()
        path.unlink()
        os.mkfifo(path)
        exporter.signal(signal.SIGHUP)
        exporter.wait_for("reload failed.*config.yaml: it is a FIFO, not a regular file")
        assert f"\n{successful} 0\n" in exporter.page()
        assert exporter.client.post(exporter.url + "/-/reload").status_code == 500
        path.unlink()
        path.write_text(CONFIG % api.base_url, encoding="utf-8")
        path.chmod(0o600)
        assert exporter.client.post(exporter.url + "/-/reload").status_code == 200
        assert f"\n{successful} 1\n" in exporter.page()
        exporter.signal(signal.SIGHUP)
        exporter.wait_for("configuration loaded")
        exporter.signal(signal.SIGTERM)
        assert exporter.ended() == 0
