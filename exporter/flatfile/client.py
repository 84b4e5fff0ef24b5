"""Objects and lists of one account: paging over a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, TooLarge
from exporter.flatfile.models import One, Page
from exporter.flatfile.pages import Pass
from exporter.flatfile.session import Call, Session

T = TypeVar("T")
Taker = Callable[[list[T], int | None], None]
"""Is given the new rows of a page, and how many rows the list has as far as the page tells."""

LEAST_PAGE_SIZE = 10  # the server's own default for most lists: smaller cannot be what a 400 asks for


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How a list is asked for. `sort` are parameters that only make paging steadier: left out where the server refuses them.

    `key` gives a row's identity and raises BadResponse for a row that has none. `alike`: rows have no id, so that two of them
    may have the same key.
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
    """Give a row's id. Raises BadResponse where it is empty: such a row cannot be told from others."""
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
class _Read(Generic[T]):
    """What a pass has read, in which form. `whole` is False where `stop` ended it."""

    list: Pass[T]
    form: _Form
    whole: bool

    @property
    def broke_off(self) -> bool:
        return self.whole and self.list.missing > 0


class Client:
    """Reads one account's objects. Every method raises FlatfileError and nothing else."""

    def __init__(self, session: Session, max_pages: int) -> None:
        self.session = session
        self._max_pages = max_pages
        self._page_sizes: dict[Endpoint, int] = {}
        self._sort_refused: set[Endpoint] = set()
        self._size_exonerated: set[object] = set()  # questions that are refused whatever the page size
        self._first_page = 1  # as all of the API's examples have it
        self._numbering_known = False

    async def one(self, endpoint: Endpoint, row: type[T], call: Call) -> T:
        """Ask for a single object."""
        return (await self.session.get(endpoint, {}, One[row], call)).data  # type: ignore[valid-type]

    async def rows(
        self,
        listing: Listing[T],
        params: Mapping[str, str],
        call: Call,
        *,
        stop: Callable[[list[T]], bool] | None = None,
    ) -> list[T]:
        """Ask for all rows of a list, each once, in the order in which they came; as `pages` does."""
        found: list[T] = []

        def begin() -> Taker[T]:
            found.clear()
            return lambda rows, _: found.extend(rows)

        await self.pages(listing, params, call, begin, stop=stop)
        return found

    async def pages(
        self,
        listing: Listing[T],
        params: Mapping[str, str],
        call: Call,
        begin: Callable[[], Taker[T]],
        *,
        stop: Callable[[list[T]], bool] | None = None,
    ) -> None:
        """Ask for all rows of a list, and hand them on page by page: no more than one page of them is held here.

        `begin` is called before each pass over the list, of which there can be up to three: all that an earlier pass has
        handed on is void then. What it gives takes each page's new rows. `stop` may end the list after a page, of which it
        is given all rows, for a reason of its own. A list that breaks off, by the server's own count of its rows, is asked
        for once more and then is a BadResponse; one of too many pages is TooLarge.
        """
        first = self._first_page
        read = await self._pass(listing, params, call, begin(), stop, first)
        if read.broke_off or first != self._first_page:  # the latter: another list has shown it meanwhile
            read = await self._pass(listing, params, call, begin(), stop, self._first_page)
        if read.whole and await self._counts_from_zero(listing, params, call, read):
            self._first_page = 0
            read = await self._pass(listing, params, call, begin(), stop, 0)
        if read.broke_off:
            raise BadResponse(
                f"the list broke off: {read.list.missing} rows fewer than the server counts",
                endpoint=str(listing.endpoint),
            )

    async def cut(self, listing: Listing[T], params: Mapping[str, str], call: Call, index: int) -> Cut[T]:
        """Ask for the one page on which the row at the place `index` (from 0) should be."""
        form = self._form(listing)
        page = await self._page(listing, params, call, self._first_page + index // form.size, form)
        total = page.pagination.total if page.pagination else None
        return Cut(_rows(page, listing.endpoint), index - index % form.size, form.size, total)

    async def _pass(
        self,
        listing: Listing[T],
        params: Mapping[str, str],
        call: Call,
        take: Taker[T],
        stop: Callable[[list[T]], bool] | None,
        first: int,
    ) -> _Read[T]:
        """Read page after page, the first of which has the number `first`."""
        done: Pass[T] = Pass(listing.key, alike=listing.alike)
        page, form = await self._first(listing, params, call, first if listing.paged else None)
        while True:
            rows = _rows(page, listing.endpoint)
            take(_new(done, rows, page, listing.endpoint), page.pagination.total if page.pagination else None)
            if done.whole or (not listing.paged and page.pagination is None):
                return _Read(done, form, whole=True)
            if stop is not None and stop(rows):
                return _Read(done, form, whole=False)
            if done.pages >= self._max_pages:
                raise TooLarge(f"a list of more than {self._max_pages} pages", endpoint=str(listing.endpoint))
            page = await self._page(listing, params, call, first + done.pages, form)

    def _form(self, listing: Listing[T]) -> _Form:
        """How the list is asked for by what is known so far."""
        size = min(listing.page_size, self._page_sizes.get(listing.endpoint, listing.page_size))
        return _Form(size, sort=listing.sort is not None and listing.endpoint not in self._sort_refused)

    async def _first(
        self, listing: Listing[T], params: Mapping[str, str], call: Call, number: int | None
    ) -> tuple[Page[T], _Form]:
        """Ask for the first page, in another form where the server answers 400, and remember what cured that, if anything."""
        endpoint = listing.endpoint
        question = (endpoint, frozenset((name, value) for name, value in params.items() if name != "since"))
        start = form = self._form(listing)
        while True:
            try:
                page = await self._page(listing, params, call, number, form)
            except BadResponse as error:
                if error.status != 400:
                    raise
                if form.sort:
                    form = replace(form, sort=False)
                elif number is not None and form.size > LEAST_PAGE_SIZE and question not in self._size_exonerated:
                    form = replace(form, size=max(LEAST_PAGE_SIZE, form.size // 2))
                else:
                    if number is not None:
                        self._size_exonerated.add(question)
                    raise
            else:
                self._size_exonerated.discard(question)
                if form.size != start.size:
                    self._page_sizes[endpoint] = form.size  # the sort may be innocent: it is tried again at this size
                elif form.sort != start.sort:
                    self._sort_refused.add(endpoint)
                return page, form

    async def _page(
        self, listing: Listing[T], params: Mapping[str, str], call: Call, number: int | None, form: _Form
    ) -> Page[T]:
        query = dict(params)
        if listing.sort is not None and form.sort:
            query.update(listing.sort)
        if number is not None:
            query.update(pageSize=str(form.size), pageNumber=str(number))
        shape: type[Page[T]] = Page[listing.row]  # type: ignore[name-defined]
        return await self.session.get(listing.endpoint, query, shape, call)

    async def _counts_from_zero(
        self, listing: Listing[T], params: Mapping[str, str], call: Call, read: _Read[T]
    ) -> bool:
        """Whether page 0 is another page than page 1, so that rows of a list read from page 1 are missing.

        Asked until some list has shown it: one that is whole by the server's own count shows it at no cost, and a server that
        takes 0 for 1 gives the same rows twice.
        """
        if self._numbering_known or not listing.paged:
            return False
        done = read.list
        if done.counted and not done.missing:
            self._numbering_known = done.count > 0
            return False
        try:
            zero = _rows(await self._page(listing, params, call, 0, read.form), listing.endpoint)
        except FlatfileError as error:
            if not error.concerns_the_question and not done.missing:
                raise  # whether the list is whole is not known
            zero = []
        if not zero:
            self._numbering_known = done.count > 0 and not done.missing
            return False
        one = _rows(await self._page(listing, params, call, 1, read.form), listing.endpoint)
        self._numbering_known = True
        return {listing.key(row) for row in zero}.isdisjoint(listing.key(row) for row in one)


def _new(done: Pass[T], rows: list[T], page: Page[T], endpoint: Endpoint) -> list[T]:
    try:
        return done.add(rows, page.pagination)
    except FlatfileError as error:
        error.endpoint = error.endpoint or str(endpoint)
        raise


def _rows(page: Page[T], endpoint: Endpoint) -> list[T]:
    """Give a page's rows. One definition lets an empty list leave out `data`: believed only where the total says 0 as well."""
    if page.data is not None:
        return page.data
    if page.pagination is not None and page.pagination.total == 0:
        return []
    raise BadResponse("an answer without data", endpoint=str(endpoint))
