"""Cuts a list into pages as the API does, under every reading of how it might."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from exporter.demo.answers import Refused
from tests.simulator.switches import Switches, by_path

T = TypeVar("T")


@dataclass(frozen=True)
class Page:
    """One page's place in its list. `first_page`: the number of the first one; `said`: it comes with `pagination`."""

    number: int
    size: int
    total: int
    first_page: int
    said: bool

    @property
    def start(self) -> int:
        """Index of the page's first row."""
        return (self.number - self.first_page) * self.size

    def cut(self, items: Sequence[T]) -> list[T]:
        """The page's items."""
        return list(items[self.start : self.start + self.size])

    def pagination(self, reading: str) -> dict[str, int] | None:
        """What the answer says about itself under the `Switches.pagination` of that name; None: nothing."""
        if not self.said or reading == "absent":
            return None
        total = max(0, self.total - 1) if reading == "stale" else self.total
        pages = 0 if reading == "zero" else -(-total // max(1, self.size))
        return {"currentPage": self.number, "pageCount": pages, "totalCount": total}


def page_of(path: str, query: Mapping[str, str], switches: Switches, *, total: int, default: int) -> Page:
    """Which page the query asks for; Refused (400) when it asks for one that cannot be."""
    if path in switches.paging_refused and {"pageSize", "pageNumber"} & query.keys():
        raise Refused(400, "unknown parameter", "pageSize")
    if path in switches.unpaged or "*" in switches.unpaged:
        return Page(switches.first_page, max(1, total), total, switches.first_page, said=False)
    size = _positive(query, "pageSize", switches.default_size.get(path, default), least=1)
    limit = by_path(switches.page_limit, path)
    if limit is not None and size > limit:
        raise Refused(switches.page_limit_status, f"pageSize must not be greater than {limit}", "pageSize")
    size = min(size, by_path(switches.page_clamp, path) or size)
    number = _positive(query, "pageNumber", switches.first_page, least=switches.first_page)
    if path in switches.page_number_ignored or "*" in switches.page_number_ignored:
        number = switches.first_page
    page = Page(number, size, total, switches.first_page, path != "/events" or switches.events_pagination)
    if switches.past_the_end is not None and number > switches.first_page and page.start >= total:
        raise Refused(switches.past_the_end, "no such page", "pageNumber")
    return page


def _positive(query: Mapping[str, str], name: str, default: int, *, least: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal() or int(text) < least:
        raise Refused(400, f"{name} must be a number, {least} or more", name)
    return int(text)
