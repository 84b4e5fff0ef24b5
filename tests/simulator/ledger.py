"""What the exporter has asked of simulated accounts, kept across processes: the proof that it only reads."""

import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Self

VARIABLE = "EXPORTER_DEMO_LEDGER"
"""Environment variable: the file to which each simulated account adds the kinds of request that it gets."""
CLIENT = "flatfile-exporter/"  # how the exporter's User-Agent begins: others may ask for what they like

Kind = tuple[str, str]
_ID = re.compile(r"(?<=/environments/)[a-z0-9]+_env_[A-Za-z0-9]+$")


class Ledger:
    """A file of JSON lines, `[method, path]`; each kind of request is written once by each simulated account."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: set[Kind] = set()

    @classmethod
    def of_environment(cls) -> Self | None:
        """The ledger that the environment names, if it does."""
        name = os.environ.get(VARIABLE)
        return cls(Path(name)) if name else None

    def note(self, method: str, path: str, user_agent: str) -> None:
        """Add a request of the exporter's."""
        kind = (method, path)
        if user_agent.startswith(CLIENT) and kind not in self._written:
            self._written.add(kind)
            with self._path.open(
                "a", encoding="utf-8"
            ) as file:  # one write of a short line: whole, whoever else writes
                file.write(json.dumps(kind) + "\n")


def kinds(path: Path) -> set[Kind]:
    """All kinds of request that a ledger holds."""
    return {_kind(line) for line in path.read_text(encoding="utf-8").splitlines()}


def strange(seen: Iterable[Kind], allowed: Iterable[Kind]) -> list[Kind]:
    """Those that are none of the allowed ones, whatever prefix of the API stands before their path."""
    known = {(method, prefix + path) for method, path in allowed for prefix in ("", "/v1", "/api/v1")}
    return sorted(kind for kind in set(seen) if (kind[0], _ID.sub("{id}", kind[1])) not in known)


def _kind(line: str) -> Kind:
    method, path = json.loads(line)
    return (method, path)
