"""The page and the schema say what the command does: commands are run, lines validated, keys and flags compared."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest

from exporter.audit.line import KEYS, PAYLOAD, PEOPLE
from exporter.audit.options import Options
from tests.audit.rig import auditing
from tests.collectors.exported import Time
from tests.e2e.process import clean_environment, eventually
from tests.grafana import logql
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world, sized_world
from tests.test_docs import _anchors as anchors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "audit.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


@dataclass(frozen=True)
class Block:
    """A fenced block: `kind` is all that stands behind the fence."""

    kind: str
    text: str


BLOCKS = [Block(kind, text) for kind, text in re.findall(r"^```(\S.*?)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)]


def of(kind: str) -> list[Block]:
    """The blocks of a kind; that there are none would make a test say nothing."""
    found = [block for block in BLOCKS if block.kind == kind]
    assert found, kind
    return found


def test_every_block_is_checked() -> None:
    assert PAGE.count("\n```") == 2 * len(BLOCKS)
    assert {block.kind for block in BLOCKS} == {"sh run", "sh follows", "json line", "logql query"}


def test_the_schema_is_one_and_has_the_keys_in_their_order() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert [*SCHEMA["properties"]] == [*KEYS, *PEOPLE, PAYLOAD]
    assert SCHEMA["required"] == [*KEYS]


@pytest.mark.parametrize("actors", ["full", "id", "hash"])
async def test_every_line_fits_the_schema(actors: str) -> None:
    payload = actors == "full"
    async with (
        SimulatedServer(fixed_world(Time())) as api,
        auditing(api, actors=actors, payload=payload) as audited,  # type: ignore[arg-type]
    ):
        rows = await audited.once()
    assert rows
    for row in rows:
        assert [error.message for error in VALIDATOR.iter_errors(row)] == []
        assert ("actor_name" in row) == (actors != "id")
        assert (PAYLOAD in row) == payload


def test_the_line_shown_fits_the_schema() -> None:
    (block,) = of("json line")
    assert VALIDATOR.is_valid(json.loads(block.text))


@pytest.mark.parametrize(
    "change",
    [
        {"time": "2026-11-23T18:28:00Z"},
        {"time": "yesterday"},
        {"event_id": None},
        {"actor_type": "robot"},
        {"more": 1},
        {"space": 1},
    ],
)
def test_the_schema_finds_a_wrong_line(change: dict[str, object]) -> None:
    good = json.loads(of("json line")[0].text)
    assert not VALIDATOR.is_valid(good | change)
    for key in ("domain", "actor_email"):
        assert not VALIDATOR.is_valid({name: value for name, value in good.items() if name != key})


def test_every_key_and_flag_is_on_the_page() -> None:
    for key in SCHEMA["properties"]:
        assert f"`{key}`" in PAGE, key
    names = {"accounts": "account", "environments": "environment", "topics": "topic"}
    for field in fields(Options):
        flag = "--" + names.get(field.name, field.name).replace("_", "-")
        assert flag in PAGE, flag


def test_every_link_leads_somewhere() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        file, _, anchor = target.partition("#")
        linked = (ROOT / "docs" / file).resolve() if file else ROOT / "docs" / "audit.md"
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text(encoding="utf-8")), target


def test_the_query_shown_is_logql_on_the_keys_of_a_line() -> None:
    (block,) = of("logql query")
    asked = logql.parse(block.text.strip())
    assert asked.stream == {"job": "flatfile-audit"}
    assert set(asked.tested) <= set(KEYS)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A folder with a configuration of a simulated account."""
    world = sized_world(time.time, environments=2, spaces=4, guests=4, users=3, agents=1, events=20)
    with SimulatedServer(world).in_thread() as api:
        api.call(world.emit, "file:created", next(iter(world.environments)))
        config = tmp_path / "config.yaml"
        config.write_text(configuration(account_lines("acme", api.base_url)), encoding="utf-8")
        config.chmod(0o600)
        yield tmp_path


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return clean_environment({"PATH": path, "PYTHONPATH": str(ROOT), "FLATFILE_AUDIT_KEY": "0123456789abcdef"})


@pytest.mark.parametrize("block", of("sh run"), ids=lambda block: block.text.split("--", 1)[-1].strip()[:40])
def test_commands_end_well(block: Block, place: Path) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", block.text], cwd=place, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    written = done.stdout or (place / "audit.csv").read_text(encoding="utf-8")
    assert len(written) > 20


def test_the_command_that_follows_writes_and_ends_when_told(place: Path) -> None:
    (block,) = of("sh follows")
    with subprocess.Popen(
        ["sh", "-eu", "-c", f"exec {block.text}"], cwd=place, env=environment(), stderr=subprocess.PIPE
    ) as process:
        out = place / "audit.jsonl"
        try:
            eventually(lambda: out.exists() and len(out.read_text(encoding="utf-8").splitlines()) == 21, "lines")
            process.send_signal(signal.SIGTERM)
            assert process.wait() == 0
        finally:
            process.kill()
    assert (place / "audit-state.sqlite").exists()
