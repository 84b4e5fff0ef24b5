"""Thanos as docs/scaling.md starts it: a router and two receivers of what Prometheus writes, a querier and a ruler."""

import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.e2e.process import PATIENCE
from tests.grafana.e2e.programs import Json, Prometheus, running
from tests.ports import free_port

NAMES = ("router", "receive-0", "receive-1", "query", "rule")
"""What runs, in the order of the guide's commands, as the guide calls the hosts."""
GRPC, HTTP, WRITE, CAPNPROTO = 10901, 10902, 19291, 19391
"""Thanos' own ports."""


@dataclass(frozen=True, slots=True)
class Thanos:
    """What runs. Querier and ruler answer as Prometheus does; a partial answer comes with a warning."""

    remote_write: list[Json]
    querier: Prometheus
    ruler: Prometheus
    receivers: Sequence[subprocess.Popen[bytes]]


class Addresses:
    """For each host and port of the guide, one on this machine."""

    def __init__(self) -> None:
        self._ports = {(name, port): free_port() for name in NAMES for port in (GRPC, HTTP, WRITE, CAPNPROTO)}

    def of(self, name: str, port: int) -> str:
        return f"127.0.0.1:{self._ports[name, port]}"

    def put_into(self, text: str) -> str:
        """The text with these in place of the guide's."""
        return re.sub(rf"\b({'|'.join(NAMES)}):(\d+)\b", lambda found: self.of(found[1], int(found[2])), text)


@contextmanager
def thanos(
    program: str, commands: str, prometheus: str, rules: Path, directory: Path, interval: str
) -> Iterator[Thanos]:
    """Start the guide's commands, with the rules of a directory evaluated every `interval`.

    `prometheus` is what the guide adds to Prometheus' configuration.
    """
    addresses = Addresses()
    lines = addresses.put_into(commands.replace("\\\n", " ")).splitlines()
    clients: dict[str, Prometheus] = {}
    processes: dict[str, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        for name, line in zip(NAMES, lines, strict=True):
            command = [word.replace("rules/*.yaml", f"{rules}/*.yaml") for word in shlex.split(line)]
            command = [program, *command[1:], *_own(command[1], name, addresses, directory)]
            if name == "rule":
                command += [f"--eval-interval={interval}", "--resend-delay=1s"]
            url, log = f"http://{addresses.of(name, HTTP)}", directory / f"{name}.log"
            processes[name] = stack.enter_context(running(command, url, log))
            client = stack.enter_context(httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False))
            clients[name] = Prometheus(client, log)
        written: dict[str, Any] = yaml.safe_load(addresses.put_into(prometheus))
        receivers = [processes[name] for name in NAMES if name.startswith("receive")]
        yield Thanos(written["remote_write"], clients["query"], clients["rule"], receivers)


def _own(component: str, name: str, addresses: Addresses, directory: Path) -> list[str]:
    """Flags of this machine alone: where it listens, and where it keeps what it stores."""
    own = [f"--http-address={addresses.of(name, HTTP)}", f"--grpc-address={addresses.of(name, GRPC)}"]
    match component:
        case "receive":
            own += [f"--remote-write.address={addresses.of(name, WRITE)}", f"--tsdb.path={directory / name}"]
            own += [f"--receive.capnproto-address={addresses.of(name, CAPNPROTO)}"]
        case "rule":
            own += [f"--data-dir={directory / name}"]
    return own
