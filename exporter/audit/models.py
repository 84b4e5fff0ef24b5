"""What the audit log reads of the API: wider than what the metrics need, and still only what a line shows.

Names and e-mail addresses live here and in the lines, nowhere else in the exporter. A payload is read only where it is
asked for, as bytes that nobody looks into.
"""

import msgspec

from exporter.flatfile import models
from exporter.flatfile.models import Model


class EventContext(models.EventContext, frozen=True):
    """Where an event happened, what it is about and who caused it. `agentId` is in no definition, but in agents' events."""

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
    """An event with what it carries: customers' data, in any shape."""

    payload: msgspec.Raw = msgspec.Raw(b"null")


class Person(Model, frozen=True):
    """A user or a guest."""

    id: str
    name: str | None = None
    email: str | None = None


class NamedSpace(Model, frozen=True):
    """A space."""

    id: str
    name: str | None = None
