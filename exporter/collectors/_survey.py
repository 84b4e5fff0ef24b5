"""Keeps the book of a long list true without reading all of it again: its newest rows, its totals, and what events tell of."""

from collections.abc import Callable, Collection, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from exporter.collectors._book import Book, Column, Entry
from exporter.collectors._context import both
from exporter.collectors._windows import Head
from exporter.core.clock import Clock
from exporter.flatfile.client import Client, Listing
from exporter.flatfile.errors import BadResponse
from exporter.flatfile.session import Call

T = TypeVar("T")

FEW_PAGES = 2  # a list that is no longer is read as a whole each time: that costs no more than asking what has changed
SMALL_PAGE = 100  # rows: enough for what changes between two looks at a list, as a rule
MOST_LOOKS = 10  # rows that are looked up one by one, before reading the whole list is cheaper
MOST_PAGES_OF_ONE_TIME = 6  # read for one row, where many were created at the same moment
MOST_WAITED_FOR = 20  # requests of one pass; a scrape does not wait for a longer one
SECONDS_A_REQUEST = 3.0  # whole lists are read as often as that, on average, where nothing else helps


@dataclass(frozen=True, slots=True)
class Question(Generic[T]):
    """What a survey asks for.

    `lists` are one or two lists of the same objects, by the parameters that tell them apart. `fields` are the API's names of
    what it can sort by. `entry` reads a row, `book` makes a book for it.
    """

    listing: Listing[T]
    lists: tuple[Mapping[str, str], ...]
    fields: Mapping[Column, str]
    entry: Callable[[T], Entry]
    book: Callable[[], Book] = Book


class Survey(Generic[T]):
    """The lists of an account or of one environment, as one book.

    A short list is read as a whole each time. Of a long one, only what has changed is read: the rows with the newest
    activity and, where there may be such without any, the newest rows, both down to what is known; and the rows that events
    name (`hints`), by their place in the order of creation. The book is true then if it has as many rows as the server
    counts. Where it has not, or where the server neither sorts nor counts, the whole list is read: at once, but no more
    often than a request in three seconds comes to, or every `longest_pause` seconds. Whatever happens, it is
    read after `full_resync` seconds: a change that shows neither in a total, nor in the order, nor in an event is seen then.
    """

    def __init__(
        self,
        client: Client,
        clock: Clock,
        question: Question[T],
        where: Mapping[str, str],
        *,
        full_resync: float,
        longest_pause: float,
    ) -> None:
        self.book = question.book()
        self._client = client
        self._clock = clock
        self._question = question
        self._where = where
        self._full_resync = full_resync
        self._longest_pause = longest_pause
        self._lists = {1 << place: params for place, params in enumerate(question.lists)}
        self._read_at: float | None = None  # when the whole list was read, monotonic
        self._pages = 0  # that took, the longer of the lists
        self._page_size = 0  # rows on a page at most
        self._off: dict[int, int | None] = {}  # by how much the server's total is too large; `None`: it gives none
        self._totals: dict[int, int | None] = {}
        self._marks: dict[tuple[int, Column], float] = {}
        self._needed: dict[tuple[int, Column], int] = {}  # rows to read down to what was known, the last time
        self._answered: dict[int, set[int]] = {}  # rows of which this reading has told whether a list has them
        self._low: dict[int, float] = {}  # the time of activity down to which it has
        self._hopeless = False

    async def refresh(self, call: Call, hints: Collection[str] = ()) -> bool:
        """Bring the book up to date. Gives whether it is known to be, `hints` included; raises FlatfileError.

        While it is not, what was true before is all that is known.
        """
        now = self._clock.monotonic()
        if self._read_at is None or self._pages <= FEW_PAGES or now - self._read_at >= self._full_resync:
            await self.read(call)
            return True
        if not self._hopeless and None not in self._off.values():
            true = await self._update(call, hints)
            if true:
                return True
            if true is None:  # the way of a long list does not work here: it is tried again when the whole list is due
                await self._read_hopeless(call)
                return True
        requests = self._pages * len(self._lists)
        if now - self._read_at < min(self._longest_pause, requests * SECONDS_A_REQUEST):
            return False
        if self._hopeless:
            await self._read_hopeless(call)
        else:
            await self.read(call)
        return True

    async def _read_hopeless(self, call: Call) -> None:
        await self.read(call)
        self._hopeless = True

    async def read(self, call: Call) -> None:
        """Read the whole list into a new book."""
        began = self._clock.monotonic()
        if self._pages * len(self._lists) > MOST_WAITED_FOR:
            call.detach()
            call = replace(call, background=True)
        book, readings = self._question.book(), {bit: _Reading() for bit in self._lists}

        async def one(bit: int) -> bool:
            params = {**self._where, **self._lists[bit]}
            async for page in self._client.pages(self._question.listing, params, call):
                if page.restart:
                    book.clear(bit)
                    readings[bit] = _Reading()
                readings[bit].page(len(page.rows), page.total)
                for row in page.rows:
                    book.put(bit, self._question.entry(row))
            return True

        await self._side_by_side(one)
        self.book, self._read_at, self._hopeless = book, began, False
        self._pages = max(reading.pages for reading in readings.values())
        self._page_size = max(reading.longest for reading in readings.values())
        now = self._client.session.now
        for bit, reading in readings.items():
            total = self._totals[bit] = reading.total
            self._off[bit] = None if total is None else total - book.members(bit)
            for column in self._question.fields:
                self._marks[bit, column] = book.newest(bit, column, now)

    async def _side_by_side(self, ask: Callable[[int], Coroutine[None, None, bool]]) -> bool:
        first, *second = self._lists
        if not second:
            return await ask(first)
        return all(await both(ask(first), ask(second[0])))

    async def _update(self, call: Call, hints: Collection[str]) -> bool | None:
        """Read what has changed; whether all is known then. `None`: that cannot be told so."""
        self.book.turn()
        self._answered = {bit: set() for bit in self._lists}
        self._low = dict.fromkeys(self._lists, float("inf"))
        try:
            if not await self._side_by_side(lambda bit: self._newest(bit, "activity", call)):
                return None
            if not await self._look_up(hints, call):
                return False
            strangers = any(self.book.find(hint) is None for hint in hints)
            more = strangers or not self._agreed or self.book.unknown("activity")
            if more and not await self._side_by_side(lambda bit: self._newest(bit, "created", call)):
                return None
            return self._agreed
        except BadResponse as error:
            if error.status not in (400, 422):
                raise
            return None

    @property
    def _agreed(self) -> bool:
        """Whether the book has as many rows as the server counts, in each list."""
        return all(
            total is not None and total == self.book.members(bit) + (self._off[bit] or 0)
            for bit, total in self._totals.items()
        )

    async def _newest(self, bit: int, column: Column, call: Call) -> bool:
        """Read a list from its newest row down to what is known. False where the server does not give it in that order."""
        question, key = self._question, (bit, column)
        small = self._small if self._needed.get(key, 0) <= self._small else self._page_size
        most = max(FEW_PAGES, self._pages // 4)
        head = Head(self._marks[key])
        stopped = False
        now = self._client.session.now
        params = self._params(bit, question.fields[column], "desc")
        async for page in self._client.pages(self._unsorted(small), params, call):
            if page.restart:
                head = Head(self._marks[key])
            head.pages += 1
            if page.rows or head.pages == 1:
                self._totals[bit] = page.total
            for row in page.rows:
                entry = question.entry(row)
                number, changed = self.book.put(bit, entry)
                head.add(number, entry.activity if column == "activity" else entry.created, changed=changed)
            stopped = not page.last and (head.enough or head.pages >= most)
            if stopped:
                break
        if not stopped:
            head.whole()
        if head.unsorted or (stopped and not head.enough and small == self._page_size):
            return False
        self._needed[key] = head.needed
        if stopped and not head.enough:  # the next time with larger pages
            self._totals[bit] = None
            return True
        gone = [row for row in self.book.between(bit, column, head.low, float("inf")) if row not in head.rows]
        self.book.drop(bit, gone)
        self._answered[bit] |= head.rows.union(gone)
        self._low[bit] = min(self._low[bit], head.low) if column == "activity" else self._low[bit]
        self._marks[key] = max(self._marks[key], self.book.newest(bit, column, now))
        return True

    async def _look_up(self, hints: Collection[str], call: Call) -> bool:
        """Read the rows that events name, as far as this reading has not shown them; whether that could be done."""
        looks = 0
        for hint in sorted(hints):
            row = self.book.find(hint)
            if row is None or self._shown(row):
                continue
            if looks == MOST_LOOKS:
                return False
            looks += 1
            for bit in self._lists:
                if row not in self._answered[bit] and not await self._look(bit, row, call):
                    return False
        return True

    def _shown(self, row: int) -> bool:
        """Whether this reading has shown the row, and where it is not."""
        activity = self.book.activity(row)
        return any(row in answered for answered in self._answered.values()) and all(
            row in self._answered[bit] or activity > self._low[bit] for bit in self._lists
        )

    async def _look(self, bit: int, row: int, call: Call) -> bool:
        """Read the page of a list that the row must be on by its time of creation; whether it was told if it is there.

        It is not where rows that were created before, and after, stand next to each other without it.
        """
        book, answered = self.book, self._answered[bit]
        params = self._params(bit, self._question.fields["created"], "asc")
        created = book.created(row)
        index = book.rank(bit, created)
        low, high = index, index  # what has been read, by places
        before = after = False
        for _ in range(MOST_PAGES_OF_ONE_TIME):
            cut = await self._client.cut(self._unsorted(self._small), params, call, index)
            entries = [self._question.entry(each) for each in cut.rows]
            times = [entry.created for entry in entries]
            if not times or times != sorted(times):
                return False
            self._totals[bit] = cut.total
            answered.update(book.put(bit, entry)[0] for entry in entries)
            low, high = min(low, cut.start), max(high, cut.start + cut.size)
            before = before or cut.start == 0 or times[0] < created
            after = after or times[-1] > created or (cut.total is not None and cut.start + len(times) >= cut.total)
            if before and after and row not in answered:
                book.drop(bit, [row])
                answered.add(row)
            if row in answered:
                return True
            index = high if before else low - 1
        return False

    def _params(self, bit: int, field: str, direction: str) -> dict[str, str]:
        return {**self._where, **self._lists[bit], "sortField": field, "sortDirection": direction}

    @property
    def _small(self) -> int:
        """The size of a page that is to show a few rows."""
        return min(SMALL_PAGE, self._page_size)

    def _unsorted(self, page_size: int) -> Listing[T]:
        """The list as it is asked for where the order is not a matter of taste."""
        return replace(self._question.listing, sort=None, page_size=page_size)


class _Reading:
    """What reading a whole list has told of the list."""

    def __init__(self) -> None:
        self.pages = 0
        self.longest = 0
        self.total: int | None = None

    def page(self, rows: int, total: int | None) -> None:
        self.pages += 1
        self.longest = max(self.longest, rows)
        if rows or self.pages == 1:
            self.total = total
