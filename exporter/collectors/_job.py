"""A list of jobs as it is read: the newest first where the rows show that, as far down as is needed. Pure."""

import math
from collections.abc import Collection, Mapping, Sequence

from exporter.flatfile import models, times
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import TooLarge
from exporter.flatfile.order import NewestFirst

MAX_ROWS = 100_000  # of one list
LATE = 60.0  # seconds after which a new job is listed at the latest
TAIL = 10  # known jobs at the end of a page after which no new one is expected
REACH = 3  # pages in which open jobs are looked for each time
LONG = 300  # rows in no known order that are too many to be read each time


class Reading:
    """One environment's list, read down to `floor`, or (`None`) as far as there is anything new.

    Jobs that count were created at `edge` or later. `read_at` is when the list was last read (unix seconds by the server's
    clock, as all here), `open_` when the open jobs that are known were created.
    """

    def __init__(
        self, environment: str, edge: float, read_at: float, floor: float | None, open_: Mapping[str, float]
    ) -> None:
        self.floor = floor
        self.rows: list[models.Job] = []
        self.pages = 0
        self.covered = -math.inf  # jobs created after this have come, as far as the order can be trusted
        self.cut = False  # it was left because it is too long
        self._environment = environment
        self._edge = edge
        self._read_at = read_at
        self._unseen = dict(open_)
        self._order = NewestFirst()
        self._number = 0  # of rows, also of other environments

    def add(self, page: Sequence[models.Job], known: Collection[str]) -> bool:
        """Add a page, given the ids of known jobs among its last; return whether the rest of the list may be left.

        Raises TooLarge where it is too long, and jobs that count have not come.
        """
        # a server may ignore which environment it was asked for
        own = [row for row in page if row.environment_id in (None, self._environment)]
        moments = [at for row in page if (at := times.unix(row.created_at)) is not None]
        self.rows += own
        self.pages += 1
        self._number += len(page)
        self._order.follow(moments)
        for row in own:
            self._unseen.pop(row.id, None)
        oldest, newest = min(moments, default=math.inf), max(moments, default=math.inf)
        if not self._is_enough(own, known, oldest, newest):
            return False
        self.covered = oldest
        return True

    def _is_enough(self, own: Sequence[models.Job], known: Collection[str], oldest: float, newest: float) -> bool:
        if self._number >= MAX_ROWS:
            if not self._order.shown or newest >= self._edge:
                text = f"more than {MAX_ROWS} jobs within jobs.window, or in no order"
                raise TooLarge(text, endpoint=str(Endpoint.JOBS))
            self.cut = True
            return True
        if not self._order.shown:
            return False
        if self.floor is not None:
            return newest < self.floor
        if any(row.id not in known and (times.unix(row.created_at) or 0.0) >= self._edge for row in own[-TAIL:]):
            return False
        if not own and newest >= self._read_at - LATE:
            return False
        return self.pages >= REACH or all(created > oldest for created in self._unseen.values())

    @property
    def unreached(self) -> bool:
        """Whether open jobs lie further down than was read."""
        return self.floor is None and any(created <= self.covered for created in self._unseen.values())

    @property
    def unordered(self) -> bool:
        """Whether the list is too long to be read each time without an order."""
        return self._number > LONG and not self._order.shown
