"""How the keys of a configuration file are described as data."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from yaml.nodes import ScalarNode

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Kind(Generic[T]):
    """A kind of value. `read` raises ValueError, with a text that repeats no credential.

    `name` is for the documentation, `wanted` for messages ("must be …"). A kind with an `item` is a list of it.
    `convert` is the part of `read` that needs only the text, for a value that does not come from YAML.
    """

    name: str
    wanted: str
    read: Callable[[ScalarNode], T]
    convert: Callable[[str], T] | None = None
    item: "Kind[Any] | None" = None


@dataclass(frozen=True, slots=True)
class Key:
    """One key with a single value.

    `default` is the text one would write in the file; `null` may be written only where it is the default. None: there
    is no default, and `required` says whether the key may be left out. `minimum` and `maximum` are written in the same
    way and lie in the range; `above` does not.
    """

    name: str
    kind: Kind[Any]
    default: str | None = None
    meaning: str = ""
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
    """A mapping of keys; `make` takes their values.

    With `any_name` the one child describes every key's value. With `many` it is a list of mappings with the same keys.
    """

    name: str
    meaning: str
    children: tuple["Entry", ...]
    make: Callable[..., Any] = dict
    any_name: bool = False
    many: bool = False
    required: bool = False


Entry = Key | Section


def walk(entries: tuple[Entry, ...], prefix: str = "") -> Iterator[tuple[str, Entry]]:
    """Yield everything with its path, such as `requests.tls.ca_file`; below a list of mappings as `accounts[].name`."""
    for entry in entries:
        path = prefix + entry.name
        yield path, entry
        if isinstance(entry, Section):
            yield from walk(entry.children, path + ("[]." if entry.many else "."))


def keys(entries: tuple[Entry, ...], prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Yield the keys of `walk`, without the sections."""
    return ((path, entry) for path, entry in walk(entries, prefix) if isinstance(entry, Key))
