"""Records kept in the order of their `created_at`, whatever order they arrive in."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Generic, Protocol, TypeVar


class Dated(Protocol):
    """Anything created at a known time (unix seconds)."""

    created_at: float


T = TypeVar("T", bound=Dated)
_created = attrgetter("created_at")


class Timeline(Generic[T]):
    """A list sorted by `created_at`, oldest first; of equal times the earlier arrival comes first."""

    __slots__ = ("_items",)

    def __init__(self) -> None:
        self._items: list[T] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def add(self, item: T) -> None:
        """Put the item in its place: cheap when it is the newest, which it nearly always is."""
        if not self._items or self._items[-1].created_at <= item.created_at:
            self._items.append(item)
        else:
            insort(self._items, item, key=_created)

    def since(self, start: float) -> list[T]:
        """The items created at `start` or later, oldest first."""
        return self._items[bisect_left(self._items, start, key=_created) :]

    def drop_before(self, start: float) -> list[T]:
        """Forget, and return, the items created before `start`."""
        cut = bisect_left(self._items, start, key=_created)
        dropped = self._items[:cut]
        del self._items[:cut]
        return dropped
