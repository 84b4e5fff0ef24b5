"""Objects and lists of one account: paging over a session."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import BadResponse, FlatfileError, TooLarge
from exporter.flatfile.models import One, Page
from exporter.flatfile.pages import Pass
from exporter.flatfile.session import Call, Session

T = TypeVar("T")

LEAST_PAGE_SIZE = 10  # the server's own default for most lists: smaller cannot be what a 400 asks for


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How a list is asked for. `sort` are parameters that only make paging steadier: left out where the server refuses them.

    `key` gives a row's identity and raises BadResponse for a row that has none.
    """

    endpoint: Endpoint
    row: type[T]
    key: Callable[[T], str]
    page_size: int = 1000
    paged: bool = True
    sort: Mapping[str, str] | None = None


class Identified(Protocol):
    """A row with an id of its own."""

    @property
    def id(self) -> str: ...


def identity(row: Identified) -> str:
    """Give a row's id. Raises BadResponse where it is empty: such a row cannot be told from others."""
    if not row.id:
        raise BadResponse("a row without an id")
    return row.id


class Client:
    """Reads one account's objects. Every method raises FlatfileError and nothing else."""

    def __init__(self, session: Session, max_pages: int) -> None:
        self.session = session
        self._max_pages = max_pages
        self._page_sizes: dict[Endpoint, int] = {}
        self._size_exonerated: set[Endpoint] = set()
        self._sort_refused: set[Endpoint] = set()
        self._first_page = 1

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
        """Ask for all rows of a list, each once, in the order in which they came.

        `stop` may end the list after a page for a reason of its own. A list that breaks off, by the server's own count of
        its rows, is asked for once more and then is a BadResponse; one of too many pages is TooLarge.
        """
        done = await self._pass(listing, params, call, stop)
        if done.missing:
            done = await self._pass(listing, params, call, stop)
        if done.missing and self._first_page == 1 and await self._counts_from_zero(listing, params, call, done):
            self._first_page = 0
        if done.missing:
            raise BadResponse(
                f"the list broke off: {done.missing} rows fewer than the server counts",
                endpoint=str(listing.endpoint),
            )
        return [*done.rows.values()]

    async def _pass(
        self,
        listing: Listing[T],
        params: Mapping[str, str],
        call: Call,
        stop: Callable[[list[T]], bool] | None,
    ) -> Pass[T]:
        done: Pass[T] = Pass(listing.key)
        size = self._page_sizes.get(listing.endpoint, listing.page_size)
        while True:
            if done.pages:
                page = await self._page(listing, params, call, self._first_page + done.pages, size)
            else:
                page, size = await self._first(listing, params, call, size)
            rows = _rows(page, listing.endpoint)
            whole = done.add(rows, page.pagination)
            if whole or (not listing.paged and page.pagination is None) or (stop is not None and stop(rows)):
                return done
            if done.pages >= self._max_pages:
                raise TooLarge(f"a list of more than {self._max_pages} pages", endpoint=str(listing.endpoint))

    async def _first(
        self, listing: Listing[T], params: Mapping[str, str], call: Call, size: int
    ) -> tuple[Page[T], int]:
        """Ask for the first page, with other parameters where the server answers 400 to them, and remember which it takes."""
        endpoint = listing.endpoint
        number = self._first_page if listing.paged else None
        start = size
        while True:
            try:
                page = await self._page(listing, params, call, number, size)
            except BadResponse as error:
                if error.status != 400:
                    raise
                if listing.sort and endpoint not in self._sort_refused:
                    self._sort_refused.add(endpoint)
                elif number is not None and size > LEAST_PAGE_SIZE and endpoint not in self._size_exonerated:
                    size = max(LEAST_PAGE_SIZE, size // 2)
                else:  # nothing that can be left out is the reason: ask in full again next time
                    self._size_exonerated.add(endpoint)
                    if size != start:
                        self._sort_refused.discard(endpoint)
                    raise
            else:
                self._size_exonerated.discard(endpoint)
                if size != start:
                    self._page_sizes[endpoint] = size
                return page, size

    async def _page(
        self, listing: Listing[T], params: Mapping[str, str], call: Call, number: int | None, size: int
    ) -> Page[T]:
        query = dict(params)
        if listing.sort and listing.endpoint not in self._sort_refused:
            query.update(listing.sort)
        if number is not None:
            query.update(pageSize=str(size), pageNumber=str(number))
        shape: type[Page[T]] = Page[listing.row]  # type: ignore[name-defined]
        return await self.session.get(listing.endpoint, query, shape, call)

    async def _counts_from_zero(
        self, listing: Listing[T], params: Mapping[str, str], call: Call, done: Pass[T]
    ) -> bool:
        """Whether a page 0 brings the rows that are missing."""
        if not listing.paged:
            return False
        size = self._page_sizes.get(listing.endpoint, listing.page_size)
        try:
            page = await self._page(listing, params, call, 0, size)
        except FlatfileError:
            return False
        done.add(_rows(page, listing.endpoint), page.pagination)
        return not done.missing


def _rows(page: Page[T], endpoint: Endpoint) -> list[T]:
    """Give a page's rows. One definition lets an empty list leave out `data`: believed only where the total says 0 as well."""
    if page.data is not None:
        return page.data
    if page.pagination is not None and page.pagination.total == 0:
        return []
    raise BadResponse("an answer without data", endpoint=str(endpoint))
