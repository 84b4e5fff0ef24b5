"""What is read of an event."""

from exporter.flatfile import models
from exporter.flatfile.events import EventRecord, event_record
from exporter.flatfile.models import EventContext
from exporter.flatfile.times import iso

START = 1_763_628_900.0


def test_reading_an_event() -> None:
    context = EventContext(environment_id="us_env_1", space_id="us_sp_1", actor_id="us_g_1")
    row = models.Event(id="e", topic="a:b", type="c:d", created_at=iso(START), context=context)
    assert event_record(row) == EventRecord("e", START, "a:b", "us_env_1", "us_sp_1", "us_g_1")


def test_an_event_by_type() -> None:
    row = models.Event(id="e", type="c:d", created_at=iso(START))
    assert event_record(row) == EventRecord("e", START, "c:d", None, None, None)


def test_an_event_without_anything() -> None:
    assert event_record(models.Event(id="e")) is None
    assert event_record(models.Event(id="e", created_at="soon")) is None
    assert event_record(models.Event(id="e", created_at=iso(START))) == EventRecord(
        "e", START, "unknown", None, None, None
    )
