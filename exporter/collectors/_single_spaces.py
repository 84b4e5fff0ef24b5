"""Series of single spaces, those that were active last. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import nlargest

from exporter.collectors._book import STATES, UNKNOWN, Book, Entry
from exporter.collectors._labels import SPACE
from exporter.exposition.families import Desc, Family, Sample

INFO = Desc(
    "flatfile_space_info",
    "gauge",
    "1 for each space that is shown by itself: with spaces.per_space the most recently active ones, at most spaces.max_series.",
    (*SPACE, "space", "flatfile_namespace", "app_id", "state"),
)
FILES = Desc("flatfile_space_files", "gauge", "Files in the space. Absent where Flatfile leaves out the count.", SPACE)
WORKBOOKS = Desc(
    "flatfile_space_workbooks",
    "gauge",
    "Workbooks in the space. Absent where Flatfile leaves out the count.",
    SPACE,
)
LAST_ACTIVITY = Desc(
    "flatfile_space_last_activity_timestamp_seconds",
    "gauge",
    "The space's lastActivityAt, in unix seconds; midnight where Flatfile gives a date only. Absent where it has none.",
    SPACE,
)
DROPPED = Desc(
    "flatfile_exporter_series_dropped",
    "gauge",
    "Spaces that are not shown by themselves, because there are more than spaces.max_series. Only with spaces.per_space.",
    ("account", "collector"),
)
FAMILIES = (INFO, FILES, WORKBOOKS, LAST_ACTIVITY, DROPPED)


Single = Mapping[str, Sequence[Entry]]
"""Spaces to show by themselves, by environment."""


def latest(book: Book, most: int) -> Single:
    """Give the spaces of a book that were active last, at most so many."""
    return _by_environment(book.entry(row) for row in book.latest(most))


def chosen(spaces: Iterable[Entry], most: int) -> Single:
    """Choose those that were active last; of those of one moment always the same."""
    return _by_environment(nlargest(most, spaces, key=lambda space: (space.seen, space.id)))


def _by_environment(spaces: Iterable[Entry]) -> Single:
    found: dict[str, list[Entry]] = {}
    for space in spaces:
        found.setdefault(space.group, []).append(space)
    return found


def families(account: str, spaces: Iterable[tuple[tuple[str, str], Entry]], known: int) -> Iterator[Family]:
    """Give the series of `spaces`, each with its environment's labels, of all that are `known`."""
    samples: dict[Desc, list[Sample]] = {desc: [] for desc in FAMILIES}
    for environment, space in spaces:
        labels = (account, *environment, space.id)
        samples[INFO].append(((*labels, *space.names, STATES[space.state]), 1))
        for desc, value in ((FILES, space.files), (WORKBOOKS, space.workbooks), (LAST_ACTIVITY, space.activity)):
            if value > UNKNOWN:
                samples[desc].append((labels, value))
    samples[DROPPED].append(((account, "spaces"), known - len(samples[INFO])))
    yield from (Family(desc, found) for desc, found in samples.items())
