"""The page on `inventory` shows what the commands print, and the schema has every line of JSON."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from exporter.cli.inventory_kinds import KINDS
from exporter.demo.world import World
from tests.cli.command import command
from tests.e2e.process import clean_environment
from tests.pages import ROOT, blocks, read
from tests.serving import account_lines, configuration
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import FIXED_NOW

PAGE = "docs/inventory.md"
DAY = 86400.0
SCHEMA = json.loads(read("docs/inventory.schema.json"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
EXPECTED = 'expected_agents: [{environment: "*", agents: [importer, validator]}]'

TOKEN = re.compile(
    r"(?<=token expires )[-\d]{10} [:\d]{5}|(?<=token_expires\":\")[-:.\dTZ]{24}"
)  # by the clock of the machine


def documented_world() -> World:
    """The account of the page: two environments, of which one lacks an agent."""
    now = FIXED_NOW
    world = World(lambda: FIXED_NOW, name="Northwind")
    for id_, name, seen in (("us_usr_Kq81mZ4t", "Ada", 0.2), ("us_usr_Bo000002", "Bo", 31.0)):
        user = world.add_user(name, with_id=id_, at=now - 500 * DAY, seen=now - seen * DAY)
        user.name, user.email = name, f"{name.lower()}@northwind.example"
    prod = world.add_environment("production", with_id="us_env_9f2kQw1d", is_prod=True, announce=False).id
    staging = world.add_environment("staging", with_id="us_env_7hT3bLx0", announce=False).id
    for place, id_, name, age, idle, files in (
        (prod, "us_sp_Zr5vB81c", "Nord & Söhne", 170, 0.1, 14),
        (prod, "us_sp_Quiet001", "Blue Lantern", 300, 112, 5),
        (prod, "us_sp_Old00001", "Pilot 2024", 680, 400, 3),
        (staging, "us_sp_Trial001", "Trial", 9, 1, 1),
    ):
        space = world.add_space(place, name, with_id=id_, at=now - age * DAY, announce=False)
        space.files, space.updated_at = files, now - idle * DAY
        space.last_activity_at = now - idle * DAY
    world.archive_space("us_sp_Old00001", at=now - 390 * DAY, announce=False)
    for space_id, id_, name, seen in (
        ("us_sp_Zr5vB81c", "us_g_Mb3nV4cx", "Jane Doe", 0.1),
        ("us_sp_Quiet001", "us_g_Lu000002", "Luc", 112.0),
        ("us_sp_Trial001", "us_g_Mia00003", "Mia", None),
    ):
        at = None if seen is None else now - seen * DAY
        guest = world.add_guest(space_id, name, with_id=id_, at=now - 90 * DAY, last_accessed=at, announce=False)
        guest.name, guest.email = name, f"{name.split()[0].lower()}@customer.example"
    world.admit_guest("us_g_Mb3nV4cx", "us_sp_Quiet001", at=now - 80 * DAY, announce=False)
    for place, slug, id_ in (
        (prod, "importer", "us_ag_Hn3cQ0ye"),
        (prod, "validator", "us_ag_Va000002"),
        (staging, "importer", "us_ag_Im000003"),
    ):
        world.deploy_agent(place, slug, with_id=id_, at=now - 40 * DAY, announce=False)
    event = world.emit("job:ready", prod, at=now - 600, runs=False)
    world.run_agent("us_ag_Hn3cQ0ye", event, success=False, lag=1.0, duration=30.0)
    job = world.add_job(prod, "us_sp_Zr5vB81c", with_id="us_jb_Rt9yU8io", at=now - 600, announce=False)
    world.finish_job(job.id, "failed", at=now - 570, announce=False)
    return world


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    with SimulatedServer(documented_world()).in_thread() as running:
        yield running


@pytest.fixture
def place(api: SimulatedServer, tmp_path: Path) -> Path:
    """A folder with a configuration of the page's account."""
    path = tmp_path / "config.yaml"
    path.write_text(configuration(account_lines("acme", api.base_url, more=EXPECTED)), encoding="utf-8")
    path.chmod(0o600)
    return tmp_path


def shell(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = clean_environment({"PATH": path, "PYTHONPATH": str(ROOT)})
    return subprocess.run(
        ["sh", "-eu", "-c", command], cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def examples() -> dict[str, tuple[str, str]]:
    """Each command of the page with the output that the page shows below it."""
    all_ = blocks(PAGE)
    found = {
        block.text.strip(): (block.text, following.text)
        for block, following in itertools.pairwise(all_)
        if block.kind == "sh inventory"
    }
    outputs = [block for block in all_ if block.kind in ("text inventory", "json inventory")]
    assert len(found) == len(outputs)
    return found


@pytest.mark.parametrize(("command", "output"), examples().values(), ids=examples())
def test_the_commands_print_what_the_page_shows(command: str, output: str, place: Path) -> None:
    done = shell(command, place)
    assert (done.returncode, done.stderr) == (0, "")
    assert TOKEN.sub("", done.stdout) == TOKEN.sub("", output)


def test_the_command_on_a_directory_is_understood(place: Path) -> None:
    (block,) = [block for block in blocks(PAGE) if block.kind == "sh inventory-of-exporter"]
    (path,) = re.findall(r"--storage\.path=(\S+)", block.text)
    done = shell(block.text, place)
    assert done.returncode == 1
    assert f"there is no file {path}/acme.sqlite; an exporter makes it at its first scrape" in done.stdout


def lines(place: Path, *arguments: str) -> list[dict[str, Any]]:
    done = command("inventory", *arguments, "--format=json", f"--config.file={place / 'config.yaml'}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_line_of_json_fits_the_schema(api: SimulatedServer, place: Path) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    asked = [[kind] for kind in KINDS] + [["agents", "--matrix"], ["users", "--people"], ["guests", "--people"]]
    rows = [row for arguments in asked for row in lines(place, *arguments)]
    api.call(api.faults.add, "/guests", Status(403))
    rows += lines(place)
    kinds = {branch["properties"]["kind"]["const"] for branch in SCHEMA["oneOf"]}
    assert {row["kind"] for row in rows} == kinds
    for row in rows:
        assert [error.message for error in VALIDATOR.iter_errors(row)] == []
        assert not VALIDATOR.is_valid({**row, "more": 1})
        assert not VALIDATOR.is_valid({**row, "kind": "other"})
        for key in row.keys() - {"name", "email"}:
            assert not VALIDATOR.is_valid({name: value for name, value in row.items() if name != key}), key


def test_the_page_names_every_kind_key_and_flag() -> None:
    text = read(PAGE)
    for branch in SCHEMA["oneOf"]:
        for key in (branch["properties"]["kind"]["const"], *branch["properties"]):
            assert f"`{key}`" in text, key
    for flag in (
        "account",
        "environment",
        "inactive",
        "matrix",
        "people",
        "format",
        "output",
        "storage.path",
        "timeout",
    ):
        assert f"--{flag}" in text
