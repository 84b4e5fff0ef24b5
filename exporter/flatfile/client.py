"""Objects and lists of one account: paging over a session."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, ParamSpec, Protocol, TypeVar

from exporter.core.worker import Worker
from exporter.flatfile import models
from exporter.flatfile.decoding import read, read_page
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, TooLarge, Unauthorized
from exporter.flatfile.forms import REFUSALS, Form, Forms, is_about_form, other_form
from exporter.flatfile.models import One, Page
from exporter.flatfile.pages import Pass, RowsPage
from exporter.flatfile.session import Call, Session
from exporter.flatfile.texts import MAX_ID
from exporter.flatfile.transport import Answer

T = TypeVar("T")
P = ParamSpec("P")

MAX_ROWS = 2_000_000  # of a list
MAX_INLINE_BYTES = 64 * 1024  # of a body that is decoded on the event loop: about a millisecond
MAX_PASSES = 2  # over a list that breaks off


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list and how to request it. `sort` are parameters that only make paging steadier: left out where the server refuses them.

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
    """Return a row's id. Raises BadResponse where it is empty, or far too long: such a row cannot be told from others."""
    if not 0 < len(row.id) <= MAX_ID:
        raise BadResponse(f"a row with an id of more than {MAX_ID} characters" if row.id else "a row without an id")
    return row.id


@dataclass(frozen=True, slots=True)
class _Query(Generic[T]):
    listing: Listing[T]
    params: Mapping[str, str]
    call: Call

    def new_pass(self, *, paged: bool) -> Pass[T]:
        return Pass(self.listing.key, paged=paged, alike=self.listing.alike)


@dataclass(frozen=True, slots=True)
class _Begun(Generic[T]):
    """A pass of which the first page, with the number `first`, is there."""

    first: int
    form: Form
    done: Pass[T]
    page: RowsPage[T]


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
        self._forms = Forms(session.clock.monotonic)
        self._first_page = 1  # as all of the API's examples have it
        self._numbering_known = False

    async def aclose(self) -> None:
        """Close the session, and the worker unless it was given."""
        await self.session.aclose()
        if self._owns_worker:
            self._worker.close()

    async def one(self, endpoint: Endpoint, row: type[T], call: Call, id_: str | None = None) -> T:
        """Ask for a single object; `id_` where the endpoint's path has one. Raises ValueError for an id that is none."""
        answer = await self.session.get(endpoint, {} if id_ is None else {"id": id_}, call)
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
        broken = 0
        while broken < MAX_PASSES:
            begun = await self._begin(query)
            yield begun.page
            try:
                while not begun.done.whole and (page := await self._next(query, begun)) is not None:
                    yield page
            except TooLarge as error:
                smaller = other_form(begun.form, error, listing.endpoint)
                if smaller is None:
                    raise
                self._forms.learn(listing.endpoint, smaller)
                continue  # smaller pages have other numbers
            if (listing.paged or begun.form.paged) and begun.done.looks_cut(begun.form.size):
                raise BadResponse("the list may be cut off after its first page", endpoint=str(listing.endpoint))
            if not begun.done.missing:
                return
            broken += 1
        raise BadResponse(
            f"the list broke off: {begun.done.missing} rows fewer than the server counts",
            endpoint=str(listing.endpoint),
        )

    async def _begin(self, query: _Query[T]) -> _Begun[T]:
        """Ask for the first page, in the form that the server takes."""
        listing = query.listing
        by_page = listing.paged
        while True:
            begun = await self._first(query, self._first_page)
            if not begun.form.paged:
                if begun.done.whole:
                    return begun
                if by_page:
                    raise BadResponse(
                        "a list in pages, whose pages cannot be asked for", endpoint=str(listing.endpoint)
                    )
                by_page = True  # a list in pages after all; the size of the first one was the server's choice
                self._forms.learn(listing.endpoint, replace(begun.form, paged=True))
                continue
            if not self._numbering_known and begun.first == self._first_page:
                await self._learn_numbering(query, begun)
            if begun.first == self._first_page:
                return begun
            # this list, or another one meanwhile, has shown that pages are numbered otherwise

    async def _first(self, query: _Query[T], number: int) -> _Begun[T]:
        """Ask for the first page, in another form where one is refused, and remember what works."""
        endpoint = query.listing.endpoint
        question = (endpoint, frozenset((name, value) for name, value in query.params.items() if name != "since"))
        is_known_refused = self._forms.is_refused(question)
        start = form = self._form(query.listing)
        while True:
            done = query.new_pass(paged=form.paged)
            try:
                page = await self._page(query, number, form, done)
            except FlatfileError as error:
                other = other_form(form, error, endpoint)
                if other is None or (is_known_refused and other != replace(form, sort=False)):
                    if start.paged and is_about_form(error, endpoint):
                        self._forms.note_refused(question)
                    raise
                form = other
            else:
                self._forms.note_answered(question)
                if form.size != start.size:
                    self._forms.learn(endpoint, replace(form, sort=start.sort))  # the sort may be innocent
                elif form != start:
                    self._forms.learn(endpoint, form)
                return _Begun(number, form, done, page)

    async def _next(self, query: _Query[T], begun: _Begun[T]) -> RowsPage[T] | None:
        """Ask for the next page of a pass; `None` where the server says that there is none, after a page that was not full."""
        done, form = begun.done, begun.form
        if done.pages >= self._max_pages:
            raise TooLarge(f"a list of more than {self._max_pages} pages", endpoint=str(query.listing.endpoint))
        try:
            return await self._page(query, begun.first + done.pages, form, done)
        except FlatfileError as error:
            is_end = error.endpoint == str(query.listing.endpoint) and error.status in (404, *REFUSALS)
            if is_end and not isinstance(error, Unauthorized) and done.is_last_page_short(form.size):
                return None
            raise

    def _form(self, listing: Listing[T]) -> Form:
        """Return how the list is requested, by what is known so far."""
        usual = Form(listing.page_size, sort=listing.sort is not None, paged=listing.paged)
        return self._forms.best(listing.endpoint, usual)

    async def _page(self, query: _Query[T], number: int, form: Form, done: Pass[T]) -> RowsPage[T]:
        """Ask for one page and add it to a pass."""
        listing, params = query.listing, dict(query.params)
        if listing.sort is not None and form.sort:
            params.update(listing.sort)
        if form.paged:
            params.update(pageSize=str(form.size), pageNumber=str(number))
        answer = await self.session.get(listing.endpoint, params, query.call)
        page = await self._off_loop(answer, _add, answer, listing, done, self._max_rows)
        self.session.note_objects(lambda: models.moments(page.all_rows))
        return page

    async def _off_loop(self, answer: Answer, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Run what reads an answer: a small one at once, a large one on the worker's thread."""
        if len(answer.body) > MAX_INLINE_BYTES:
            with contextlib.suppress(RuntimeError):  # no thread can be started
                return await self._worker.run(work, *args, **named)
        return work(*args, **named)

    async def _learn_numbering(self, query: _Query[T], begun: _Begun[T]) -> None:
        """Find out whether page 0 is another page than page 1, so that rows of a list read from page 1 are missing.

        Asked until some list has shown it: one that is whole by the server's own count shows it at no cost, and a server that
        takes 0 for 1 gives the same rows twice.
        """
        done = begun.done
        if done.counted and not done.missing:
            self._numbering_known = done.count > 0
            return
        zero = query.new_pass(paged=True)
        try:
            await self._page(query, 0, begun.form, zero)
        except FlatfileError as error:
            if not error.is_request_rejected:
                if done.counted:
                    return  # the end of the list will show whether it is whole
                raise
        self._numbering_known = zero.count + done.count > 0
        if zero.count and zero.is_disjoint_from(done):
            self._first_page = 0


def _add(answer: Answer, listing: Listing[T], done: Pass[T], max_rows: int) -> RowsPage[T]:
    page = read_page(answer, listing.row, listing.endpoint, max_rows)
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
