"""Objects and lists of one account: paging over a session."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, ParamSpec, Protocol, TypeVar

from exporter.core.worker import Worker
from exporter.flatfile.decoding import read
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, TooLarge
from exporter.flatfile.models import One, Page
from exporter.flatfile.pages import Pass, RowsPage
from exporter.flatfile.session import Call, Session
from exporter.flatfile.transport import Answer

T = TypeVar("T")
P = ParamSpec("P")

MAX_ROWS = 2_000_000  # of a list
MAX_INLINE_BYTES = 64 * 1024  # of a body that is decoded on the event loop: about a millisecond
MIN_PAGE_SIZE = 10  # the server's own default for most lists: smaller cannot be what a 400 asks for


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How a list is asked for. `sort` are parameters that only make paging steadier: left out where the server refuses them.

    `key` gives a row's identity and raises BadResponse for a row that has none; it runs on another thread. `alike`: rows
    have no id, so that two of them may have the same key.
    """

    endpoint: Endpoint
    row: type[T]
    key: Callable[[T], str]
    page_size: int = 1000
    paged: bool = True
    sort: Mapping[str, str] | None = None
    alike: bool = False


class Identified(Protocol):
    """A row with an id of its own."""

    @property
    def id(self) -> str: ...


def identity(row: Identified) -> str:
    """Return a row's id. Raises BadResponse where it is empty: such a row cannot be told from others."""
    if not row.id:
        raise BadResponse("a row without an id")
    return row.id


@dataclass(frozen=True, slots=True)
class Cut(Generic[T]):
    """One page from the midst of a list: its rows, the place of the first of them in the list (from 0), the rows that a page
    may hold, and how many the list has as far as the server tells.

    Place and size are as asked for: a server that cuts pages otherwise in silence gives rows of another place.
    """

    rows: list[T]
    start: int
    size: int
    total: int | None


@dataclass(frozen=True, slots=True)
class _Form:
    """How the pages of one list are asked for."""

    size: int
    sort: bool


@dataclass(frozen=True, slots=True)
class _Query(Generic[T]):
    """One list as somebody wants it."""

    listing: Listing[T]
    params: Mapping[str, str]
    call: Call

    def new_pass(self) -> Pass[T]:
        return Pass(self.listing.key, paged=self.listing.paged, alike=self.listing.alike)


class Client:
    """Reads one account's objects. Every method raises FlatfileError and nothing else.

    Large pages are decoded by `worker`; without one the client has its own. `max_rows` bounds each list.
    """

    def __init__(
        self, session: Session, max_pages: int, max_rows: int = MAX_ROWS, worker: Worker | None = None
    ) -> None:
        self.session = session
        self._max_pages = max_pages
        self._max_rows = max_rows
        self._worker = worker or Worker("pages")
        self._owns_worker = worker is None
        self._page_sizes: dict[Endpoint, int] = {}
        self._sort_refused: set[Endpoint] = set()
        self._refused_at_any_size: set[object] = set()  # queries
        self._first_page = 1  # as all of the API's examples have it
        self._numbering_known = False

    async def aclose(self) -> None:
        """Close the session, and the worker unless it was given."""
        await self.session.aclose()
        if self._owns_worker:
            self._worker.close()

    async def one(self, endpoint: Endpoint, row: type[T], call: Call) -> T:
        """Ask for a single object."""
        answer = await self.session.get(endpoint, {}, call)
        shape: type[One[T]] = One[row]  # type: ignore[valid-type]
        return (await self._off_loop(answer, read, answer, shape, endpoint)).data

    async def rows(
        self,
        listing: Listing[T],
        params: Mapping[str, str],
        call: Call,
        *,
        stop: Callable[[list[T]], bool] | None = None,
    ) -> list[T]:
        """Return all rows of a list, each once, in the order in which they came; as `pages` does.

        `stop` is given all rows of each page but the last, and may end the list after it for a reason of its own.
        """
        found: list[T] = []
        async for page in self.pages(listing, params, call):
            if page.restart:
                found.clear()
            found += page.rows
            if stop is not None and not page.last and stop(page.all_rows):
                break
        return found

    async def pages(
        self, listing: Listing[T], params: Mapping[str, str], call: Call
    ) -> AsyncGenerator[RowsPage[T], None]:
        """Yield a list page by page: no more than one page of it is held here, and nothing else between two pages.

        The consumer may end early. Whoever goes on to the end has the whole list: one that breaks off, by the server's own
        count of its rows, is asked for once more (`restart`), and then is a BadResponse. One of too many pages or rows is
        TooLarge.
        """
        query = _Query(listing, params, call)
        missing = 0
        for _ in range(2):
            first, form, done, page = await self._begin(query)
            yield page
            while not done.whole:
                if done.pages >= self._max_pages:
                    raise TooLarge(f"a list of more than {self._max_pages} pages", endpoint=str(listing.endpoint))
                page = await self._page(query, first + done.pages, form, done)
                yield page
            missing = done.missing
            if not missing:
                return
        raise BadResponse(
            f"the list broke off: {missing} rows fewer than the server counts", endpoint=str(listing.endpoint)
        )

    async def cut(self, listing: Listing[T], params: Mapping[str, str], call: Call, index: int) -> Cut[T]:
        """Ask for the one page on which the row at the place `index` (from 0) should be."""
        form = self._form(listing)
        query = _Query(listing, params, call)
        page = await self._page(query, self._first_page + index // form.size, form, query.new_pass())
        return Cut(page.all_rows, index - index % form.size, form.size, page.total)

    async def _begin(self, query: _Query[T]) -> tuple[int, _Form, Pass[T], RowsPage[T]]:
        """Ask for the first page. Return its number, the form in which it was asked for, the pass, and the page."""
        while True:
            first, done = self._first_page, query.new_pass()
            page, form = await self._first(query, first if query.listing.paged else None, done)
            if query.listing.paged and not self._numbering_known and first == self._first_page:
                await self._learn_numbering(query, form, done)
            if not query.listing.paged or first == self._first_page:
                return first, form, done, page

    def _form(self, listing: Listing[T]) -> _Form:
        """How the list is asked for by what is known so far."""
        size = min(listing.page_size, self._page_sizes.get(listing.endpoint, listing.page_size))
        return _Form(size, sort=listing.sort is not None and listing.endpoint not in self._sort_refused)

    async def _first(self, query: _Query[T], number: int | None, done: Pass[T]) -> tuple[RowsPage[T], _Form]:
        """Ask for the first page, in another form where the server answers 400, and remember what cured that, if anything."""
        endpoint = query.listing.endpoint
        question = (endpoint, frozenset((name, value) for name, value in query.params.items() if name != "since"))
        start = form = self._form(query.listing)
        while True:
            try:
                page = await self._page(query, number, form, done)
            except BadResponse as error:
                if error.status != 400:
                    raise
                if form.sort:
                    form = replace(form, sort=False)
                elif number is not None and form.size > MIN_PAGE_SIZE and question not in self._refused_at_any_size:
                    form = replace(form, size=max(MIN_PAGE_SIZE, form.size // 2))
                else:
                    if number is not None:
                        self._refused_at_any_size.add(question)
                    raise
            else:
                self._refused_at_any_size.discard(question)
                if form.size != start.size:
                    self._page_sizes[endpoint] = form.size  # the sort may be innocent: it is tried again at this size
                elif form.sort != start.sort:
                    self._sort_refused.add(endpoint)
                return page, form

    async def _page(self, query: _Query[T], number: int | None, form: _Form, done: Pass[T]) -> RowsPage[T]:
        """Ask for one page and add it to a pass."""
        listing, params = query.listing, dict(query.params)
        if listing.sort is not None and form.sort:
            params.update(listing.sort)
        if number is not None:
            params.update(pageSize=str(form.size), pageNumber=str(number))
        answer = await self.session.get(listing.endpoint, params, query.call)
        return await self._off_loop(answer, _add, answer, listing, done, self._max_rows)

    async def _off_loop(self, answer: Answer, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Run what reads an answer: a small one at once, a large one on the worker's thread."""
        if len(answer.body) <= MAX_INLINE_BYTES:
            return work(*args, **named)
        return await self._worker.run(work, *args, **named)

    async def _learn_numbering(self, query: _Query[T], form: _Form, done: Pass[T]) -> None:
        """Find out whether page 0 is another page than page 1, so that rows of a list read from page 1 are missing.

        Asked until some list has shown it: one that is whole by the server's own count shows it at no cost, and a server that
        takes 0 for 1 gives the same rows twice.
        """
        if done.counted and not done.missing:
            self._numbering_known = done.count > 0
            return
        zero = query.new_pass()
        try:
            await self._page(query, 0, form, zero)
        except FlatfileError as error:
            if not error.concerns_the_question:
                if done.counted:
                    return  # the end of the list will show whether it is whole
                raise
        self._numbering_known = zero.count + done.count > 0
        if zero.count and zero.is_disjoint_from(done):
            self._first_page = 0


def _add(answer: Answer, listing: Listing[T], done: Pass[T], max_rows: int) -> RowsPage[T]:
    """Decode a page and add it to a pass."""
    shape: type[Page[T]] = Page[listing.row]  # type: ignore[name-defined]
    page = read(answer, shape, listing.endpoint)
    rows = _rows(page, listing.endpoint)
    restart = done.pages == 0
    try:
        new = done.add(rows, page.pagination)
    except FlatfileError as error:
        error.endpoint = error.endpoint or str(listing.endpoint)
        raise
    if done.count > max_rows:
        raise TooLarge(f"a list of more than {max_rows} rows", endpoint=str(listing.endpoint))
    return RowsPage(new, rows, page.pagination.total if page.pagination else None, restart, done.whole)


def _rows(page: Page[T], endpoint: Endpoint) -> list[T]:
    """Return a page's rows. One definition lets an empty list leave out `data`: believed only where the total says 0 as well."""
    if page.data is not None:
        return page.data
    if page.pagination is not None and page.pagination.total == 0:
        return []
    raise BadResponse("an answer without data", endpoint=str(endpoint))
