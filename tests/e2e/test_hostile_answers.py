"""Answers that are far too large or come in odd ways: scrapes are in time, memory is bounded, and the values right afterwards."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.rows import Row, iso
from exporter.demo.world import World
from tests.e2e.process import Exporter, eventually, serving
from tests.simulator.faults import Chunked, Deformed, EndlessPages, Fault, Informational, NotJson
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
requests: {{timeout: 60s, per_second: 1000, retries: 1}}
"""
TIMEOUT = 2.0
MARGIN = 30.0  # seconds more than the timeout, for a busy machine: still far less than a request may take
MANY = 100_000
MAX_SERIES = 200  # environments that are read of many more
MEBIBYTE = 1 << 20
ACCOUNT_LIMIT = 384 * MEBIBYTE  # as documented in docs/operating.md


@dataclass(frozen=True)
class OnePage(Deformed):
    """All of these rows on the first page, whatever its size, and none after it."""

    rows: list[Row]

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Any:
        said = {"currentPage": page, "pageCount": 1, "totalCount": len(self.rows)}
        return {"data": self.rows if page == 1 else [], **({"pagination": said} if "pagination" in body else {})}


@contextmanager
def api_of(world: World) -> Iterator[SimulatedServer]:
    with SimulatedServer(world).in_thread() as api:
        yield api


def small_world() -> World:
    return sized_world(time.time, environments=1, spaces=6, guests=8, users=5, agents=2, events=10)


def in_time(running: Exporter, path: str = "/metrics") -> str:
    """Get a page, which must come within the timeout of a scrape and a margin."""
    began = time.monotonic()
    answer = running.get(path, X_Prometheus_Scrape_Timeout_Seconds=f"{TIMEOUT:g}")
    assert time.monotonic() - began < TIMEOUT + MARGIN
    assert answer.status_code == 200
    return answer.text


def total(page: str, name: str, **labels: str) -> float | None:
    """The sum of a metric's samples with these labels; `None` where there is none."""
    lines = "".join(line for line in page.splitlines(keepends=True) if line.startswith(name))
    found = [
        sample.value
        for family in parse_text(lines)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return sum(found) if found else None


def shows(running: Exporter, name: str, expected: float, **labels: str) -> None:
    """Scrape until a metric has its value; each scrape, and each probe beside it, is in time."""

    def seen() -> bool:
        page = in_time(running)
        in_time(running, "/-/healthy")
        return total(page, name, **labels) == pytest.approx(expected)

    eventually(seen, f"{name} is {expected:g}", patience=180, pause=0.2)


def label_values(page: str) -> set[str]:
    return {value for family in parse_text(page) for sample in family.samples for value in sample.labels.values()}


def moment(ago: float) -> str:
    return iso(time.time() - ago) or ""


def user_rows(world: World) -> list[Row]:
    return [{"id": f"us_usr_{i:08}", "lastSeenAt": moment(60)} for i in range(MANY)]


def space_rows(world: World) -> list[Row]:
    [environment] = world.environments
    return [
        {"id": f"us_sp_{i:08}", "environmentId": environment, "createdAt": moment(1e6), "filesCount": 1}
        for i in range(MANY)
    ]


def event_rows(world: World) -> list[Row]:
    [environment], at = world.environments, moment(60)
    return [
        {
            "id": f"us_evt_{i:08}",
            "topic": "file:created",
            "createdAt": at,
            "context": {"environmentId": environment},
        }
        for i in range(MANY)
    ]


@pytest.mark.parametrize(
    ("path", "rows", "name", "expected"),
    [
        ("/users", user_rows, "flatfile_users", MANY),
        ("/spaces", space_rows, "flatfile_spaces", MANY),
        ("/events", event_rows, "flatfile_events_per_second", MANY / 300),
    ],
)
def test_a_page_of_a_hundred_thousand_rows(
    path: str, rows: Callable[[World], list[Row]], name: str, expected: float, tmp_path: Path
) -> None:
    world = small_world()
    with api_of(world) as api:
        api.faults.add(path, OnePage(rows(world)))
        with serving(CONFIG % api.base_url, tmp_path) as running:
            shows(running, name, expected)
            assert "Traceback" not in running.text


def test_twenty_thousand_environments(tmp_path: Path) -> None:
    world = World(time.time)
    for i in range(20_000):
        world.add_environment(f"environment {i}", announce=False)
    with api_of(world) as api:
        rows = [{"id": each.id, "name": each.name, "isProd": True} for each in world.environments.values()]
        api.faults.add("/environments", OnePage(rows))
        config = CONFIG.replace("{name: acme, ", f"{{name: acme, environments: {{max_series: {MAX_SERIES}}}, ")
        with serving(config % api.base_url, tmp_path) as running:
            shows(running, "flatfile_environments", 20_000)
            shows(running, "flatfile_environment_info", MAX_SERIES)
            shows(running, "flatfile_exporter_series_dropped", 20_000 - MAX_SERIES, collector="environments")
            shows(running, "flatfile_agents", 0)
            asked = {request.query.get("environmentId") for request in [*api.requests]} - {None}
            assert asked <= {*sorted(world.environments)[:MAX_SERIES]}


@pytest.mark.parametrize("fault", [Chunked(1), Informational(50_000), Informational()], ids=lambda fault: repr(fault))
def test_bodies_in_single_bytes_and_storms_of_early_answers(fault: Fault, tmp_path: Path) -> None:
    with api_of(small_world()) as api:
        rule = api.faults.add("*", fault)
        with serving(CONFIG % api.base_url, tmp_path) as running:
            for _ in range(2):
                page = in_time(running)
                in_time(running, "/-/healthy")
                assert total(page, "flatfile_up") in (None, 0)
            api.faults.remove(rule)
            shows(running, "flatfile_users", 5)
            assert "Traceback" not in running.text


@pytest.mark.parametrize("nested", [b"[" * 500 + b"]" * 500, b"[" + b"[]," * 20_000_000 + b"[]]"], ids=["deep", "long"])
def test_a_token_with_a_nested_lifetime(nested: bytes, tmp_path: Path) -> None:
    with api_of(small_world()) as api:
        api.switches.ready_tokens.add("pat_test")
        api.faults.add("/auth", NotJson(b'{"accessToken":"pat_test","expiresIn":' + nested + b"}"))
        with serving(CONFIG % api.base_url, tmp_path) as running:
            for _ in range(2):
                in_time(running)
                in_time(running, "/-/healthy")
            assert running.peak_bytes < ACCOUNT_LIMIT
            api.faults.clear()
            if b"," not in nested:
                shows(running, "flatfile_users", 5)


def long_names(world: World) -> tuple[str, list[Row]]:
    [first, *_] = world.environments
    return "/environments", [{"id": first, "name": "x" * 20_000_000}]


def long_topics(world: World) -> tuple[str, list[Row]]:
    rows = event_rows(world)[:200]
    return "/events", [{**row, "topic": f"{i}:" + "x" * 100_000} for i, row in enumerate(rows)]


def long_ids(world: World) -> tuple[str, list[Row]]:
    return "/users", [{"id": "x" * 20_000_000}]


def many_agents(world: World) -> tuple[str, list[Row]]:
    return "/agents", [{"id": f"us_ag_{i:08}", "slug": f"agent {i}", "createdAt": moment(1e6)} for i in range(MANY)]


@pytest.mark.parametrize("rows_of", [long_names, long_topics, long_ids, many_agents])
def test_what_an_account_takes_is_bounded(rows_of: Callable[[World], tuple[str, list[Row]]], tmp_path: Path) -> None:
    world = small_world()
    with api_of(world) as api:
        path, rows = rows_of(world)
        api.faults.add(path, OnePage(rows))
        with serving(CONFIG % api.base_url, tmp_path) as running:
            for _ in range(2):
                page = running.page()
            assert running.peak_bytes < ACCOUNT_LIMIT
            assert len(page) < 8 * MEBIBYTE
            assert max(map(len, label_values(page))) <= 200
            assert "Traceback" not in running.text


def test_events_without_end(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=1, spaces=0, guests=0, users=1, agents=0, events=0)
    [environment] = world.environments
    for _ in range(1000):
        world.emit("file:created", environment, at=time.time() - 60, runs=False)
    with api_of(world) as api:
        api.faults.add("/events", EndlessPages(fresh=True))
        config = CONFIG.replace("retries: 1", "retries: 1, max_rows: 100000")
        with serving(config % api.base_url, tmp_path) as running:
            page = running.page()
            assert total(page, "flatfile_exporter_collector_errors_total", collector="events", reason="too_large")
            assert total(page, "flatfile_events_per_second") is None
            assert running.peak_bytes < ACCOUNT_LIMIT
