"""What the command was told, checked."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exporter.audit.actors import LEAST_KEY, Mode
from exporter.audit.line import FormatName
from exporter.audit.selection import Moment
from exporter.config.files import MAX_SECRET_BYTES, parse_secret, read_file, reason
from exporter.config.values import SECRET

KEY = "FLATFILE_AUDIT_KEY"
KEY_FILE = "FLATFILE_AUDIT_KEY_FILE"
DAY = Moment(ago=86400.0)


class BadOptions(Exception):
    """Flags that do not go together. The text is for the user."""


@dataclass(frozen=True, slots=True)
class Options:
    """The flags of `audit`. `accounts`, `environments` and `topics` empty: all of them. `interval` in seconds."""

    accounts: tuple[str, ...] = ()
    since: Moment = DAY
    until: Moment | None = None
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

    @property
    def people(self) -> bool:
        """Whether lines have the people's keys."""
        return self.actors != "id"

    def check(self, now: float) -> None:
        """Raise BadOptions where the flags contradict one another. `now` in unix seconds."""
        if self.follow and self.until is not None:
            raise BadOptions("--until does not go with --follow, which has no end")
        if self.until is not None and self.since.at(now) > self.until.at(now):
            raise BadOptions("--since is later than --until")
        if self.payload and self.actors == "hash":
            raise BadOptions(
                "--payload does not go with --actors=hash: a payload may name the people that the hashes hide"
            )
        if self.hash_key_file is not None and self.actors != "hash":
            raise BadOptions("--hash-key-file is for --actors=hash alone")
        if self.state is not None and self.state == self.output:
            raise BadOptions("--state and --output cannot be one file")

    def until_at(self, now: float) -> float:
        """The time after which nothing is told, in unix seconds."""
        return math.inf if self.until is None else self.until.at(now)

    def key(self, environ: Mapping[str, str]) -> bytes:
        """The key of the hashes, from --hash-key-file, else from the environment; nothing where none is needed.

        Raises BadOptions where there is none, or too short a one.
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
        if len(key) < LEAST_KEY:
            raise BadOptions(f"the key of --actors=hash has {len(key)} bytes: at least {LEAST_KEY} are needed")
        return key
