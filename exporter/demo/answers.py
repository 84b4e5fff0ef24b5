"""The endpoints: what each GET answers, from the account and the switches. No network here."""

import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, TypeVar

from exporter.demo import rows
from exporter.demo.paging import Refused, page_of
from exporter.demo.records import Agent, Event, Space
from exporter.demo.rows import Row
from exporter.demo.switches import ABSENT, Switches
from exporter.demo.world import World

T = TypeVar("T")
# GETs that reveal or mint secrets, or change state: a client of this API that only reads must never send them.
FORBIDDEN_GETS = re.compile(
    r"/agents/[^/]+/versions/[^/]+/revert|/guests/[^/]+/token|/auth/api-keys|/auth/publishable-key"
    r"|/auth/sftp-credentials|/subscription|/environments/subscription-token|/spaces/[^/]+/subscription|/secrets"
)
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


@dataclass(frozen=True)
class Ask:
    """One GET: its path below the prefix, its query, and what it is put to. `now`: unix seconds."""

    world: World
    switches: Switches
    path: str
    query: Mapping[str, str]
    now: float

    def flag(self, name: str) -> bool | None:
        """A boolean parameter; None where it is not given, Refused (400) where it is neither."""
        text = self.query.get(name)
        if text not in (None, "true", "false"):
            raise Refused(400, f"{name} must be true or false", name)
        return None if text is None else text == "true"


def answer(ask: Ask) -> Row:
    """The body of a 200; Refused for any other status."""
    found = ENDPOINTS.get(ask.path)
    if found is not None:
        refusal = ask.switches.account_wide_refusal.get(ask.path)
        if refusal is not None and not {"environmentId", "spaceId"} & ask.query.keys():
            raise Refused(refusal, "one environment or space must be named")
        return found(ask)
    one = re.fullmatch(r"/environments/([^/]+)", ask.path)
    if one:
        check_environment(ask, one[1])
        return {"data": rows.environment(ask.world, ask.world.environments[one[1]])}
    if FORBIDDEN_GETS.fullmatch(ask.path):
        raise Refused(403, "Forbidden")
    raise Refused(404, "Not found")


def template(path: str) -> str:
    """The path with ids replaced: `/environments/{id}`."""
    return re.sub(r"/[a-z0-9]+_[a-z]+_[^/]+", "/{id}", path)


def check_environment(ask: Ask, environment_id: str) -> None:
    """Refused (403 or 404) where this environment does not answer here."""
    if _is_refused(ask, environment_id):
        raise Refused(403, "Forbidden", environment_id)
    if environment_id not in ask.world.environments or environment_id in ask.switches.vanished:
        raise Refused(404, f"Environment {environment_id} not found", environment_id)


def environments(ask: Ask) -> Row:
    return _list(ask, list(ask.world.environments.values()), lambda e: rows.environment(ask.world, e), 10)


def account(ask: Ask) -> Row:
    return {"data": rows.account(ask.world)}


def spaces(ask: Ask) -> Row:
    environment_id = _environment(ask)
    found: Iterable[Space] = _seen(ask, ask.world.spaces.values())
    if environment_id is not None:
        found = ask.world.spaces_of[environment_id].values()
    reading, wanted = ask.switches.archived, ask.flag("archived")
    if wanted and reading == "only":
        found = (s for s in found if s.archived_at is not None)
    elif ask.switches.archived_hidden and not (wanted and reading == "also"):
        found = (s for s in found if s.archived_at is None)
    text, namespace = ask.query.get("search"), ask.query.get("namespace")
    app = ask.query.get("app", ask.query.get("appId"))
    if text is not None:
        found = (s for s in found if text.lower() in s.name.lower())
    if namespace is not None:
        found = (s for s in found if s.namespace == namespace)
    if app is not None:
        found = (s for s in found if s.app_id == app)
    listed = list(found)
    if "sortField" in ask.query and not ask.switches.space_sort_taken:
        raise Refused(400, "unknown parameter", "sortField")
    _sort(ask, listed, SPACE_SORT)
    plain = ask.switches.plain_dates
    return _list(ask, listed, lambda s: rows.space(ask.world, s, plain_dates=plain), 10)


def agents(ask: Ask) -> Row:
    environment_id = _environment(ask, required=True)
    wanted = ask.flag("isSystem")
    if wanted is None or not ask.switches.is_system_honoured:
        wanted = None if ask.switches.system_agents_listed else False
    text = ask.query.get("search", "").lower()

    def fits(item: Agent) -> bool:
        return wanted in (None, item.is_system) and text in f"{item.id} {item.slug or ''}".lower()

    listed = [a for a in ask.world.agents_of[environment_id or ""].values() if fits(a)]
    size = ask.switches.source_bytes
    return _list(ask, listed, lambda a: rows.agent(ask.world, a, source_bytes=size), 20)


def executions(ask: Ask) -> Row:
    environment_id = _environment(ask, required=True)
    agent_id = ask.query.get("agentId") if ask.switches.agent_id_honoured else None
    space_id, success = ask.query.get("spaceId"), ask.flag("success")
    listed = [
        e
        for e in ask.world.executions_of[environment_id or ""]
        if e.completed_at <= ask.now
        and agent_id in (None, e.agent_id)
        and space_id in (None, e.space_id)
        and success in (None, e.success)
    ]
    listed.reverse()
    return _list(ask, listed, rows.execution, 20)


def users(ask: Ask) -> Row:
    email, text = ask.query.get("email"), ask.query.get("search", "").lower()
    listed = [u for u in ask.world.users.values() if email in (None, u.email) and text in f"{u.name} {u.email}".lower()]
    _sort(ask, listed, USER_SORT)
    return _list(ask, listed, lambda u: rows.user(ask.world, u), 20)


def guests(ask: Ask) -> Row:
    space_id, email = ask.query.get("spaceId"), ask.query.get("email")
    reading = ask.switches.guests_without_space
    if space_id is None:
        if reading == "refused":
            raise Refused(400, "spaceId is required", "spaceId")
        listed = [] if reading == "empty" else list(_seen(ask, ask.world.guests.values()))
    elif space_id not in ask.world.spaces:
        raise Refused(404, f"Space {space_id} not found", space_id)
    else:
        check_environment(ask, ask.world.spaces[space_id].environment_id)
        listed = list(ask.world.guests_in[space_id].values())

    def named(spaces: Iterable[str]) -> list[str]:
        if space_id is None or ask.switches.guest_spaces == "all":
            return list(spaces)
        return [space_id] if ask.switches.guest_spaces == "asked" else []

    listed = [g for g in listed if email in (None, g.email)]
    return _list(ask, listed, lambda g: rows.guest(g, named(g.spaces)), 20)


def events(ask: Ask) -> Row:
    environment_id = _environment(ask)
    timeline = ask.world.events if environment_id is None else ask.world.events_of[environment_id]
    start = _since(ask)
    exclusive = ask.switches.since == "exclusive" and "since" in ask.query
    space_id, domain, topic = (ask.query.get(name) for name in ("spaceId", "domain", "topic"))
    hides = ask.switches.acknowledged_hidden and not ask.flag("includeAcknowledged")

    def fits(item: Event) -> bool:
        return (
            item.visible_at <= ask.now
            and (not exclusive or item.created_at > start)
            and space_id in (None, item.space_id)
            and domain in (None, item.domain)
            and topic in (None, item.topic)
            and not (hides and item.acknowledged_at is not None and item.acknowledged_at <= ask.now)
        )

    listed = [e for e in _seen(ask, timeline.since(start)) if fits(e)]
    _order(ask, listed, ask.switches.event_order)
    return _list(ask, listed, lambda e: rows.event(ask.world, e, ask.now), 10)


def jobs(ask: Ask) -> Row:
    environment_id, space_id = _environment(ask), ask.query.get("spaceId")
    if environment_id is None:
        found = sorted(_seen(ask, ask.world.jobs.values()), key=lambda j: j.created_at)
    else:
        found = list(ask.world.jobs_of[environment_id])
    listed = [j for j in found if space_id in (None, j.space_id)]
    honoured = ask.switches.job_order == "honoured"
    _order(ask, listed, ask.query.get("sortDirection", "desc") if honoured else ask.switches.job_order)
    return _list(ask, listed, rows.job, 20)


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


def _list(ask: Ask, items: Sequence[T], render: Callable[[T], Row], default_size: int) -> Row:
    page = page_of(ask.path, ask.query, ask.switches, total=len(items), default=default_size)
    data = [render(item) for item in page.cut(items)]
    replaced = ask.switches.fields.get(ask.path)
    if replaced:
        only = ask.switches.fields_in_row
        data = [_replace(row, replaced) if only in (None, i) else row for i, row in enumerate(data)]
    body: Row = {"data": data}
    pagination = page.pagination(ask.switches.pagination)
    return body if pagination is None else {"pagination": pagination, **body}


def _replace(row: Row, replaced: Mapping[str, object]) -> Row:
    return {k: v for k, v in {**row, **replaced}.items() if v is not ABSENT}


def _environment(ask: Ask, *, required: bool = False) -> str | None:
    """The environment that the query filters by, where it does; Refused where it may not."""
    environment_id = ask.query.get("environmentId")
    if environment_id is None:
        if required:
            raise Refused(400, "environmentId is required", "environmentId")
        return None
    check_environment(ask, environment_id)
    return environment_id if required or ask.path not in ask.switches.environment_ignored else None


def _is_refused(ask: Ask, environment_id: str) -> bool:
    refused = ask.switches.forbidden
    return (ask.path, environment_id) in refused or ("*", environment_id) in refused


def _seen(ask: Ask, items: Iterable[Any]) -> Iterable[Any]:
    """The items of environments that answer here."""
    if not ask.switches.forbidden and not ask.switches.vanished:
        return items
    gone = ask.switches.vanished | {e for e in ask.world.environments if _is_refused(ask, e)}
    return (item for item in items if item.environment_id not in gone)


def _since(ask: Ask) -> float:
    text = ask.query.get("since")
    if text is None:
        return float("-inf")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(400, "since must be a date-time", "since") from None
    start = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if ask.switches.since == "ignored":
        return float("-inf")
    return start - start % 86400 if ask.switches.since == "day" else start


def _order(ask: Ask, listed: list[Any], order: str) -> None:
    """Put a list that is oldest first into the order asked for, in place."""
    if order == "desc":
        listed.reverse()
    elif order == "shuffled":
        asked = sorted((k, v) for k, v in ask.query.items() if k != "pageNumber")
        random.Random(repr((ask.path, asked))).shuffle(listed)  # noqa: S311


def _sort(ask: Ask, listed: list[Any], keys: Mapping[str, Callable[[Any], Any]]) -> None:
    field, direction = ask.query.get("sortField"), ask.query.get("sortDirection")
    if field is None and direction is None:
        return
    if field is None or direction is None:
        missing = "sortField" if field is None else "sortDirection"
        raise Refused(400, f"{missing} is required", missing)
    if field not in keys or direction not in ("asc", "desc"):
        raise Refused(400, "unknown sort", "sortField")
    if ask.path in ask.switches.sort_ignored:
        return
    try:  # most lists hold plain numbers of seconds, and a large one is sorted for each of its pages
        listed.sort(key=TIMES[field], reverse=direction == "desc")
    except (KeyError, TypeError):
        listed.sort(key=keys[field], reverse=direction == "desc")
    if direction == "desc" and ask.switches.nulls_first:
        listed.sort(key=lambda item: bool(keys[field](item)))
