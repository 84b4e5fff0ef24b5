"""What the definitions of the API say about events: the known topics, and who caused an event."""

import re
from typing import Literal

from exporter.config.topics import KNOWN_TOPICS as KNOWN_TOPICS

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
