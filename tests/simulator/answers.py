"""What each GET answers under the readings of `Switches`."""

import math
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from exporter.demo import answers, rows
from exporter.demo.answers import Refused, SortKeys
from exporter.demo.records import Space
from exporter.demo.rows import Row
from exporter.demo.world import World
from tests.simulator.paging import page_of
from tests.simulator.switches import ABSENT, Switches

T = TypeVar("T")
# GETs that reveal or mint secrets, or change state: a client of this API that only reads must never send them.
FORBIDDEN_GETS = re.compile(
    r"/agents/[^/]+/versions/[^/]+/revert|/guests/[^/]+/token|/auth/api-keys|/auth/publishable-key"
    r"|/auth/sftp-credentials|/subscription|/environments/subscription-token|/spaces/[^/]+/subscription|/secrets"
)


@dataclass(frozen=True)
class Ask(answers.Ask):
    """One GET, read as the switches say."""

    switches: Switches

    def flag(self, name: str) -> bool | None:
        given = super().flag(name)
        if name == "includeAcknowledged" and not self.switches.acknowledged_hidden:
            return True
        if name == "isSystem" and (given is None or not self.switches.is_system_honoured):
            return None if self.switches.system_agents_listed else False
        return given

    def check_environment(self, environment_id: str) -> None:
        if self._is_forbidden(environment_id):
            raise Refused(403, "Forbidden", environment_id)
        if environment_id in self.switches.vanished:
            raise Refused(404, f"Environment {environment_id} not found", environment_id)
        super().check_environment(environment_id)

    def environment(self, *, required: bool = False) -> str | None:
        found = super().environment(required=required)
        return found if required or self.path not in self.switches.environment_ignored else None

    def visible(self, items: Iterable[Any]) -> Iterable[Any]:
        if not self.switches.forbidden and not self.switches.vanished:
            return items
        gone = self.switches.vanished | {e for e in self.world.environments if self._is_forbidden(e)}
        return (item for item in items if item.environment_id not in gone)

    def unarchived(self, spaces: Iterable[Space]) -> Iterable[Space]:
        reading, wanted = self.switches.archived, self.flag("archived")
        if wanted and reading == "only":
            return (s for s in spaces if s.archived_at is not None)
        if self.switches.archived_hidden and not (wanted and reading == "also"):
            return (s for s in spaces if s.archived_at is None)
        return spaces

    def since(self) -> float:
        start = super().since()
        if self.switches.since == "exclusive":
            return math.nextafter(start, math.inf) if math.isfinite(start) else start
        if self.switches.since == "ignored":
            return -math.inf
        return start - start % 86400 if self.switches.since == "day" and math.isfinite(start) else start

    def order(self, listed: list[Any], direction: str) -> None:
        if self.path == "/events":
            direction = self.switches.event_order
        elif self.switches.job_order != "honoured":
            direction = self.switches.job_order
        if direction == "shuffled":
            asked = sorted((k, v) for k, v in self.query.items() if k != "pageNumber")
            random.Random(repr((self.path, asked))).shuffle(listed)
        else:
            super().order(listed, direction)

    def sort(self, listed: list[Any], keys: SortKeys) -> None:
        field, direction = self.query.get("sortField"), self.query.get("sortDirection")
        if field is not None and self.path == "/spaces" and not self.switches.space_sort_taken:
            raise Refused(400, "unknown parameter", "sortField")
        ignored = self.path in self.switches.sort_ignored
        super().sort([] if ignored else listed, keys)
        if field is not None and direction == "desc" and self.switches.nulls_first and not ignored:
            listed.sort(key=lambda item: bool(keys[field](item)))

    def paged(self, items: Sequence[T], render: Callable[[T], Row], default_size: int) -> Row:
        page = page_of(self.path, self.query, self.switches, total=len(items), default=default_size)
        data = [self._row(i, render(item)) for i, item in enumerate(page.cut(items))]
        pagination = page.pagination(self.switches.pagination)
        return {"data": data} if pagination is None else {"pagination": pagination, "data": data}

    def _row(self, index: int, row: Row) -> Row:
        switches = self.switches
        if self.path == "/spaces" and switches.plain_dates and (row["lastActivityAt"] or "").endswith("Z"):
            row["lastActivityAt"] = row["lastActivityAt"][:10]
        if self.path == "/agents":
            row["source"] = source(row["source"], switches.source_bytes)
        if self.path == "/guests" and "spaceId" in self.query and switches.guest_spaces != "all":
            asked = self.query["spaceId"] if switches.guest_spaces == "asked" else None
            row["spaces"] = [space for space in row["spaces"] if space["id"] == asked]
        replaced = switches.fields.get(self.path)
        if not replaced or switches.fields_in_row not in (None, index):
            return row
        return {k: v for k, v in {**row, **replaced}.items() if v is not ABSENT}

    def _is_forbidden(self, environment_id: str) -> bool:
        refused = self.switches.forbidden
        return (self.path, environment_id) in refused or ("*", environment_id) in refused


def ask_of(world: World, switches: Switches, path: str, query: Mapping[str, str], now: float) -> Ask:
    """Return what a GET asks, without a parameter that the server ignores."""
    ignored = set() if switches.agent_id_honoured else {"agentId"}
    return Ask(world, path, {k: v for k, v in query.items() if k not in ignored}, now, switches)


def answer(ask: Ask) -> Row:
    """The body of a 200; Refused for any other status."""
    if FORBIDDEN_GETS.fullmatch(ask.path):
        raise Refused(403, "Forbidden")
    refusal = ask.switches.account_wide_refusal.get(ask.path)
    if refusal is not None and not {"environmentId", "spaceId"} & ask.query.keys():
        raise Refused(refusal, "one environment or space must be named")
    if ask.path == "/guests":
        return _guests(ask)
    return answers.answer(ask)


def _guests(ask: Ask) -> Row:
    space_id, email, reading = ask.query.get("spaceId"), ask.query.get("email"), ask.switches.guests_without_space
    if space_id is None and reading != "refused":
        listed = [] if reading == "empty" else list(ask.visible(ask.world.guests.values()))
        return ask.paged([g for g in listed if email in (None, g.email)], rows.guest, 20)
    return answers.answer(ask)


def source(text: str, size: int) -> str:
    """A program of `size` bytes that begins with `text`."""
    return f"{text}// {'x' * (size - len(text) - 3)}"[:size]
