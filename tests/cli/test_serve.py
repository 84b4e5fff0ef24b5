"""Flags of `serve` and `demo` that are for a proxy in front and for systemd, in the real process."""

import re
import socket
import subprocess
import sys
from itertools import islice
from pathlib import Path

import httpx

from tests.e2e.process import ANY_PORT, PATIENCE, clean_environment, exporter


def test_all_paths_are_below_that_of_the_external_url() -> None:
    with exporter("demo", ANY_PORT, "--web.external-url=https://example.com/flatfile/") as running:
        running.listens()
        assert re.search(r'msg="listening".* url=http://127\.0\.0\.1:\d+/flatfile/ ', running.text)
        assert running.get("/flatfile/-/healthy").status_code == 200
        assert running.get("/-/healthy").status_code == 404
        own, demo = running.get("/flatfile/sd").json()
        assert own["targets"] == demo["targets"] == ["example.com"]
        assert own["labels"]["__metrics_path__"] == "/flatfile/metrics"


def test_it_listens_on_the_sockets_of_systemd(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as opened, socket.socket(socket.AF_UNIX) as unix:
        unix.bind(str(tmp_path / "socket"))
        unix.listen()
        host, port = opened.getsockname()
        passed = f"3<&{opened.fileno()} 4<&{unix.fileno()}"
        started = f'LISTEN_PID=$$ LISTEN_FDS=2 exec "$0" -m exporter demo --web.systemd-socket {passed}'
        process = subprocess.Popen(
            ["bash", "-c", started, sys.executable],
            env=clean_environment(),
            pass_fds=[opened.fileno(), unix.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stderr is not None
            listening = [*islice((line for line in process.stderr if 'msg="listening"' in line), 2)]
            assert f"address={host}:{port} url=http://{host}:{port}/ " in listening[0]
            assert f"address={tmp_path}/socket version" in listening[1]
            assert httpx.get(f"http://{host}:{port}/-/healthy", trust_env=False).status_code == 200
            process.terminate()
            assert process.wait(PATIENCE) == 0
