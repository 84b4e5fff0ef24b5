"""What `inventory` lists is what the account holds; what it could not read it says; and it says no more than it was asked."""

import asyncio
import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.account.account import Account
from exporter.cli import flags
from exporter.cli.inventory_kinds import KINDS
from exporter.cli.inventory_people import read_people
from exporter.cli.parser import parse as parse_flags
from exporter.config import parse
from exporter.core.clock import Clock
from exporter.core.progress_line import CLEAR
from exporter.demo.markers import MARKERS
from exporter.demo.rows import Row
from exporter.demo.world import World
from exporter.flatfile.connect import connect
from tests.cli.command import command
from tests.cli.test_inventory_tables import cells
from tests.e2e.process import serving, start
from tests.serving import account_lines, configuration
from tests.simulator.faults import Deformed, Hang, Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world, sized_world

DAY = 86400.0
EXPECTED = 'expected_agents: [{environment: "*", agents: [agent-0, nobody]}]'
LISTS = [[kind] for kind in KINDS] + [["agents", "--matrix"]]


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    """Three environments, 30 spaces, 40 guests, 5 users, and two agents each; served from a thread."""
    world = sized_world(time.time, environments=3, spaces=30, guests=40, users=5, agents=2)
    with SimulatedServer(world).in_thread() as running:
        yield running


def configured(directory: Path, *accounts: str) -> str:
    """The flag that names a configuration of these accounts."""
    path = directory / "config.yaml"
    path.write_text(configuration(*accounts), encoding="utf-8")
    path.chmod(0o600)
    return f"--config.file={path}"


@pytest.fixture
def config(api: SimulatedServer, tmp_path: Path) -> str:
    return configured(tmp_path, account_lines("acme", api.base_url, more=EXPECTED))


def listed(config: str, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
    """The lines of JSON."""
    done = command("inventory", *arguments, "--format=json", config)
    assert done.returncode == status, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def by_kind(rows: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [row for row in rows if row["kind"] == kind]


def test_the_kinds_of_the_flags_are_those_that_there_are() -> None:
    assert {*flags.KINDS} == {*KINDS}


def test_environments_are_counted_as_they_are(api: SimulatedServer, config: str) -> None:
    world = api.world
    account, *rows = listed(config)
    assert (account["kind"], account["name"], account["users"]) == ("account", "Sized", 5)
    assert account["token_expires"] is not None
    assert [row["environment"] for row in rows] == ["environment-0", "environment-1", "environment-2"]
    for row in rows:
        spaces = world.spaces_of[row["environment_id"]].values()
        assert row["spaces_active"] == sum(not space.archived_at for space in spaces)
        assert row["spaces_archived"] == sum(bool(space.archived_at) for space in spaces)
        assert row["files"] == sum(space.files or 0 for space in spaces)
        assert row["workbooks"] == sum(space.workbooks or 0 for space in spaces)
        assert row["guests"] == len(world.guests_of[row["environment_id"]])
        assert (row["agents"], row["missing_agents"]) == (2, ["nobody"])
        assert row["production"] is (row["environment"] == "environment-0")


@pytest.mark.parametrize("guests", ["refused", "all"])
def test_spaces_and_guests_are_listed_as_they_are(guests: str, api: SimulatedServer, config: str) -> None:
    api.call(setattr, api.switches, "guests_without_space", guests)
    world = api.world
    spaces = listed(config, "spaces")
    assert {row["space_id"]: row["space"] for row in spaces} == {
        space.id: space.name for space in world.spaces.values()
    }
    for row in spaces:
        space = world.spaces[row["space_id"]]
        assert row["environment_id"] == space.environment_id
        assert (row["files"], row["workbooks"]) == (space.files, space.workbooks)
        assert row["guests"] == len(world.guests_in[space.id])
        assert row["state"] == ("archived" if space.archived_at else "active")
    found = listed(config, "guests")
    assert {row["guest_id"]: row["spaces"] for row in found} == {
        guest.id: len(guest.spaces) for guest in world.guests.values()
    }
    assert {row["user_id"] for row in listed(config, "users")} == {*world.users}


def test_only_inactive_spaces_are_listed(api: SimulatedServer, config: str) -> None:
    now = time.time()
    idle = {
        space.id
        for space in api.world.spaces.values()
        if not space.archived_at
        and isinstance(space.last_activity_at, float)
        and space.last_activity_at < now - 9.5 * DAY
    }
    assert 0 < len(idle) < len(api.world.spaces)
    assert {row["space_id"] for row in listed(config, "spaces", "--inactive=9d12h")} == idle


def test_agents_are_listed_with_their_runs_of_the_last_hour_and_jobs_that_are_open_or_failed(tmp_path: Path) -> None:
    more = 'expected_agents: [{environment: production, agents: ["import-*"]}, {environment: nowhere, agents: [a]}]'
    with SimulatedServer(fixed_world()).in_thread() as api:
        config = configured(tmp_path, account_lines("acme", api.base_url, more=more))
        agents = {row["agent_id"]: row for row in listed(config, "agents")}
        jobs = listed(config, "jobs")
        environments = listed(config)
    assert {*agents} == {*api.world.agents}
    hooks, system = agents["us_ag_Hn3cQ0ye"], agents["us_ag_Sy5tEm01"]
    assert (hooks["agent"], hooks["system"], hooks["expected"]) == ("import-hooks", False, True)
    assert (hooks["runs"], hooks["failures"]) == (2, 1)
    assert (hooks["first_deployed"], hooks["last_deployed"]) == ("2025-03-01T08:55:00.000Z", "2025-11-18T08:55:00.000Z")
    assert (system["system"], system["expected"], system["runs"], system["failures"]) == (True, False, 1, 0)
    assert (agents["us_ag_Odd00002"]["expected"], agents["us_ag_Odd00002"]["runs"]) == (False, 0)
    assert [(row["job_id"], row["status"]) for row in jobs] == [
        ("us_jb_Open0003", "executing"),
        ("us_jb_Rt9yU8io", "failed"),
    ]
    missing = {
        (row["environment"], row["environment_id"]): row["missing_agents"]
        for row in by_kind(environments, "environment")
    }
    assert missing["production", "us_env_2ndProd0"] == ["import-*"]
    assert missing["production", "us_env_9f2kQw1d"] == []
    assert missing["nowhere", None] == ["a"]
    (nowhere,) = [row for row in environments if row.get("environment") == "nowhere"]
    assert nowhere["agents"] is None


def test_runs_of_which_the_agent_is_not_told_are_nobodys(tmp_path: Path) -> None:
    with SimulatedServer(fixed_world()).in_thread() as api:
        api.call(setattr, api.switches, "agent_id_honoured", False)
        rows = listed(configured(tmp_path, account_lines("acme", api.base_url)), "agents")
    found = {row["agent_id"]: (row["agent"], row["runs"], row["failures"]) for row in rows}
    assert found[None] == ("(unknown)", 3, 1)
    assert found["us_ag_Hn3cQ0ye"] == ("import-hooks", None, None)
    assert found["us_ag_Odd00002"] == ("import-hooks", 0, 0), "another environment's are known"


def test_the_matrix_has_a_row_for_each_environment_and_a_column_for_each_agent(
    api: SimulatedServer, config: str
) -> None:
    first, second, _ = api.world.environments
    api.call(api.world.deploy_agent, first, "only-here")
    api.call(lambda: api.world.deploy_agent(second, None, is_system=True))
    done = command("inventory", "agents", "--matrix", config)
    assert done.returncode == 0
    head, *rows = (re.split("  +", line) for line in done.stdout.splitlines())
    assert head == ["ENVIRONMENT", "ENVIRONMENT ID", "agent-0", "agent-1", "nobody", "only-here", "(system)"]
    assert rows[0] == ["environment-0", first, "1", "1", "missing", "1", "-"]
    assert rows[1] == ["environment-1", second, "1", "1", "missing", "-", "1"]
    assert listed(config, "agents", "--matrix")[0] == {
        "kind": "matrix",
        "account": "acme",
        "environment": "environment-0",
        "environment_id": first,
        "agents": {"agent-0": 1, "agent-1": 1, "only-here": 1},
        "missing_agents": ["nobody"],
    }


def test_environments_that_were_not_named_are_not_asked(api: SimulatedServer, config: str) -> None:
    named = next(iter(api.world.environments))
    rows = listed(config, "guests", "--environment=environment-0")
    assert {row["environment_id"] for row in rows} == {named}
    asked = {request.query["spaceId"] for request in api.requests if "spaceId" in request.query}
    assert asked == {*api.world.spaces_of[named]}
    rows = listed(config, "jobs", f"--environment={named}", "--environment=staging", status=1)
    assert [(row["part"], row["reason"]) for row in rows] == [
        ("environments", "no environment that the configuration selects matches 'staging'")
    ]


@pytest.mark.parametrize("arguments", [["environments", "--format=table"], *LISTS], ids="-".join)
def test_two_runs_print_the_same(arguments: list[str], config: str) -> None:
    first, second = (command("inventory", "--format=json", *arguments, config).stdout for _ in range(2))
    expiry = re.compile(r'token expires [-0-9: ]+|"token_expires":"[^"]+"')
    assert expiry.sub("", first) == expiry.sub("", second)
    assert (first != expiry.sub("", first)) == (arguments[0] == "environments")


def test_an_environment_that_cannot_be_read_is_named_and_the_rest_is_printed(
    api: SimulatedServer, config: str, tmp_path: Path
) -> None:
    closed, *_ = api.world.environments
    for path in ("/agents", "/jobs"):
        api.call(api.switches.forbidden.add, (path, closed))
    said = f"agents of environment environment-0 ({closed}) could not be read: forbidden at /agents: status 403. "
    done = command("inventory", config)
    assert (done.returncode, done.stderr) == (1, "")
    assert f"\n! {said}" in done.stdout
    row, other, *_ = (re.split("  +", line) for line in done.stdout.splitlines() if line.startswith("environment-"))
    assert (row[9], row[10]) == ("?", "?")
    assert (other[9], other[10]) == ("2", "nobody")
    rows = listed(config, status=1)
    (unread,) = by_kind(rows, "unread")
    assert (unread["part"], unread["environment_id"]) == ("agents", closed)
    assert by_kind(rows, "environment")[0]["agents"] is None
    assert [each["agents"] for each in listed(config, "agents", "--matrix", status=1)[:2]] == [
        None,
        {"agent-0": 1, "agent-1": 1},
    ]
    file = tmp_path / "out.csv"
    done = command("inventory", "agents", "--format=csv", f"--output={file}", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"flatfile-exporter: account acme: {said}")
    assert len(file.read_text(encoding="utf-8").splitlines()) == 1 + 4


@pytest.mark.parametrize("path", ["/auth", "/environments", "/spaces", "/users"])
def test_what_cannot_be_read_at_all_is_named_once(path: str, api: SimulatedServer, config: str) -> None:
    api.call(api.faults.add, path, Status(403))
    rows = listed(config, status=1)
    parts = {row["part"]: row["environment"] for row in by_kind(rows, "unread")}
    expected = {
        "/auth": {"environments", "users"},
        "/environments": {"environments"},
        "/spaces": {"spaces", "guests"},
        "/users": {"users"},
    }
    assert parts == dict.fromkeys(expected[path])
    assert (by_kind(rows, "account")[0]["users"] is None) == ("users" in parts)
    assert (
        all(row["files"] is None and row["guests"] is None for row in by_kind(rows, "environment")) or path == "/users"
    )


def test_what_takes_too_long_is_given_up_and_what_came_is_printed(api: SimulatedServer, config: str) -> None:
    api.call(api.faults.add, "/guests", Hang())
    done = command("inventory", "--timeout=10s", config)
    assert done.returncode == 1
    assert done.stdout.count("! ") == 1
    assert "\n! guests could not be read: timeout: not finished in time." in done.stdout
    (row, *_) = (re.split("  +", line) for line in done.stdout.splitlines() if line.startswith("environment-"))
    assert row[3:9] == ["9", "1", "0", row[6], "10", "?"]


def test_accounts_follow_each_other_and_one_that_fails_is_named(api: SimulatedServer, tmp_path: Path) -> None:
    good, bad = account_lines("good", api.base_url), account_lines("bad", api.base_url, secret="wrong")
    config = configured(tmp_path, bad, good, account_lines("later", api.base_url))
    done = command("inventory", "users", "--format=csv", config)
    assert done.returncode == 1
    rows = [*csv.reader(io.StringIO(done.stdout))]
    assert [row[0] for row in rows] == ["account", *["good"] * 5, *["later"] * 5]
    assert done.stderr.count("account bad: users could not be read: ") == 1
    done = command("inventory", "users", "--account=good", "--account=later", config)
    assert done.returncode == 0
    assert [line for line in done.stdout.splitlines() if line.startswith("account ")] == [
        "account good: Sized (us_acc_4kQ2m9Xz)",
        "account later: Sized (us_acc_4kQ2m9Xz)",
    ]
    refused = command("inventory", "agents", "--matrix", "--format=csv", config)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "choose it with --account" in refused.stderr


def test_names_of_people_are_shown_only_when_asked_for(api: SimulatedServer, config: str) -> None:
    for arguments in LISTS:
        done = command("inventory", *arguments, "--format=json", config)
        assert done.returncode == 0
        assert not [marker for marker in MARKERS if marker in done.stdout + done.stderr]
    for switch in ("refused", "all"):
        api.call(setattr, api.switches, "guests_without_space", switch)
        world = api.world
        guests = {row["guest_id"]: (row["name"], row["email"]) for row in listed(config, "guests", "--people")}
        assert guests == {guest.id: (guest.name, guest.email) for guest in world.guests.values()}
    users = {row["user_id"]: (row["name"], row["email"]) for row in listed(config, "users", "--people")}
    assert users == {user.id: (user.name, user.email) for user in world.users.values()}


class Later(Deformed):
    """Lists without data, after a number of right ones."""

    def __init__(self, number: int) -> None:
        self._left = number

    def of_list(self, body: Row, page: int, first: Callable[[], Row]) -> Row:
        self._left -= 1
        return body if self._left >= 0 else {}


def test_names_that_cannot_be_read_are_said_to_be_missing(api: SimulatedServer, config: str) -> None:
    assert len(listed(config, "users")) == 5
    api.call(api.faults.add, "/users", Later(api.count("/users")))
    rows = listed(config, "users", "--people", status=1)
    assert [row["name"] for row in by_kind(rows, "user")] == [None] * 5
    assert [row["part"] for row in by_kind(rows, "unread")] == ["names of users"]


async def test_names_of_people_never_come_into_the_database(api: SimulatedServer, tmp_path: Path) -> None:
    settings = parse(configuration(account_lines("acme", api.base_url)), "config.yaml").accounts[0]
    path = tmp_path / "acme.sqlite"
    account = Account(settings, connect, Clock(), path)
    deadline = asyncio.get_running_loop().time() + 60
    try:
        await account.refresh(deadline, {"guests", "users"})
        while any(status.running for status in account.status()):
            await asyncio.sleep(0.02)
        people, trouble = await read_people(account, "guests", deadline)
    finally:
        await account.aclose()
    assert trouble is None
    assert len(people) == len(api.world.guests)
    files = [each.read_bytes() for each in tmp_path.iterdir()]
    assert any(next(iter(people)).encode() in content for content in files)
    assert not [marker for marker in MARKERS if any(marker.encode() in content for content in files)]


def test_nothing_in_a_name_reaches_the_terminal_raw(tmp_path: Path) -> None:
    evil = "\x1b[31m\x9b2J\u202e\r\n\t\x07=x"
    world = World(time.time, name=evil)
    environment = world.add_environment(evil)
    space = world.add_space(environment.id, evil)
    world.deploy_agent(environment.id, evil)
    world.add_user(evil)
    world.add_guest(space.id, evil)
    with SimulatedServer(world).in_thread() as api:
        config = configured(tmp_path, account_lines("acme", api.base_url, more=EXPECTED))
        api.call(api.switches.forbidden.add, ("/jobs", environment.id))
        for arguments in (["environments"], ["spaces"], ["agents", "--matrix"], ["jobs"], ["guests", "--people"]):
            for fmt in ("table", "csv", "json"):
                done = command("inventory", *arguments, f"--format={fmt}", config)
                assert done.returncode == (1 if arguments == ["jobs"] else 0)
                assert (done.stdout + done.stderr).replace("\n", "").isprintable(), (arguments, fmt)
                assert "Traceback" not in done.stderr


def on_terminal(columns: int, *arguments: str) -> tuple[str, str]:
    """Run it with a terminal so wide as standard output and another one as standard error; what each was sent."""
    terminals = [pty.openpty() for _ in range(2)]
    for _, end in terminals:
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    (out, out_end), (err, err_end) = terminals
    process = start(["inventory", *arguments], out_end, err_end, env={"COLUMNS": ""})
    os.close(out_end)
    os.close(err_end)
    said, printed = _drained(err), _drained(out)  # what goes to the output fits into its buffer
    assert process.wait() == 0, said
    return printed, said


def _drained(terminal: int) -> str:
    """Read until the other end is closed, which a terminal tells by an error."""
    found = b""
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            found += piece
    os.close(terminal)
    return found.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_table_fits_the_terminal_and_progress_is_shown_beside_it(columns: int, config: str) -> None:
    out, err = on_terminal(columns, "spaces", "--environment=environment-0", config)
    lines = out.splitlines()
    if columns < 200:
        assert lines.pop().startswith("not shown, for want of width: ")
    assert len(lines) == 1 + 10
    assert max(map(cells, lines)) <= columns
    assert ("CREATED" in lines[0], "NAME" in lines[0]) == (columns == 200, True)
    shown = err.split(CLEAR)
    assert re.fullmatch(r"\d+ requests(, guests of \d+ of 10 spaces)?", shown[1])
    assert shown[-1] == "", "the line is taken away at the end"


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=1, spaces=1500, guests=0, agents=0)  # more than a pipe holds
    with SimulatedServer(world).in_thread() as api:
        api.call(setattr, api.switches, "guests_without_space", "all")
        config = configured(tmp_path, account_lines("acme", api.base_url))
        whole = command("inventory", "users", config)
        assert whole.stdout.count("\n") == 51
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        process = start(["inventory", "spaces", config], out_end, err_end)
        os.close(out_end)
        os.close(err_end)
        with os.fdopen(out) as printed:
            assert printed.readline().startswith("ENVIRONMENT ")
        with os.fdopen(err) as said:
            assert said.read() == ""
    assert process.wait() == 0


def test_the_output_goes_to_a_file_of_its_owner(config: str, tmp_path: Path) -> None:
    file = tmp_path / "out"
    done = command("inventory", "guests", "--people", f"--output={file}", config)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text(encoding="utf-8") == command("inventory", "guests", "--people", config).stdout
    command("inventory", "users", "--format=csv", f"--output={file}", config)
    assert file.read_text(encoding="utf-8") == command("inventory", "users", "--format=csv", config).stdout
    done = command("inventory", f"--output={tmp_path}", config)
    assert (done.returncode, done.stderr) == (1, f"flatfile-exporter: cannot write {tmp_path}: Is a directory\n")


def test_a_running_exporter_has_the_answer_and_flatfile_is_not_asked(api: SimulatedServer, tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    text = configuration(account_lines("acme", api.base_url, more=f"{EXPECTED}, spaces: {{per_space: true}}"))
    api.call(api.switches.forbidden.add, ("/jobs", next(iter(api.world.environments))))
    with serving(text, tmp_path, f"--storage.path={storage}") as exporter:
        config = f"--config.file={tmp_path / 'config.yaml'}"
        empty = command("inventory", f"--storage.path={storage}", config)
        assert (empty.returncode, "an exporter makes it at its first scrape" in empty.stdout) == (1, True)
        exporter.get("/metrics?collect[]=users")
        started = command("inventory", f"--storage.path={storage}", config)
        assert started.returncode == 1
        assert "! spaces could not be read: the exporter has not read it, or its collector is off\n" in started.stdout
        page = exporter.page()
        while 'flatfile_exporter_collector_success{account="acme",collector="guests"} 1' not in page:
            page = exporter.page()
        asked = [listed(config, *arguments, status=int(arguments == ["jobs"])) for arguments in LISTS]
        api.call(api.clear)
        for arguments, rows in zip(LISTS, asked, strict=True):
            stored = listed(config, *arguments, f"--storage.path={storage}", status=int(arguments == ["jobs"]))
            for each in (rows, stored):
                for row in each:
                    row.pop("token_expires", None)
                    row.pop("reason", None)
            assert stored == rows, arguments
        done = command("inventory", "guests", f"--storage.path={storage}", config)
        assert (done.returncode, api.count()) == (0, 0)
    ages = re.findall(r"account acme: (\w+) read \d+\w* (?:to \w+ )?ago\n", done.stderr)
    assert ages == ["environments", "spaces", "guests"]
    assert command("inventory", "guests", f"--storage.path={storage}", config).stdout == done.stdout, "after its end"


def test_a_directory_that_an_exporter_does_not_use_is_named(config: str, tmp_path: Path) -> None:
    done = command("inventory", f"--storage.path={tmp_path}", config)
    assert done.returncode == 1
    assert f"--storage.path: no state of account 'acme': there is no file {tmp_path}/acme.sqlite" in done.stdout
    (tmp_path / "acme.sqlite").write_bytes(b"x" * 4096)
    done = command("inventory", "spaces", "--format=csv", f"--storage.path={tmp_path}", config)
    assert (done.returncode, done.stdout) == (1, "")
    assert "acme.sqlite: file is not a database" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["spces"], "'spces' is not known; did you mean spaces?"),
        (["x"], "'x' is not known; there are environments, spaces, agents, users, guests, jobs"),
        (["users", "guests"], "unexpected argument 'guests'"),
        (["--matrix"], "--matrix is for: inventory agents"),
        (["agents", "--inactive=90d"], "--inactive is for: inventory spaces"),
        (["spaces", "--inactive=90"], "write 90s"),
        (["spaces", "--inactive=0s"], "'0s' is not above 0"),
        (["--people"], "--people is for: inventory users, inventory guests"),
        (["users", "--people", "--storage.path=x"], "does not store names of people"),
        (["--format=yaml"], "invalid choice: 'yaml'"),
        (["--timeout=never"], "'never' is not a duration"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        parse_flags(["inventory", *arguments])
    assert raised.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1
