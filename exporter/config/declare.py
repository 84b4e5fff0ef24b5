"""Helpers that declare a key of the configuration as a field of a frozen dataclass."""

from collections.abc import Callable
from dataclasses import field, fields, replace
from typing import Any, TypeVar

from exporter.config.schema import Entry, Key, Kind, Section, Sections
from exporter.config.values import default_of

T = TypeVar("T")


def key(kind: Kind[T], default: str | None, meaning: str, **more: Any) -> T:
    """Declare a key; `more` as in Key. The field's default is the key's default as the reader would read it."""
    entry = Key("", kind, default, meaning, **more)
    if entry.required:
        return field(metadata={"entry": entry})  # type: ignore[no-any-return]
    return field(default=default_of(entry), metadata={"entry": entry})  # type: ignore[no-any-return]


def section(cls: type[T], meaning: str) -> T:
    return field(default_factory=cls, metadata={"entry": Section("", meaning, entries(cls), maker(cls))})


def sections(cls: type[T], meaning: str) -> tuple[T, ...]:
    """Declare a list of sections, each with the keys of `cls`."""
    return field(default=(), metadata={"entry": Sections("", meaning, entries(cls), maker(cls))})


def inline(cls: type[T], **meanings: str) -> T:
    """Declare the keys of `cls` beside the others, with meanings of their own."""
    children = tuple(replace(entry, meaning=meanings[entry.name]) for entry in entries(cls))
    return field(default_factory=cls, metadata={"inline": Section("", "", children, maker(cls))})


def entries(cls: type) -> tuple[Entry, ...]:
    """Return what the fields of a dataclass declare."""
    found: list[Entry] = []
    for each in fields(cls):
        if "inline" in each.metadata:
            found += each.metadata["inline"].children
        elif "entry" in each.metadata:
            found.append(replace(each.metadata["entry"], name=each.name))
    return tuple(found)


def maker(cls: type[T]) -> Callable[..., T]:
    """Return what makes a `cls` of the values of all of its entries."""

    def make(**values: Any) -> T:
        for each in fields(cls):  # type: ignore[arg-type]  # a dataclass
            if "inline" in each.metadata:
                part: Section = each.metadata["inline"]
                values[each.name] = part.make(**{child.name: values.pop(child.name) for child in part.children})
        return cls(**values)

    return make
