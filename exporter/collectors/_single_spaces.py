"""Series of single spaces, those that were active last. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import nlargest

from exporter.collectors._book import STATES, UNKNOWN, Book, Entry
from exporter.collectors._labels import ENVIRONMENT
from exporter.families import Desc, Family, Sample

_SPACE = (*ENVIRONMENT, "space_id")

INFO = Desc(
    "flatfile_space_info",
    "gauge",
    "1 for each space that is shown by itself: with spaces.per_space the most recently active ones, at most spaces.max_series.",
    (*_SPACE, "space", "namespace", "app_id", "state"),
)
GUESTS = Desc(
    "flatfile_space_guests",
    "gauge",
    "Guests of the space. Absent where the API gives guests for the whole account only, or the space has not been asked yet.",
    _SPACE,
)
FILES = Desc("flatfile_space_files", "gauge", "Files in the space. Absent where Flatfile leaves out the count.", _SPACE)
WORKBOOKS = Desc(
    "flatfile_space_workbooks",
    "gauge",
    "Workbooks in the space. Absent where Flatfile leaves out the count.",
    _SPACE,
)
LAST_ACTIVITY = Desc(
    "flatfile_space_last_activity_timestamp_seconds",
    "gauge",
    "The space's lastActivityAt, in unix seconds; midnight where Flatfile gives a date only. Absent where it has none.",
    _SPACE,
)
DROPPED = Desc(
    "flatfile_exporter_series_dropped",
    "gauge",
    "Spaces that are not shown by themselves, because there are more than spaces.max_series. Only with spaces.per_space.",
    ("account", "collector"),
)
FAMILIES = (INFO, GUESTS, FILES, WORKBOOKS, LAST_ACTIVITY, DROPPED)


def latest(book: Book, most: int) -> dict[str, list[Entry]]:
    """Give the spaces of a book that were active last, at most so many, by environment."""
    by_environment: dict[str, list[Entry]] = {}
    for row in book.latest(most):
        entry = book.entry(row)
        by_environment.setdefault(entry.group, []).append(entry)
    return by_environment


def families(
    account: str,
    spaces: Iterable[tuple[tuple[str, str], Entry]],
    guests: Mapping[str, int],
    known: int,
    most: int,
) -> Iterator[Family]:
    """Give the series of at most so many `spaces`, each with its environment's labels, of all that are `known`."""
    chosen = nlargest(most, spaces, key=lambda item: (item[1].seen, item[1].id))
    samples: dict[Desc, list[Sample]] = {desc: [] for desc in FAMILIES}
    for environment, space in chosen:
        labels = (account, *environment, space.id)
        samples[INFO].append(((*labels, *space.names, STATES[space.state]), 1))
        for desc, value in (
            (GUESTS, guests.get(space.id, UNKNOWN)),
            (FILES, space.files),
            (WORKBOOKS, space.workbooks),
            (LAST_ACTIVITY, space.activity),
        ):
            if value > UNKNOWN:
                samples[desc].append((labels, value))
    samples[DROPPED].append(((account, "spaces"), known - len(chosen)))
    yield from (Family(desc, found) for desc, found in samples.items())
