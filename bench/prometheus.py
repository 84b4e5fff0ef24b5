"""A real Prometheus beside an exporter: what it takes, and what it says of its scrapes."""

import contextlib
import json
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_port


class Prometheus:
    """A running one."""

    def __init__(self, process: subprocess.Popen[bytes], url: str, data: Path) -> None:
        self._process = process
        self._url = url
        self._data = data

    def number(self, expr: str) -> float:
        """Evaluate an expression that gives one value; 0 where it gives none."""
        result = self._asked(f"/api/v1/query?{urllib.parse.urlencode({'query': expr})}")["data"]["result"]
        return float(result[0]["value"][1]) if result else 0.0

    def memory(self) -> float:
        """Return its resident memory in MiB."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    def block(self) -> tuple[int, int]:
        """Write all that it has as a block. Returns its bytes and its samples."""
        name = self._asked("/api/v1/admin/tsdb/snapshot", post=True)["data"]["name"]
        size = samples = 0
        for meta in (self._data / "snapshots" / name).glob("*/meta.json"):
            samples += json.loads(meta.read_text())["stats"]["numSamples"]
            size += sum(path.stat().st_size for path in meta.parent.rglob("*") if path.is_file())
        return size, samples

    def _asked(self, path: str, *, post: bool = False) -> Any:
        request = urllib.request.Request(self._url + path, method="POST" if post else "GET")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def wait_until_ready(self) -> None:
        """Wait until it answers."""
        while True:
            try:
                self._asked("/api/v1/status/buildinfo")
            except (urllib.error.URLError, ConnectionError):
                if self._process.poll() is not None:
                    raise RuntimeError(f"prometheus ended with status {self._process.returncode}") from None
                time.sleep(0.1)
            else:
                return


@contextlib.contextmanager
def prometheus(program: str, discovery: str, interval: float) -> Iterator[Prometheus]:
    """Let a Prometheus scrape all targets of a discovery URL at this interval, in seconds."""
    address = f"127.0.0.1:{free_port()}"
    timeout = min(10.0, interval)
    job = {"job_name": "flatfile", "http_sd_configs": [{"url": discovery}]}
    scrape = {"scrape_interval": f"{interval:g}s", "scrape_timeout": f"{timeout:g}s"}
    with tempfile.TemporaryDirectory() as folder:
        file, data = Path(folder, "prometheus.yml"), Path(folder, "data")
        file.write_text(json.dumps({"scrape_configs": [job | scrape]}))
        command = [
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={data}",
            f"--web.listen-address={address}",
            "--web.enable-admin-api",
            "--log.level=error",
        ]
        with subprocess.Popen(command) as process:
            try:
                running = Prometheus(process, f"http://{address}", data)
                running.wait_until_ready()
                yield running
            finally:
                process.terminate()
                process.wait()
