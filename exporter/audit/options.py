"""The options of the command."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from exporter.audit.actors import MIN_KEY_BYTES, Mode
from exporter.audit.line import FormatName
from exporter.config.files import MAX_SECRET_BYTES, parse_secret, read_file, reason
from exporter.config.values import SECRET

KEY = "FLATFILE_AUDIT_KEY"
KEY_FILE = "FLATFILE_AUDIT_KEY_FILE"


class BadOptions(Exception):
    """Flags that contradict one another. The text is for the user."""


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `audit`; times in unix seconds, `interval` in seconds. Empty `accounts`, `environments`, `topics`: all."""

    since: float
    until: float = math.inf
    accounts: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    actors: Mode = "full"
    hash_key_file: Path | None = None
    format: FormatName = "jsonl"
    output: Path | None = None
    follow: bool = False
    state: Path | None = None
    interval: float = 15.0
    payload: bool = False

    @classmethod
    def of(cls, flags: argparse.Namespace) -> "Options":
        """Return the options of a parsed command line."""
        given: dict[str, Any] = {field.name: getattr(flags, field.name) for field in fields(cls)}
        given |= {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
        return cls(**given)

    @property
    def people(self) -> bool:
        """Whether lines have the keys with people's names."""
        return self.actors != "id"

    def check(self) -> None:
        """Raise BadOptions if flags contradict one another."""
        if self.follow and self.until < math.inf:
            raise BadOptions("--until and --follow exclude each other: --follow has no end")
        if self.since > self.until:
            raise BadOptions("--since is later than --until")
        if self.payload and self.actors == "hash":
            raise BadOptions(
                "--payload and --actors=hash exclude each other: a payload may name the people that are hashed"
            )
        if self.hash_key_file is not None and self.actors != "hash":
            raise BadOptions("--hash-key-file requires --actors=hash")
        if self.state is not None and self.state == self.output:
            raise BadOptions("--state and --output must be different files")

    def key(self, environ: Mapping[str, str]) -> bytes:
        """Return the key of the hashes, from --hash-key-file or the environment; empty if none is needed.

        Raises BadOptions if there is none, or if it is too short.
        """
        if self.actors != "hash":
            return b""
        value, file = environ.get(KEY), environ.get(KEY_FILE)
        if self.hash_key_file is None and bool(value) == bool(file):
            raise BadOptions(f"--actors=hash needs a key: --hash-key-file, or one of {KEY_FILE} and {KEY}")
        path = self.hash_key_file or (Path(file) if file else None)
        try:
            text = value or "" if path is None else parse_secret(read_file(path, MAX_SECRET_BYTES)[0], SECRET).reveal()
        except OSError as error:
            raise BadOptions(f"the key of --actors=hash: cannot read {path}: {reason(error)}") from None
        except ValueError as error:
            raise BadOptions(f"the key of --actors=hash: the content of {path} {error}") from None
        key = text.encode("utf-8", "surrogatepass")
        if len(key) < MIN_KEY_BYTES:
            raise BadOptions(f"the key of --actors=hash has {len(key)} bytes: it needs at least {MIN_KEY_BYTES}")
        return key
