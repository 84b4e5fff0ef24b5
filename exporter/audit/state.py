"""The state file: where reading and writing have come to, replaced in one step whenever lines have been written."""

import os
from pathlib import Path

import msgspec

from exporter.audit.cursor import Place
from exporter.audit.disk import PRIVATE, Disk

VERSION = 1


class AuditError(Exception):
    """The audit log cannot be written or gone on with. The text is for the user."""


class Position(msgspec.Struct, frozen=True):
    """A place in an output file: everything before `offset` is told by the state.

    `before` is a hash of the last bytes before the offset: it tells the file from another one of the same name or inode.
    """

    path: str
    device: int
    inode: int
    offset: int
    before: str


class State(msgspec.Struct):
    """What is kept: for each account where its reading is, and how far the output was written when that was so."""

    accounts: dict[str, Place]
    output: Position | None = None
    version: int = VERSION


class StateFile:
    """Reads and replaces the file. It holds ids and times of events, and no names."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk

    def load(self) -> State | None:
        """Give what was saved last, `None` where there is no file. Raises AuditError for one that cannot be used."""
        try:
            state = msgspec.json.decode(self.path.read_bytes(), type=State)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuditError(f"cannot read {self.path}: {error.strerror}") from None
        except msgspec.DecodeError:
            raise AuditError(
                f"{self.path} is no state of an audit log; to begin anew, move it and the output away"
            ) from None
        if state.version != VERSION:
            raise AuditError(f"{self.path} was written by another version ({state.version}) of the exporter")
        return state

    def save(self, state: State) -> None:
        """Replace the file: after a crash at any moment it holds the old state or the new one. Raises OSError."""
        new = self.path.with_name(self.path.name + ".new")
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, PRIVATE)
        try:
            self._disk.write_all(file, msgspec.json.encode(state))
            self._disk.sync(file)
        finally:
            os.close(file)
        self._disk.replace(new, self.path)
        self._disk.sync_directory(self.path)
