"""Series of single spaces, those that were active last; only with spaces.per_space."""

from collections.abc import Iterator

from exporter.collectors._labels import SPACE, Labels, family
from exporter.exposition.families import Desc, Family
from exporter.store.database import Connection

INFO = Desc(
    "flatfile_space_info",
    "gauge",
    "1 for each space with series of its own: with spaces.per_space the most recently active, at most spaces.max_series.",
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
    "The space's lastActivityAt, in unix seconds. Absent where it has none.",
    SPACE,
)
FAMILIES = (INFO, FILES, WORKBOOKS, LAST_ACTIVITY)

SHOWN = """
SELECT space.id, environment_id, space.name, namespace, app_id, state, files, workbooks, activity
FROM space JOIN environment ON environment.id = environment_id WHERE shown
ORDER BY coalesce(activity, updated, created) DESC, space.id DESC LIMIT ?"""


def shown(db: Connection, limit: int) -> list[tuple[str, str]]:
    """Return (id, environment id) of the spaces that have series of their own."""
    return [(row[0], row[1]) for row in db.execute(SHOWN, (limit,))]


def families(db: Connection, labels: Labels, limit: int) -> Iterator[Family]:
    """Return the series of the spaces of the environments that have `labels`."""
    rows = db.execute(SHOWN, (limit,)).fetchall()
    yield family(INFO, labels, ((env, id_, *(name or "" for name in names), 1) for id_, env, *names, _, _, _ in rows))
    for place, desc in ((-3, FILES), (-2, WORKBOOKS), (-1, LAST_ACTIVITY)):
        yield family(desc, labels, ((row[1], row[0], row[place]) for row in rows))
