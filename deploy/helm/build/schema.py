"""The part of the values' JSON schema that says what the exporter's configuration may hold, from the exporter's own keys."""

import json
import re
from collections.abc import Iterable
from typing import Any

from deploy.helm.build.places import CHART
from exporter.config import values
from exporter.config.schema import Entry, Key, Kind
from exporter.config.types import ACCOUNT, SHARED
from grafana.alerts import build as rules

FILE = CHART / "values.schema.json"
GIVEN_OTHERWISE = ("name", "auth")
"""Keys of an account that the chart writes itself."""

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string", "minLength": 1}
_DURATION: Schema = {"anyOf": [{"const": 0}, {"type": "string", "pattern": "^(0|([0-9]+(ms|[wdhms]))+)$"}]}
_KINDS: dict[Kind[Any], Schema] = {
    values.TEXT: _TEXT,
    values.CLIENT_ID: _TEXT,
    values.SECRET: _TEXT,
    values.TOKEN: _TEXT,
    values.FILE: _TEXT,
    values.URL: _TEXT,
    values.PROXY: _TEXT,
    values.DURATION: _DURATION,
    values.SIZE: {"type": ["string", "integer"]},
    values.INTEGER: {"type": "integer"},
    values.NUMBER: {"type": "number"},
    values.BOOLEAN: {"type": "boolean"},
}


def definitions() -> dict[str, Schema]:
    """The two definitions: of `config`, and of an account's `config`."""
    own = [entry for entry in ACCOUNT if entry.name not in GIVEN_OTHERWISE]
    return {"config": _mapping(SHARED), "accountConfig": _mapping(own)}


def render(text: str) -> str:
    """The schema file with these definitions instead of those that it has."""
    whole = json.loads(text)
    whole["definitions"] |= definitions() | {"ruleSettings": _rule_settings()}
    return json.dumps(whole, indent=2) + "\n"


def _rule_settings() -> Schema:
    """The settings of the alert rules: each of the default's type."""

    def types(value: object) -> list[str]:
        return ["number", "string"] if re.fullmatch(r"[0-9.]+", str(value)) else ["string"]

    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {name: {"type": types(value)} for name, value in rules.settings().items()},
    }


def write() -> None:
    FILE.write_text(render(FILE.read_text(encoding="utf-8")), encoding="utf-8")


def _mapping(entries: Iterable[Entry]) -> Schema:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [entry.name for entry in entries if entry.required],
        "properties": {entry.name: _entry(entry) for entry in entries},
    }


def _entry(entry: Entry) -> Schema:
    if isinstance(entry, Key):
        return {"description": entry.meaning} | _key(entry)
    mapping = _mapping(entry.children)
    inner = {"type": "array", "items": mapping} if entry.many else mapping
    return {"description": entry.meaning} | inner


def _key(key: Key) -> Schema:
    item = key.kind.item
    found = dict(_KINDS[key.kind]) if item is None else {"type": "array", "items": _KINDS[item]}
    if key.nonempty:
        found["minItems"] = 1
    if key.kind in (values.INTEGER, values.NUMBER):
        bounds = {"minimum": key.minimum, "maximum": key.maximum, "exclusiveMinimum": key.above}
        found |= {name: int(bound) for name, bound in bounds.items() if bound is not None}
    if key.default == "null":
        return {"anyOf": [found, {"type": "null"}]}
    return found
