"""Flatfile's objects, decoded once at the edge.

Only what the exporter counts is named here: msgspec skips the rest while it parses, so secrets, links, programs, payloads
and personal data are never kept. Everything but the key is optional, because the API's definitions allow null nearly
everywhere; `None` means that the API did not say, or nothing that can be read. Times stay as they are until `times.unix`
reads them. No field is of any type: what has no name and no type here is never built.
"""

from collections.abc import Iterable, Iterator
from typing import Annotated, Generic, TypeVar

import msgspec

from exporter.flatfile import times

Number = int | float | str | None
Time = str | int | float | None
"""A time as the API says it; `times.unix` reads it."""
Amount = Annotated[int, msgspec.Meta(le=2**53)] | float | None
"""A count, as far as a sample can hold it; more is no count."""
T = TypeVar("T")


class Model(msgspec.Struct, rename="camel", gc=False, frozen=True, kw_only=True):
    """Base of all objects: camelCase on the wire, immutable."""


class Pagination(Model, frozen=True):
    """What a list says of itself; any part may be missing, stale or wrong."""

    page_count: Number = None
    total_count: Number = None

    @property
    def total(self) -> int | None:
        """How many rows the whole list has, as far as the server tells."""
        return _count(self.total_count)

    @property
    def pages(self) -> int | None:
        """How many pages the whole list has, as far as the server tells."""
        return _count(self.page_count)


class Page(Model, Generic[T], frozen=True):
    """One answer of a list; `data` is missing where the server left it out."""

    data: list[T] | None = None
    pagination: Pagination | None = None


class One(Model, Generic[T], frozen=True):
    data: T


class Account(Model, frozen=True):
    id: str
    name: str | None = None


class Environment(Model, frozen=True):
    """An environment; names need not be unique."""

    id: str
    name: str | None = None
    is_prod: bool | None = None
    guest_authentication: list[str] | None = None


class Space(Model, frozen=True):
    """A space. Expired ones (data removed by retention) are still listed."""

    id: str
    environment_id: str | None = None
    created_at: Time = None
    updated_at: Time = None
    archived_at: Time = None
    expired_at: Time = None
    last_activity_at: Time = None
    files_count: Amount = None
    workbooks_count: Amount = None


class NamedSpace(Space, frozen=True):
    """A space with its texts, for series of its own."""

    name: str | None = None
    namespace: str | None = None
    app_id: str | None = None


class Agent(Model, frozen=True):
    """A deployed agent; the API has no status for it: deployed means listed."""

    id: str
    slug: str | None = None
    environment_id: str | None = None
    is_system: bool | None = None
    namespace: str | None = None
    created_at: Time = None
    updated_at: Time = None


class Execution(Model, frozen=True):
    """One run of an agent for an event: it has no id, and names no agent. A run that goes on may lack `completed_at`.

    `duration` and `request_time` are taken for milliseconds, as the definition of the agents' log has it.
    """

    event_id: str
    success: bool | None = None
    created_at: Time = None
    completed_at: Time = None
    duration: Number = None
    memory_usage: Number = None
    request_time: Number = None
    request_count: Number = None


class Job(Model, frozen=True):
    """A job; its status is missing in some answers."""

    id: str
    environment_id: str | None = None
    type: str | None = None
    status: str | None = None
    created_at: Time = None
    started_at: Time = None
    finished_at: Time = None


class User(Model, frozen=True):
    """A member of the account's team. `last_seen_at` is `UNSET` where the server does not know the field."""

    id: str
    created_at: Time = None
    last_seen_at: Time | msgspec.UnsetType = msgspec.UNSET


class GuestSpace(Model, frozen=True):
    """A guest's membership of one space."""

    id: str
    last_accessed: Time = None


class Guest(Model, frozen=True):
    """A guest. Whether `spaces` names all of a guest's spaces or just the one that was asked for is not documented."""

    id: str
    environment_id: str | None = None
    spaces: list[GuestSpace] | None = None


class EventContext(Model, frozen=True):
    """Where an event happened and who caused it."""

    environment_id: str | None = None
    space_id: str | None = None
    actor_id: str | None = None


class Event(Model, frozen=True):
    """An event. The discriminator is `topic`; one part of the documentation says `type`."""

    id: str
    topic: str | None = None
    type: str | None = None
    created_at: Time = None
    context: EventContext | None = None


class AccessToken(Model, frozen=True):
    """The answer to `POST /auth`: at the top level, or wrapped in `data`, depending on the source one believes.

    The token is not shown.
    """

    access_token: str | None = None
    expires_in: Number = None
    expires: Time = None
    data: "AccessToken | None" = None

    def __repr__(self) -> str:
        return "AccessToken(...)"


def moments(rows: Iterable[object]) -> Iterator[float]:
    """Yield the times at which something happened to these objects (unix seconds), of those that are known."""
    for row in rows:
        for field in ("created_at", "updated_at", "last_activity_at", "last_seen_at", "completed_at", "finished_at"):
            at = getattr(row, field, None)
            if at is not msgspec.UNSET and (moment := times.unix(at)) is not None:
                yield moment
        for space in getattr(row, "spaces", None) or ():
            if (moment := times.unix(space.last_accessed)) is not None:
                yield moment


def _count(number: Number) -> int | None:
    try:
        count = int(number) if number is not None else None
    except (ValueError, OverflowError):
        return None
    return count if count is None or count >= 0 else None
