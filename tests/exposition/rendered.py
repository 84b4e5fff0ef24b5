"""A whole page of families at once."""

from collections.abc import Iterable
from typing import NamedTuple

from exporter.exposition.families import Family
from exporter.exposition.text import Format, join, lines


class Page(NamedTuple):
    """A rendered page. `dropped` counts the samples left out because the page already had one of the same series."""

    body: bytes
    dropped: int


def render(families: Iterable[Family], fmt: Format) -> Page:
    """Return the page of `families`, in the order in which their names first come. Raises ValueError as `lines` does."""
    rendered = lines(families, fmt)
    return Page(join([rendered], fmt), rendered.dropped)
