"""Names of spaces, people and agents, requested when an event needs them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from exporter.audit.actors import Actor
from exporter.audit.models import EventContext, Named
from exporter.audit.state import Found
from exporter.collectors import agents
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.flatfile.topics import actor_type

MAX_AGE = 3600.0  # seconds for which a name is used before it is requested again
NEWEST_FIRST = {"sortField": "createdAt", "sortDirection": "desc"}

LISTS: dict[str, tuple[Listing[Named], str | None]] = {
    "space": (Listing(Endpoint.SPACES, Named, identity, sort=NEWEST_FIRST), "environmentId"),
    "user": (Listing(Endpoint.USERS, Named, identity), None),
    "guest": (Listing(Endpoint.GUESTS, Named, identity, paged=False), "spaceId"),
    "agent": (Listing(Endpoint.AGENTS, Named, identity, page_size=agents.LISTING.page_size), "environmentId"),
}
"""By kind: the list, and the parameter that names one of its places (an environment or a space)."""

Key = tuple[str, str, str]
"""Kind, place and id."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What a line says beside the event: the name of its space, and its actor."""

    space: str | None
    actor: Actor


class Names:
    """The names of one account. `refused` is called with each error by which the API denies names: they stay unknown.

    With `people` False no actors are looked up, as only ids are shown.
    """

    def __init__(self, client: Client, *, people: bool) -> None:
        self.refused: Callable[[FlatfileError], object] = lambda error: None
        self._client = client
        self._people = people
        self._forget()

    def _forget(self) -> None:
        self._since = asyncio.get_running_loop().time()
        self._asked_at: float | None = None  # by the server's clock
        self._known: dict[Key, Named | None] = {}  # None: not listed, or denied

    async def labels(self, events: Collection[Found], call: Call) -> list[Labels]:
        """Return the names for some events. Raises FlatfileError for what may be available on another try."""
        if asyncio.get_running_loop().time() - self._since > MAX_AGE:
            self._forget()
        if self._asked_at is None:
            self._asked_at = self._client.session.now
        wanted: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for found in events:
            if found.at > self._asked_at and (found.row.topic or "").startswith("space:"):
                self._known.pop(_space(found), None)  # it may have been renamed
            for key in self._keys(found):
                if key not in self._known:
                    wanted[key[:2]].add(key[2])
        await asyncio.gather(*(self._look_up(*place, ids, call) for place, ids in wanted.items()))
        return [self._labels(found) for found in events]

    def _keys(self, found: Found) -> Iterator[Key]:
        """Yield what an event needs."""
        if _space(found)[2]:
            yield _space(found)
        kind, _, id_ = _actor(found)
        if id_ and self._people and kind in LISTS:
            yield _actor(found)

    def _labels(self, found: Found) -> Labels:
        space, actor = self._known.get(_space(found)), self._known.get(_actor(found))
        id_ = _context(found).actor_id
        name = (actor.slug if actor_type(id_) == "agent" else actor.name) if actor else None
        return Labels(space.name if space else None, Actor(actor_type(id_), id_, name, actor.email if actor else None))

    async def _look_up(self, kind: str, place: str, ids: set[str], call: Call) -> None:
        rows: list[Named] = []
        try:
            rows = await self._rows(kind, place, ids, call)
        except FlatfileError as error:
            if not error.is_request_rejected:
                raise
            if not isinstance(error, NotFound):
                self.refused(error)
        self._known.update(dict.fromkeys((kind, place, id_) for id_ in ids))
        # A space may have very many guests.
        self._known.update({(kind, place, row.id): row for row in rows if kind != "guest" or row.id in ids})

    async def _rows(self, kind: str, place: str, ids: set[str], call: Call) -> list[Named]:
        """List what is in one place. Spaces: the newest first, until all are found; then archived ones, which may be hidden."""
        listing, parameter = LISTS[kind]
        where = {parameter: place} if parameter and place else {}
        if kind != "space":
            return await self._client.rows(listing, where, call) if where or not parameter else []
        rows: list[Named] = []

        def is_complete(page: Collection[Named]) -> bool:
            rows.extend(page)
            return ids <= {row.id for row in rows}

        for params in (where, {**where, "archived": "true"}):
            if is_complete(await self._client.rows(listing, params, call, stop=is_complete)):
                break
        return rows


def _context(found: Found) -> EventContext:
    return found.row.context or EventContext()


def _space(found: Found) -> Key:
    return "space", found.environment_id, _context(found).space_id or ""


def _actor(found: Found) -> Key:
    """Users are of the account, guests of a space, agents of an environment."""
    context = _context(found)
    kind = actor_type(context.actor_id)
    place = {"guest": context.space_id or "", "agent": found.environment_id}.get(kind, "")
    return kind, place, context.actor_id or ""
