"""Whatever an answer holds, no exception leaves a collector, the page can be read, and all is well again afterwards.

Real answers are changed at random: in their structure (values, keys, rows) or in their bytes.
"""

import asyncio
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.api import Reply
from exporter.demo.rows import Row
from exporter.exposition.text import Format
from exporter.flatfile.endpoints import Endpoint
from tests.collectors.exported import Exported, Time
from tests.examples import examples
from tests.exposition.rendered import render
from tests.simulator.faults import Deformed, OnWire
from tests.simulator.wire import Wire
from tests.simulator.worlds import fixed_world

PATHS = sorted(endpoint.path for endpoint in Endpoint if endpoint is not Endpoint.AUTH)
EAGER = "requests: {per_second: 10000, retries: 1, max_pages: 30}\nspaces: {per_space: true}\ncollectors:\n" + "".join(
    f"  {name}: {{interval: 0s}}\n"
    for name in ("environments", "spaces", "agents", "executions", "users", "guests", "jobs")
)
WEIRD: list[Any] = [
    *(None, True, False, 0, -1, 1.5, 2**53, 2**63, 2**64, 10**400, 1e308, -0.0),
    *("", " ", "0", "-1", "null", "1e999", "NaN", '"\\\n', "\x00", "\u202e", "\ud83d\ude00", "x" * 5000, "a\tb"),
    *("2025-13-45T99:99:99Z", "0000-00-00", "9999-12-31T23:59:59.999Z", "1969-12-31", "2025-11-20", "2025-11-20T25:00"),
    *("us_", "us_env_", "us_evt_x", "__proto__", "../..", "*", "%s%n"),
    *([], {}, [[]], [{}], {"id": {}}, {"data": []}, [None], {"": ""}),
]
values = st.one_of(
    st.sampled_from(WEIRD),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=6,
    ),
)


@dataclass(frozen=True)
class Change:
    """One thing to do to one place of a body, found by counting; `value` is what some of them need."""

    what: str
    place: int
    other: int
    value: Any

    def __call__(self, body: Any) -> Any:
        found = [*_places(body)]
        if not found:
            return self.value
        holder, key = found[self.place % len(found)]
        if self.what == "replace":
            holder[key] = copy.deepcopy(self.value)
        elif self.what == "remove":
            del holder[key]
        elif self.what == "double" and isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif self.what == "add" and isinstance(holder[key], dict):
            holder[key][str(self.value)[:50]] = copy.deepcopy(self.value)
        elif self.what == "as text":
            holder[key] = str(holder[key])
        elif self.what == "swap":
            other_holder, other_key = found[self.other % len(found)]
            mine, theirs = copy.deepcopy(holder[key]), copy.deepcopy(other_holder[other_key])
            holder[key] = theirs
            if not isinstance(mine, dict | list):  # else the other one may be within it
                other_holder[other_key] = mine
        return body


changes = st.builds(
    Change,
    st.sampled_from(["replace", "remove", "double", "add", "as text", "swap"]),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
    values,
)


def _places(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a body that can be changed: what holds it, and where."""
    keys: Any = body.keys() if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
    for key in list(keys):
        yield body, key
        yield from _places(body[key])


@dataclass(frozen=True)
class Mutated(Deformed):
    """The right answer with some changes."""

    changes: tuple[Change, ...]

    def deformed(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        changed: Any = copy.deepcopy(body)
        for change in self.changes:
            changed = change(changed)
        return changed


@dataclass(frozen=True)
class Garbled(OnWire):
    """The right answer with some bytes replaced, and maybe a part cut out."""

    bytes_: tuple[tuple[int, int], ...]
    cut: tuple[int, int]

    async def send(self, wire: Wire, reply: Reply) -> None:
        body = bytearray(reply.body)
        for at, byte in self.bytes_:
            if body:
                body[at % len(body)] = byte
        start, length = self.cut
        if body:
            del body[start % len(body) : start % len(body) + length]
        changed = replace(reply, body=bytes(body))
        await wire.send(changed.head(close=True) + changed.body)


faults = st.one_of(
    st.builds(Mutated, st.lists(changes, min_size=1, max_size=4).map(tuple)),
    st.builds(
        Garbled,
        st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 255)), max_size=4).map(tuple),
        st.tuples(st.integers(0, 100_000), st.integers(0, 30)),
    ),
)


async def readable(exported: Exported) -> None:
    """Both formats of the page can be read back, and hold as many samples as were given."""
    families = [*await exported.account.page.families()]
    text, openmetrics = (render(families, fmt) for fmt in (Format.TEXT_0_0_4, Format.OPENMETRICS_1_0))
    assert text.dropped == openmetrics.dropped == 0
    one = sum(len(family.samples) for family in parse_text(text.body.decode()))
    other = sum(len(family.samples) for family in parse_openmetrics(openmetrics.body.decode()))
    assert one == other > 0


@examples(10)
@given(before=st.booleans(), struck=st.lists(st.tuples(st.sampled_from([*PATHS, "*"]), faults), min_size=1, max_size=3))
def test_answers_changed_at_random(before: bool, struck: list[tuple[str, Deformed | OnWire]]) -> None:
    async def story() -> None:
        time = Time()
        async with Exported(fixed_world(time), time, more=EAGER) as exported:
            if before:
                page = await exported.scrape()
                assert not page.errors()
            for path, fault in struck:
                exported.api.faults.add(path, fault)
            for _ in range(2):
                page = await exported.later(1)
                await readable(exported)
                internal = [collector for collector, reason in page.errors() if reason == "internal"]
                assert not internal, struck
            exported.api.faults.clear()
            page = await exported.later(400)
            page = await exported.later(400)
            await readable(exported)
            unwell = [name for (name,), success in page["exporter_collector_success"].items() if not success]
            assert not unwell, struck

    asyncio.run(story())
