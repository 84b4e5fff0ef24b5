"""What the audit log reads of the API: wider than what the metrics need, and still only what a line shows.

Names and e-mail addresses are here and in the lines, nowhere else in the exporter. A payload is read only with --payload, as
bytes that are not looked into.
"""

import msgspec

from exporter.flatfile import models
from exporter.flatfile.models import Model


class EventContext(models.EventContext, frozen=True):
    """Where an event happened, what it is about and who caused it. `agentId` is in no definition, but in agents' events."""

    app_id: str | None = None
    workbook_id: str | None = None
    sheet_id: str | None = None
    job_id: str | None = None
    file_id: str | None = None
    agent_id: str | None = None


class Event(models.Event, frozen=True):
    """An event."""

    domain: str | None = None
    context: EventContext | None = None


class EventWithPayload(Event, frozen=True):
    """An event with its payload: customers' data, in any shape."""

    payload: msgspec.Raw = msgspec.Raw(b"null")


class Named(Model, frozen=True):
    """A space, a user, a guest or an agent (which has a `slug`)."""

    id: str
    name: str | None = None
    slug: str | None = None
    email: str | None = None
