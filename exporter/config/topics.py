"""The topics of events that the definitions of the API name."""

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
TOPIC_FAMILIES = tuple(_BY_FAMILY)
KNOWN_TOPICS: tuple[str, ...] = tuple(f"{family}:{end}" for family, ends in _BY_FAMILY.items() for end in ends.split())
"""All topics that a definition names. New ones come with every release of the platform: an unknown topic is normal."""
