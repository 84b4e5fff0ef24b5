"""How the keys of the configuration file are described as data."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What may stand behind a key; the value is the text for the documentation."""

    TEXT = "text"
    CREDENTIAL = "secret text"
    FILE = "file"
    URL = "URL"
    PROXY = "URL, may hold a password"
    DURATION = "duration"
    DURATIONS = "list of durations"
    SIZE = "size"
    INTEGER = "whole number"
    NUMBER = "number"
    BOOLEAN = "true or false"
    GLOBS = "list of globs"


@dataclass(frozen=True, slots=True)
class Key:
    """One key with a single value.

    `default` is the text one would write in the file; None: there is no default, and `required` says whether the
    key may be left out. `minimum` and `maximum` are written in the same way and lie in the range; `above` does not.
    """

    name: str
    kind: Kind
    default: str | None
    meaning: str
    required: bool = False
    minimum: str | None = None
    maximum: str | None = None
    above: str | None = None
    nonempty: bool = False

    @property
    def bounds(self) -> str:
        """The range in words, empty where there is none."""
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum} to {self.maximum}"
        if self.above is not None:
            return f"more than {self.above}" + (f", at most {self.maximum}" if self.maximum is not None else "")
        return f"at least {self.minimum}" if self.minimum is not None else ""


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping of keys."""

    name: str
    meaning: str
    children: tuple["Entry", ...]


@dataclass(frozen=True, slots=True)
class Sections:
    """A list of mappings that all have the same keys."""

    name: str
    meaning: str
    children: tuple["Entry", ...]
    required: bool = False


Entry = Key | Section | Sections


def walk(entries: tuple[Entry, ...], prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """Everything with its path, such as `requests.tls.ca_file`; below a list of mappings as `accounts[].name`."""
    for entry in entries:
        path = prefix + entry.name
        yield path, entry
        if isinstance(entry, Section | Sections):
            yield from walk(entry.children, path + ("." if isinstance(entry, Section) else "[]."))


def keys(entries: tuple[Entry, ...]) -> Iterator[tuple[str, Key]]:
    """The keys of `walk`, without the sections."""
    return ((path, entry) for path, entry in walk(entries) if isinstance(entry, Key))
