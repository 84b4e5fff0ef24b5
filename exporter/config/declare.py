"""Helpers that declare a key of the configuration as a field of a frozen dataclass."""

from dataclasses import field, fields, replace
from typing import Any, TypeVar

from exporter.config.schema import Entry, Key, Kind, Section
from exporter.config.values import default_of

T = TypeVar("T")


def key(kind: Kind[T], default: str | None, meaning: str, **more: Any) -> T:
    """Declare a key; `more` as in Key. The field's default is the key's default as the reader would read it."""
    entry = Key("", kind, default, meaning, **more)
    if entry.required:
        return field(metadata={"entry": entry})  # type: ignore[no-any-return]
    return field(default=default_of(entry), metadata={"entry": entry})  # type: ignore[no-any-return]


def section(cls: type[T], meaning: str) -> T:
    return field(default_factory=cls, metadata={"entry": Section("", meaning, entries(cls), cls)})


def sections(cls: type[T], meaning: str) -> tuple[T, ...]:
    """Declare a list of sections, each with the keys of `cls`."""
    return field(default=(), metadata={"entry": Section("", meaning, entries(cls), cls, many=True)})


def entries(cls: type) -> tuple[Entry, ...]:
    """Return what the fields of a dataclass declare."""
    return tuple(replace(f.metadata["entry"], name=f.name) for f in fields(cls) if "entry" in f.metadata)
