"""The endpoints: what each GET answers, by the most literal reading of what is published. No network here."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar

from exporter.demo import rows
from exporter.demo.records import Agent, Event, Space
from exporter.demo.rows import Row
from exporter.demo.world import World

T = TypeVar("T")
SPACE_SORT = {
    "name": lambda s: s.name,
    "workbooksCount": lambda s: s.workbooks or 0,
    "filesCount": lambda s: s.files or 0,
    "environmentId": lambda s: s.environment_id,
    "createdByUserName": lambda s: s.created_by or "",
    "createdAt": lambda s: s.created_at,
    "lastActivityAt": lambda s: rows.iso(s.last_activity_at) or "",
}
USER_SORT = {
    "email": lambda u: u.email,
    "name": lambda u: u.name,
    "id": lambda u: u.id,
    "idp": lambda u: "",
    "idp_ref": lambda u: "",
    "created_at": lambda u: u.created_at,
    "updated_at": lambda u: u.updated_at,
    "last_seen_at": lambda u: rows.iso(u.last_seen_at) or "",
    "dashboard": lambda u: 0,
}
TIMES = {"lastActivityAt": attrgetter("last_activity_at"), "last_seen_at": attrgetter("last_seen_at")}
SortKeys = Mapping[str, Callable[[Any], Any]]


class Refused(Exception):
    """The API answers an error: its status, and the key and message of the error body (flatfile's shape)."""

    def __init__(self, status: int, message: str, key: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.key = key


@dataclass(frozen=True)
class Ask:
    """One GET: its path below the prefix, its query, and the account it is put to. `now`: unix seconds.

    The methods read what the definitions leave open; a test may read it otherwise.
    """

    world: World
    path: str
    query: Mapping[str, str]
    now: float

    def flag(self, name: str) -> bool | None:
        """A boolean parameter; None where it is not given, Refused (400) where it is neither."""
        text = self.query.get(name)
        if text not in (None, "true", "false"):
            raise Refused(400, f"{name} must be true or false", name)
        return None if text is None else text == "true"

    def check_environment(self, environment_id: str) -> None:
        """Refused (404) where there is no such environment."""
        if environment_id not in self.world.environments:
            raise Refused(404, f"Environment {environment_id} not found", environment_id)

    def environment(self, *, required: bool = False) -> str | None:
        """The environment that the query filters by; Refused where it may not."""
        environment_id = self.query.get("environmentId")
        if environment_id is not None:
            self.check_environment(environment_id)
        elif required:
            raise Refused(400, "environmentId is required", "environmentId")
        return environment_id

    def visible(self, items: Iterable[T]) -> Iterable[T]:
        """The items of environments that answer here."""
        return items

    def unarchived(self, spaces: Iterable[Space]) -> Iterable[Space]:
        """Those of the spaces that are listed, by the parameter `archived`."""
        return spaces if self.flag("archived") else (s for s in spaces if s.archived_at is None)

    def since(self) -> float:
        """From when on events are listed (unix seconds)."""
        text = self.query.get("since")
        if text is None:
            return float("-inf")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise Refused(400, "since must be a date-time", "since") from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()

    def order(self, listed: list[Any], direction: str) -> None:
        """Put a list that is oldest first into the order asked for (`asc` or `desc`), in place."""
        if direction == "desc":
            listed.reverse()

    def sort(self, listed: list[Any], keys: SortKeys) -> None:
        """Sort by `sortField` and `sortDirection`, where they are given, in place."""
        field, direction = self.query.get("sortField"), self.query.get("sortDirection")
        if field is None and direction is None:
            return
        if field is None or direction is None:
            missing = "sortField" if field is None else "sortDirection"
            raise Refused(400, f"{missing} is required", missing)
        if field not in keys or direction not in ("asc", "desc"):
            raise Refused(400, "unknown sort", "sortField")
        try:  # most lists hold plain numbers of seconds, and a large one is sorted for each of its pages
            listed.sort(key=TIMES[field], reverse=direction == "desc")
        except (KeyError, TypeError):
            listed.sort(key=keys[field], reverse=direction == "desc")

    def paged(self, items: Sequence[T], render: Callable[[T], Row], default_size: int) -> Row:
        """The page that the query asks for; guests come all at once."""
        if self.path == "/guests":
            return {"data": [render(item) for item in items]}
        size, number = self._positive("pageSize", default_size), self._positive("pageNumber", 1)
        data = [render(item) for item in items[(number - 1) * size : number * size]]
        if self.path == "/events":
            return {"data": data}
        pages = -(-len(items) // size)
        return {"pagination": {"currentPage": number, "pageCount": pages, "totalCount": len(items)}, "data": data}

    def _positive(self, name: str, default: int) -> int:
        text = self.query.get(name, str(default))
        if not text.isdecimal() or int(text) < 1:
            raise Refused(400, f"{name} must be a number, 1 or more", name)
        return int(text)


def answer(ask: Ask) -> Row:
    """The body of a 200; Refused for any other status."""
    found = ENDPOINTS.get(ask.path)
    if found is not None:
        return found(ask)
    one = re.fullmatch(r"/environments/([^/]+)", ask.path)
    if one:
        ask.check_environment(one[1])
        return {"data": rows.environment(ask.world, ask.world.environments[one[1]])}
    raise Refused(404, "Not found")


def template(path: str) -> str:
    """The path with ids replaced: `/environments/{id}`."""
    return re.sub(r"/[a-z0-9]+_[a-z]+_[^/]+", "/{id}", path)


def environments(ask: Ask) -> Row:
    return ask.paged(list(ask.world.environments.values()), lambda e: rows.environment(ask.world, e), 10)


def account(ask: Ask) -> Row:
    return {"data": rows.account(ask.world)}


def spaces(ask: Ask) -> Row:
    environment_id = ask.environment()
    found = ask.visible(ask.world.spaces.values())
    if environment_id is not None:
        found = ask.world.spaces_of[environment_id].values()
    text, namespace = ask.query.get("search", "").lower(), ask.query.get("namespace")
    app = ask.query.get("app", ask.query.get("appId"))
    listed = [
        s
        for s in ask.unarchived(found)
        if text in s.name.lower() and namespace in (None, s.namespace) and app in (None, s.app_id)
    ]
    ask.sort(listed, SPACE_SORT)
    return ask.paged(listed, lambda s: rows.space(ask.world, s), 10)


def agents(ask: Ask) -> Row:
    environment_id = ask.environment(required=True)
    system, text = ask.flag("isSystem"), ask.query.get("search", "").lower()

    def fits(item: Agent) -> bool:
        return system in (None, item.is_system) and text in f"{item.id} {item.slug or ''}".lower()

    listed = [a for a in ask.world.agents_of[environment_id or ""].values() if fits(a)]
    return ask.paged(listed, lambda a: rows.agent(ask.world, a), 20)


def executions(ask: Ask) -> Row:
    environment_id = ask.environment(required=True)
    agent_id, space_id = ask.query.get("agentId"), ask.query.get("spaceId")
    success = ask.flag("success")
    listed = [
        e
        for e in ask.world.executions_of[environment_id or ""]
        if e.completed_at <= ask.now
        and agent_id in (None, e.agent_id)
        and space_id in (None, e.space_id)
        and success in (None, e.success)
    ]
    listed.reverse()
    return ask.paged(listed, rows.execution, 20)


def users(ask: Ask) -> Row:
    email, text = ask.query.get("email"), ask.query.get("search", "").lower()
    listed = [u for u in ask.world.users.values() if email in (None, u.email) and text in f"{u.name} {u.email}".lower()]
    ask.sort(listed, USER_SORT)
    return ask.paged(listed, lambda u: rows.user(ask.world, u), 20)


def guests(ask: Ask) -> Row:
    space_id, email = ask.query.get("spaceId"), ask.query.get("email")
    if space_id is None:
        raise Refused(400, "spaceId is required", "spaceId")
    if space_id not in ask.world.spaces:
        raise Refused(404, f"Space {space_id} not found", space_id)
    ask.check_environment(ask.world.spaces[space_id].environment_id)
    listed = [g for g in ask.world.guests_in[space_id].values() if email in (None, g.email)]
    return ask.paged(listed, rows.guest, 20)


def events(ask: Ask) -> Row:
    environment_id = ask.environment()
    timeline = ask.world.events if environment_id is None else ask.world.events_of[environment_id]
    space_id, domain, topic = (ask.query.get(name) for name in ("spaceId", "domain", "topic"))
    acknowledged = ask.flag("includeAcknowledged")

    def fits(item: Event) -> bool:
        return (
            item.visible_at <= ask.now
            and space_id in (None, item.space_id)
            and domain in (None, item.domain)
            and topic in (None, item.topic)
            and (acknowledged or item.acknowledged_at is None or item.acknowledged_at > ask.now)
        )

    listed = [e for e in ask.visible(timeline.since(ask.since())) if fits(e)]
    ask.order(listed, "desc")
    return ask.paged(listed, lambda e: rows.event(ask.world, e, ask.now), 10)


def jobs(ask: Ask) -> Row:
    environment_id, space_id = ask.environment(), ask.query.get("spaceId")
    if environment_id is None:
        found = sorted(ask.visible(ask.world.jobs.values()), key=lambda j: j.created_at)
    else:
        found = list(ask.world.jobs_of[environment_id])
    listed = [j for j in found if space_id in (None, j.space_id)]
    ask.order(listed, ask.query.get("sortDirection", "desc"))
    return ask.paged(listed, rows.job, 20)


ENDPOINTS: dict[str, Callable[[Ask], Row]] = {
    "/accounts/current": account,
    "/environments": environments,
    "/spaces": spaces,
    "/agents": agents,
    "/agents/executions": executions,
    "/users": users,
    "/guests": guests,
    "/events": events,
    "/jobs": jobs,
}
