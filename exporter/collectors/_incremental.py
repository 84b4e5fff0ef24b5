"""Follows a long list: its newest rows until they are known and unchanged, and all of it now and then.

A list of a few pages is read whole each time. Of a longer one only the rows with the newest activity are read, and the newest
rows where the total says that some are missing; they are believed when the server's total and the rows agree afterwards. Where
they do not, or where the server neither sorts nor counts, the whole list is read, but no faster than one request in three
seconds. After `full_resync` seconds it is read whatever else is known.
"""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Generic, TypeVar

from exporter.collectors._context import Context, side_by_side
from exporter.collectors._staged import ListTable, Reading, StagedRows
from exporter.flatfile.errors import BadResponse
from exporter.flatfile.session import Call

T = TypeVar("T")

SHORT = 2  # pages: reading so many costs no more than finding out what has changed
SMALL_PAGE = 100  # rows: what changes between two looks, as a rule
MAX_WAITED_FOR = 20  # requests; a scrape does not wait for a longer reading
SECONDS_A_REQUEST = 3.0
NOT_COMPARABLE = "UPDATE list_reading SET comparable = 0 WHERE list = ? AND scope = ?"
SLACK = 60.0  # seconds by which a change may become visible later than one with a newer time


class IncrementalList(Generic[T]):
    """Reads a list into its table. `scope` is the id of the environment asked for, or '' for the whole account."""

    def __init__(self, context: Context, table: ListTable[T], *, full_resync: float, max_pause: float) -> None:
        self.table = table
        self.rows = StagedRows(context.database, table)
        self._context = context
        self._full_resync = full_resync
        self._max_pause = max_pause
        self._bits = {1 << place: params for place, params in enumerate(table.lists)}

    async def read(self, scope: str, where: Mapping[str, str], call: Call) -> Reading | None:
        """Read what is needed; `None` where the table is out of date and it is too early to read the whole list.

        A whole list waits for `merge`. Raises FlatfileError.
        """
        database, name = self._context.database, self.table.name
        query = "SELECT at, pages, comparable FROM list_reading WHERE list = ? AND scope = ?"
        last = await database.run(lambda db: db.execute(query, (name, scope)).fetchone())
        if last is None:
            return await self._whole(scope, where, call, 0)
        at, pages, comparable = last
        age = self._context.clock.steady() - at
        if pages <= SHORT or not 0 <= age < self._full_resync:
            return await self._whole(scope, where, call, pages)
        if comparable:
            reading = await self._newest(scope, where, call, pages)
            if reading is not None:
                return reading
        if age < min(self._max_pause, pages * len(self._bits) * SECONDS_A_REQUEST):
            return None
        return await self._whole(scope, where, call, pages)

    async def _begin(self, scope: str) -> Reading:
        began = self._context.clock.steady()
        await self._context.database.run(lambda db: self.rows.begin(db, scope))
        return Reading(scope, began, self._context.database.generation)

    async def _whole(self, scope: str, where: Mapping[str, str], call: Call, pages: int) -> Reading:
        """Read the whole list; the last time it took so many `pages`."""
        if pages * len(self._bits) > MAX_WAITED_FOR:
            call = call.detached()
        reading = await self._begin(scope)
        await side_by_side(self._one_list(reading, bit, where, call) for bit in self._bits)
        return reading

    async def _one_list(self, reading: Reading, bit: int, where: Mapping[str, str], call: Call) -> None:
        database, params = self._context.database, {**where, **self._bits[bit]}
        async for page in self._context.client.pages(self.table.listing, params, call):
            if page.restart:
                reading.pages[bit] = 0
                await database.run(lambda db: self.rows.forget(db, reading, bit))
            reading.pages[bit] += 1
            if page.all_rows or page.restart:  # a page past the end may count its own rows
                reading.totals[bit] = page.total
            await database.run(partial(self.rows.stage, reading=reading, bit=bit, rows=page.rows))

    async def _newest(self, scope: str, where: Mapping[str, str], call: Call, pages: int) -> Reading | None:
        """Read the newest rows of each list; `None` where that does not make the table complete."""
        reading = await self._begin(scope)
        reading.whole = False
        for column in ("activity", "created"):
            try:
                heads = await side_by_side(self._head(reading, bit, column, where, call, pages) for bit in self._bits)
            except BadResponse as error:
                if error.status not in (400, 422):
                    raise
                heads = [False]
            if not all(heads):
                await self._context.database.run(lambda db: db.execute(NOT_COMPARABLE, (self.table.name, scope)))
                return None
            if await self._context.database.run(lambda db: self.rows.take(db, reading)):
                return reading
        return None

    async def _head(
        self, reading: Reading, bit: int, column: str, where: Mapping[str, str], call: Call, pages: int
    ) -> bool:
        """Stage a list's rows from the newest down to one that is known, unchanged, and older than all that was known.

        Returns False where the server does not give them in that order, or where too many have changed.
        """
        database, table = self._context.database, self.table
        now = self._context.client.session.objects_now
        mark = await database.run(lambda db: self.rows.newest(db, reading, bit, column, now))
        listing = replace(table.listing, sort=None, page_size=SMALL_PAGE)
        params = {**where, **self._bits[bit], "sortField": table.sort[column], "sortDirection": "desc"}
        place = table.columns.index(column) + 1
        low, seen, ended = float("inf"), 0, False
        async with aclosing(self._context.client.pages(listing, params, call)) as read:
            async for page in read:
                if page.restart:
                    low, seen, ended = float("inf"), 0, False
                seen += len(page.all_rows)
                if page.all_rows or page.restart:
                    reading.totals[bit] = page.total
                for row in page.all_rows:
                    at = table.values(row, reading.scope)[place]
                    if at is None:
                        ended = low < float("inf")  # rows without a time come first or last
                    elif not isinstance(at, float) or ended or at > low:
                        return False
                    else:
                        low = at
                changed = await database.run(
                    partial(self.rows.stage, reading=reading, bit=bit, rows=page.rows, compare=True)
                )
                if mark is not None and not changed and low < mark - SLACK:
                    return True
                if seen > max(SHORT, pages // 4) * table.listing.page_size:
                    return False
        return True
