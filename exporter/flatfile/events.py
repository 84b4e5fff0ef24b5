"""Events, as the exporter counts them."""

from dataclasses import dataclass

from exporter.flatfile import models, times
from exporter.flatfile.texts import MAX_ID, cut

SLACK = 2.0  # seconds by which the server's time may be misjudged


@dataclass(frozen=True, slots=True)
class EventRecord:
    """The fields of an event that the exporter counts by; `at` is its `createdAt` in unix seconds."""

    id: str
    at: float
    topic: str
    environment_id: str | None
    space_id: str | None
    actor_id: str | None


def event_record(row: models.Event) -> EventRecord | None:
    """Read an event. `None` where its time cannot be read."""
    at = times.unix(row.created_at)
    if at is None:
        return None
    context = row.context or models.EventContext()
    topic = cut(row.topic or row.type or "unknown")
    ids = (id_ and id_[:MAX_ID] for id_ in (context.environment_id, context.space_id, context.actor_id))
    return EventRecord(row.id, at, topic, *ids)
