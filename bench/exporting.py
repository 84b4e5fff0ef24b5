"""An exporter in a process of its own, as a user would start it, and what can be seen of it from outside."""

import contextlib
import http.client
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.trees import HERE, THIS, Tree
from tests.ports import free_port

SCRAPE_TIMEOUT = 60  # seconds: what the scrapes here allow
LONGEST_START = 30  # seconds


class Exporter:
    """A running exporter. `started_at` is when its process was started (`time.perf_counter()`)."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, started_at: float) -> None:
        self.process = process
        self.started_at = started_at
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SCRAPE_TIMEOUT + 10)

    def another(self) -> "Exporter":
        """The same exporter, asked on a connection of its own. Only the first one stops it."""
        return Exporter(self.process, self.port, self.started_at)

    def get(self, path: str = "/metrics", headers: Mapping[str, str] | None = None) -> bytes:
        """Ask for a page, as a scraper does; anything but 200 is a RuntimeError."""
        patience = {"X-Prometheus-Scrape-Timeout-Seconds": str(SCRAPE_TIMEOUT)}
        self._connection.request("GET", path, headers=patience | dict(headers or {}))
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}")
        return body

    def reconnect(self) -> None:
        """Use another connection from now on."""
        self._connection.close()

    def until_answered(self, path: str) -> float:
        """Ask until the path answers 200. Returns the seconds since the process was started."""
        while True:
            try:
                self.get(path)
            except (ConnectionError, RuntimeError):
                self._connection.close()
                if self.process.poll() is not None:
                    raise RuntimeError(f"the exporter ended with status {self.process.returncode}") from None
                if time.perf_counter() - self.started_at > LONGEST_START:
                    raise
                time.sleep(0.002)
            else:
                return time.perf_counter() - self.started_at

    def memory(self) -> tuple[float, float]:
        """Resident memory in MiB: now, and the most there has been."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        kib = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines) if "kB" in rest}
        return kib["VmRSS"] / 1024, kib["VmHWM"] / 1024

    def cpu(self) -> float:
        """Seconds of CPU that it has taken so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        """How many threads it has."""
        return len([*Path(f"/proc/{self.process.pid}/task").iterdir()])

    def kill(self) -> None:
        """End it with SIGKILL, and wait until it has ended."""
        self.process.kill()
        self.process.wait()
        self._connection.close()

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self._connection.close()
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def exporting(
    *arguments: str,
    tree: Tree = THIS,
    program: str | None = None,
    quiet: bool = False,
    env: Mapping[str, str] | None = None,
) -> Iterator[Exporter]:
    """Start `flatfile-exporter ARGUMENTS` of a tree on a free port. Environment variables that name an account are not passed on.

    `program` names a module of this folder that runs the command line in another way. Errors are shown unless `quiet`:
    then all that it would log usually is written, and goes nowhere.
    """
    port = free_port()
    what = ["-m", "exporter"] if program is None else [str(HERE / "bench" / f"{program}.py")]
    level = f"--log.level={'info' if quiet else 'error'}"
    command = [sys.executable, "-P", *what, *arguments, f"--web.listen-address=127.0.0.1:{port}", level]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLATFILE_")}
    environment |= {"PYTHONPATH": str(tree.path), "PYTHONDONTWRITEBYTECODE": ""} | dict(env or {})
    started_at = time.perf_counter()
    process = subprocess.Popen(command, env=environment, cwd=tree.path, stderr=subprocess.DEVNULL if quiet else None)
    exporter = Exporter(process, port, started_at)
    try:
        yield exporter
    finally:
        exporter.stop()


def sums(page: bytes, *names: str) -> Mapping[str, float]:
    """Add up the samples of each of these families of a page; a family that is not there is not in the result."""
    totals: defaultdict[str, float] = defaultdict(float)
    for family in text_string_to_metric_families(page.decode()):
        for sample in family.samples:
            if sample.name in names:
                totals[sample.name] += sample.value
    return dict(totals)


def configuration(base_url: str, client_id: str, secret: str, more: str = "") -> str:
    """A configuration file for one account on loopback; `more` goes to its end."""
    return (
        f"accounts:\n  - name: bench\n    base_url: {base_url}\n"
        f"    auth: {{client_id: {client_id}, client_secret: {secret}}}\n{more}"
    )
