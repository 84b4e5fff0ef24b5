"""Prometheus and Alertmanager as processes on loopback, and what Prometheus answers."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.process import PATIENCE, eventually
from tests.ports import free_port

Json = dict[str, Any]


class Prometheus:
    """A running Prometheus."""

    def __init__(self, client: httpx.Client, log: Path) -> None:
        self._client = client
        self._log = log

    def ask(self, path: str, **parameters: str | list[str]) -> Any:
        """The `data` of the answer; AssertionError with Prometheus' own words for an error or a warning."""
        answer: Json = self._client.get(f"/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", f"{answer} to {path} {parameters}"
        assert not answer.get("warnings"), f"{answer['warnings']} to {path} {parameters}"
        return answer["data"]

    def now(self, expr: str, at: float | None = None) -> list[Json]:
        """The series of an instant query, `at` (unix seconds) or now."""
        moment = {} if at is None else {"time": f"{at:.3f}"}
        return list(self.ask("query", query=expr, **moment)["result"])

    def over_time(self, expr: str, start: float, end: float, step: float) -> list[Json]:
        """The series of a range query; unix seconds."""
        asked = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        return list(self.ask("query_range", **asked)["result"])

    def load(self, config: Json) -> None:
        """Reload, with another configuration."""
        self._log.with_name("prometheus.yml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        answer = self._client.post("/-/reload")
        assert answer.status_code == 200, answer.text

    def rules(self) -> list[Json]:
        """Every loaded rule with its health."""
        return [rule for group in self.ask("rules")["groups"] for rule in group["rules"]]

    @property
    def complaints(self) -> list[str]:
        """What it has logged as a warning or an error, but of the storage, where backfilled blocks overlap, and of its end."""
        lines = [line for line in self._log.read_text().splitlines() if "level=warn" in line or "level=error" in line]
        return [line for line in lines if "component=tsdb" not in line and "Received SIGTERM" not in line]


@contextlib.contextmanager
def running(
    command: Sequence[str], url: str, log: Path, ready_path: str = "/-/ready"
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, and wait until it is ready; it is ended when the block is left."""
    with (
        log.open("ab") as output,
        subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output) as process,
        httpx.Client(timeout=PATIENCE, trust_env=False) as client,
    ):

        def ready() -> bool:
            assert process.poll() is None, log.read_text(errors="replace")
            with contextlib.suppress(httpx.TransportError):
                return client.get(f"{url}{ready_path}").status_code == 200
            return False

        try:
            eventually(ready, f"{command[0]} is ready")
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


@contextlib.contextmanager
def prometheus(program: str, config: Json, directory: Path, **flags: str) -> Iterator[Prometheus]:
    """Prometheus with this configuration; its data go to `directory/data`. `flags` have `_` for `.` and `-`."""
    path = directory / "prometheus.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    url = f"http://127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={path}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--web.enable-lifecycle",
        *(f"--{name}={value}" for name, value in flags.items()),
    ]
    log = directory / "prometheus.log"
    with running(command, url, log), httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:
        yield Prometheus(client, log)


@contextlib.contextmanager
def alertmanager(program: str, config: Json, directory: Path) -> Iterator[str]:
    """Alertmanager with this configuration, alone; gives its host and port."""
    path = directory / "alertmanager.yml"
    path.write_text(json.dumps(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        program,
        f"--config.file={path}",
        f"--storage.path={directory / 'alertmanager'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]
    with running(command, f"http://{address}", directory / "alertmanager.log"):
        yield address
