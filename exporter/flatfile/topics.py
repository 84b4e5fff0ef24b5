"""What the definitions of the API say about events: the known topics, and who caused an event."""

import re
from typing import Literal

_BY_FAMILY = {
    "agent": "created updated deleted",
    "space": "created updated deleted archived unarchived expired guestAdded guestRemoved",
    "document": "created updated deleted",
    "workbook": "created updated deleted expired thawed",
    "flag": "created updated deleted",
    "sheet": "created updated deleted counts-updated calculation-updated",
    "snapshot": "created",
    "records": "created updated deleted",
    "file": "created updated deleted expired",
    "job": "created updated deleted completed ready scheduled outcome-acknowledged parts-completed failed",
    "program": "created updated recomputing recomputed",
    "commit": "created updated completed",
    "layer": "created",
    "secret": "created updated deleted",
    "cron": "5-minutes hourly daily weekly",
    "environment": "created updated deleted autobuild-created",
    "action": "created updated deleted",
    "data-clip": "created updated deleted collaborator-updated resolutions-created resolutions-updated resolutions-refreshed",
    "canvas": "created updated deleted",
    "canvas-area": "created updated deleted",
    "thread": "created updated deleted",
}
KNOWN_TOPICS: tuple[str, ...] = tuple(f"{family}:{end}" for family, ends in _BY_FAMILY.items() for end in ends.split())
"""All topics that a definition names. New ones come with every release of the platform: an unknown topic is normal."""

GUEST_TOPICS = frozenset({"space:guestAdded", "space:guestRemoved"})

ActorType = Literal["user", "guest", "agent", "api_key", "system", "unknown"]
ACTOR_TYPES: tuple[ActorType, ...] = ("user", "guest", "agent", "api_key", "system", "unknown")

_ID = re.compile(r"[a-z0-9]+_([a-z]+)_")
_ACTORS: dict[str, ActorType] = {
    "usr": "user",
    "g": "guest",
    "ag": "agent",
    "key": "api_key",
    "acc": "system",
    "jb": "system",
}


def actor_type(actor_id: str | None) -> ActorType:
    """Tell who caused an event by the kind in the middle of the id; no actor is the platform itself."""
    if not actor_id:
        return "system"
    match = _ID.match(actor_id)
    return _ACTORS.get(match[1], "unknown") if match else "unknown"
