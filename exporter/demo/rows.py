"""Records -> rows as they stand on the wire. Field names and nulls as in the API's published definitions.

Every secret or personal value holds one of `markers.MARKERS`.
"""

import re
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from exporter.demo.markers import PERSONAL, SECRET
from exporter.demo.records import Agent, Environment, Event, Execution, Guest, Job, Moment, Space, User
from exporter.demo.world import World

Row = dict[str, Any]
SOURCE = f'const key = "{SECRET}in-source"; module.exports = {{ key }};\n'


def iso(moment: Moment) -> str | None:
    """`2025-11-20T08:55:12.412Z`; a text or None stays what it is."""
    if moment is None or isinstance(moment, str):
        return moment
    return datetime.fromtimestamp(round(moment, 3), UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


_ON_THE_WIRE = {
    kind: [(f.name, re.sub("_(.)", lambda match: match[1].upper(), f.name)) for f in fields(kind)]
    for kind in (Environment, Agent, User, Guest, Job)
}
"""By kind of record: its fields, and their names on the wire, such as `createdAt` for `created_at`."""


def _fields(item: Environment | Agent | User | Guest | Job) -> Row:
    """The fields of a record that are on the wire as they are."""
    values = {wire: getattr(item, name) for name, wire in _ON_THE_WIRE[type(item)]}
    return {
        wire: iso(value) if wire.endswith("At") else list(value) if isinstance(value, tuple) else value
        for wire, value in values.items()
    }


def account(world: World) -> Row:
    return {
        "id": world.account_id,
        "name": world.name,
        "subdomain": "acme",
        "metadata": {"note": f"{SECRET}account-metadata"},
        "createdAt": iso(world.created_at),
        "updatedAt": iso(world.created_at),
        "customFromEmail": f"{PERSONAL}from@team.test",
        "stripeCustomerId": f"{SECRET}billing",
        "dashboard": 2,
    }


def environment(world: World, item: Environment) -> Row:
    return _fields(item) | {
        "accountId": world.account_id,
        "features": {},
        "metadata": {"note": f"{SECRET}environment-metadata"},
        "translationsPath": None,
    }


def space(world: World, item: Space) -> Row:
    user = world.users.get(item.created_by or "")
    return {
        "id": item.id,
        "name": item.name,
        "environmentId": item.environment_id,
        "createdAt": iso(item.created_at),
        "updatedAt": iso(item.updated_at),
        "lastActivityAt": iso(item.last_activity_at),
        "workbooksCount": item.workbooks,
        "filesCount": item.files,
        "createdByUserId": item.created_by,
        "createdByUserName": user.name if user else None,
        "guestAuthentication": ["magic_link"],
        "namespace": item.namespace,
        "appId": item.app_id,
        "labels": [],
        "archivedAt": iso(item.archived_at),
        "expiredAt": iso(item.expired_at),
        "metadata": {"note": f"{SECRET}space-metadata"},
        "accessToken": f"{SECRET}space-token-{item.id}",
        "guestLink": f"https://platform.flatfile.com/s/space/{item.id}?token={SECRET}guest-link",
    }


def agent(world: World, item: Agent) -> Row:
    return {name: value for name, value in _fields(item).items() if value is not None} | {
        "accountId": world.account_id,
        "compiler": "js",
        "source": SOURCE,
        "sourceMap": f'{{"note":"{SECRET}source-map"}}',
    }


def execution(item: Execution) -> Row:
    milliseconds = round((item.completed_at - item.created_at) * 1000)
    return {
        "eventId": item.event_id,
        "success": item.success,
        "spaceId": item.space_id,
        "createdAt": iso(item.created_at),
        "completedAt": iso(item.completed_at),
        "duration": milliseconds,
        "requestTime": milliseconds // 3,
        "requestCount": item.requests,
        "memoryUsage": item.memory_bytes,
        "topic": item.topic,
    }


def event(world: World, item: Event, now: float) -> Row:
    context: dict[str, str] = {"accountId": world.account_id, "environmentId": item.environment_id, **item.context}
    if item.space_id is not None:
        context["spaceId"] = item.space_id
    if item.actor_id is not None:
        context["actorId"] = item.actor_id
    acknowledged = item.acknowledged_at is not None and item.acknowledged_at <= now
    row: Row = {
        "id": item.id,
        item.topic_key: item.topic,
        "domain": item.domain,
        "createdAt": iso(item.created_at),
        "payload": {"note": f"{SECRET}payload"},
        "namespaces": list(item.namespaces),
        "context": context,
        "acknowledgedAt": iso(item.acknowledged_at) if acknowledged else None,
        "acknowledgedBy": item.acknowledged_by if acknowledged else None,
        "callbackUrl": "",
        "dataUrl": f"https://platform.flatfile.com/data?signature={SECRET}data-url",
    }
    if item.deleted_at is not None:
        row["deletedAt"] = iso(item.deleted_at)
    return row


def user(world: World, item: User) -> Row:
    return _fields(item) | {
        "accountId": world.account_id,
        "idp": "FRONTEGG",
        "idpRef": "6b1f0c52-0000-4000-8000-000000000001",
        "metadata": {"note": f"{PERSONAL}user-metadata"},
        "dashboard": 2,
    }


def guest(item: Guest) -> Row:
    return _fields(item) | {"spaces": [_membership(*space) for space in item.spaces.items()]}


def _membership(space_id: str, last_accessed: Moment) -> Row:
    if last_accessed is None:
        return {"id": space_id}
    return {"id": space_id, "workbooks": [], "lastAccessed": iso(last_accessed)}


def job(item: Job) -> Row:
    return _fields(item) | {
        "trigger": "immediate",
        "managed": True,
        "outcomeAcknowledgedAt": None,
        "info": f"{SECRET}info",
        "config": {},
        "outcome": {"message": f"{SECRET}outcome"} if item.finished_at else None,
    }
