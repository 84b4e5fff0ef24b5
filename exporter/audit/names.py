"""Names of spaces and people, asked for when an event needs them, and only as far as events name them."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.audit.actors import Actor
from exporter.audit.models import NamedSpace, Person
from exporter.audit.spool import Found
from exporter.collectors import agents
from exporter.flatfile.client import Client, Listing, identity
from exporter.flatfile.endpoints import Endpoint
from exporter.flatfile.errors import FlatfileError, NotFound
from exporter.flatfile.session import Call
from exporter.flatfile.topics import actor_type

T = TypeVar("T")
log = logging.getLogger(__name__)

USERS = Listing(Endpoint.USERS, Person, identity)
GUESTS = Listing(Endpoint.GUESTS, Person, identity, paged=False)
NEWEST_FIRST = {"sortField": "createdAt", "sortDirection": "desc"}
SPACES = Listing(Endpoint.SPACES, NamedSpace, identity, sort=NEWEST_FIRST)
KEPT = 3600.0  # seconds for which a name is used before it is asked for again


@dataclass(frozen=True, slots=True)
class Labels:
    """What an event's line says beside the event: its space's name, and its actor."""

    space: str | None
    actor: Actor


class _Book(Generic[T]):
    """What is known by id within one place (a space, an environment, the account), and what was looked for in vain."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], T] = {}
        self._unknown: set[tuple[str, str]] = set()

    def get(self, place: str, id_: str) -> T | None:
        return self._known.get((place, id_))

    def missing(self, place: str, ids: Iterable[str]) -> set[str]:
        """Those that must be asked for."""
        return {id_ for id_ in ids if (place, id_) not in self._known and (place, id_) not in self._unknown}

    def note(self, place: str, found: Mapping[str, T], looked_for: Collection[str]) -> None:
        self._known.update({(place, id_): value for id_, value in found.items()})
        self._unknown |= {(place, id_) for id_ in looked_for if id_ not in found}

    def forget(self, place: str, id_: str) -> None:
        self._known.pop((place, id_), None)


class Names:
    """Knows one account's names. `refused` is told of what the API does not give: such names stay unknown.

    `people` False: nobody is asked for, as only ids are wanted.
    """

    def __init__(self, client: Client, *, people: bool) -> None:
        self.refused: Callable[[FlatfileError], object] = lambda error: None
        self._client = client
        self._people = people
        self._forget()

    def _forget(self) -> None:
        self._since = asyncio.get_running_loop().time()
        self._asked_at: float | None = None  # by the server's clock
        self._spaces: _Book[str | None] = _Book()
        self._users: _Book[Person] = _Book()
        self._guests: _Book[Person] = _Book()
        self._agents: _Book[str | None] = _Book()

    async def of(self, events: Collection[Found], call: Call) -> list[Labels]:
        """Give the names for some events. Raises FlatfileError for what may be had by asking again."""
        if asyncio.get_running_loop().time() - self._since > KEPT:
            self._forget()
        if self._asked_at is None:
            self._asked_at = self._client.session.now
        by_kind: dict[str, defaultdict[str, set[str]]] = {
            kind: defaultdict(set) for kind in ("space", "user", "guest", "agent")
        }
        for found in events:
            space, actor = _space(found), _actor(found)
            if space:
                if found.at > self._asked_at and (found.row.topic or "").startswith("space:"):
                    self._spaces.forget(found.stream, space)  # it may have another name now
                by_kind["space"][found.stream].add(space)
            if actor and self._people:
                kind = actor_type(actor)
                place = {"user": "", "guest": space or "", "agent": found.stream}.get(kind)
                if place is not None:
                    by_kind[kind][place].add(actor)
        await asyncio.gather(
            *(
                self._look_up(self._spaces, place, ids, self._ask_spaces, call)
                for place, ids in by_kind["space"].items()
            ),
            *(self._look_up(self._users, place, ids, self._ask_users, call) for place, ids in by_kind["user"].items()),
            *(
                self._look_up(self._guests, place, ids, self._ask_guests, call)
                for place, ids in by_kind["guest"].items()
            ),
            *(
                self._look_up(self._agents, place, ids, self._ask_agents, call)
                for place, ids in by_kind["agent"].items()
            ),
        )
        return [self._labels(found) for found in events]

    def _labels(self, found: Found) -> Labels:
        space, actor = _space(found), _actor(found)
        kind = actor_type(actor)
        person: Person | None = None
        name: str | None = None
        if actor and kind == "user":
            person = self._users.get("", actor)
        elif actor and kind == "guest":
            person = self._guests.get(space or "", actor)
        elif actor and kind == "agent":
            name = self._agents.get(found.stream, actor)
        if person is not None:
            name = person.name
        return Labels(
            self._spaces.get(found.stream, space) if space else None,
            Actor(kind, actor, name, person.email if person else None),
        )

    async def _look_up(
        self,
        book: _Book[T],
        place: str,
        ids: Iterable[str],
        ask: Callable[[str, set[str], Call], Awaitable[Mapping[str, T]]],
        call: Call,
    ) -> None:
        """Ask for what is not known yet. What is refused, or not there, is unknown from then on."""
        missing = book.missing(place, ids)
        if not missing:
            return
        try:
            found = await ask(place, missing, call)
        except FlatfileError as error:
            if not error.is_request_rejected:
                raise
            if not isinstance(error, NotFound):
                self.refused(error)
            found = {}
        book.note(place, found, missing)

    async def _ask_users(self, place: str, wanted: set[str], call: Call) -> Mapping[str, Person]:
        return {row.id: row for row in await self._client.rows(USERS, {}, call)}

    async def _ask_guests(self, space: str, wanted: set[str], call: Call) -> Mapping[str, Person]:
        """The guests of one space: who is in no space that an event names is not asked for."""
        if not space:
            return {}
        return {row.id: row for row in await self._client.rows(GUESTS, {"spaceId": space}, call) if row.id in wanted}

    async def _ask_agents(self, environment: str, wanted: set[str], call: Call) -> Mapping[str, str | None]:
        if not environment:
            return {}
        rows = await self._client.rows(agents.LISTING, {"environmentId": environment}, call)
        return {row.id: row.slug for row in rows}

    async def _ask_spaces(self, environment: str, wanted: set[str], call: Call) -> Mapping[str, str | None]:
        """The newest first, until all are found; archived ones, which may be hidden, after the others."""
        where = {"environmentId": environment} if environment else {}
        found: dict[str, str | None] = {}

        def all_found(rows: Collection[NamedSpace]) -> bool:
            found.update({row.id: row.name for row in rows})
            return wanted <= found.keys()

        for params in (where, {**where, "archived": "true"}):
            if all_found(await self._client.rows(SPACES, params, call, stop=all_found)):
                break
        return found


def _space(found: Found) -> str | None:
    return found.row.context.space_id if found.row.context else None


def _actor(found: Found) -> str | None:
    return found.row.context.actor_id if found.row.context else None
