"""`check-config --probe`: what it finds out is true, what it prints is for people or programs, and it ends in time."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.check import facts, probe
from exporter.cli.check_report import WIDTH
from exporter.config import Config, load
from tests.cli.command import command
from tests.collectors.exported import Exported, Time
from tests.e2e.process import run
from tests.serving import account_lines, configuration
from tests.simulator.faults import FaultRule, Faults, Hang, Status
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world, sized_world


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    """Two environments, six spaces, eight guests; served from a thread."""
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=20)
    with SimulatedServer(world).in_thread() as running:
        yield running


def config(
    directory: Path, *accounts: str, more: str = "requests: {timeout: 60s, per_second: 10000, retries: 1}\n"
) -> Path:
    path = directory / "config.yaml"
    path.write_text(configuration(*accounts, more=more), encoding="utf-8")
    path.chmod(0o600)
    return path


def probed(configured: Config, timeout: float = 300.0) -> tuple[int, dict[str, Any]]:
    """The exit status and, of the first account, what the JSON says."""
    out = StringIO()
    status = probe(configured.accounts, "json", out, timeout)
    return status, json.loads(out.getvalue())["accounts"][0]


def by_collector(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {each["collector"]: each for each in found["collectors"]}


def test_what_there_is_and_what_it_costs(api: SimulatedServer, tmp_path: Path) -> None:
    status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url))))
    assert (status, found["ok"]) == (0, True)
    assert found["account_name"] == api.world.name
    collectors = by_collector(found)
    assert {name: each["count"] for name, each in collectors.items()} == {
        "environments": 2,
        "spaces": 6,
        "agents": 4,
        "executions": None,
        "events": pytest.approx(2, abs=1),
        "users": 5,
        "guests": 8,
        "jobs": 0,
    }
    assert {each["state"] for each in collectors.values()} == {"allowed"}
    counted = sum(each["requests"]["first"] + each["requests"]["steady"] for each in collectors.values())
    assert counted == len(api.requests) - api.count("/auth")


async def test_requests_an_hour_are_those_that_are_made_in_an_hour() -> None:
    clock = Time()
    world = sized_world(clock, environments=3, spaces=9, guests=12, users=5, agents=2)
    async with Exported(world, clock) as exported:
        in_a_minute = asyncio.get_running_loop().time() + 60
        found = await facts(exported.account, exported.account.config, in_a_minute)
        exported.api.requests.clear()
        for _ in range(120):
            await exported.later(30)
        assert len(exported.api.requests) == pytest.approx(found.per_hour, rel=0.1)


def test_collectors_that_are_off_are_not_tried(api: SimulatedServer, tmp_path: Path) -> None:
    off = ("spaces", "events", "users", "guests", "jobs", "executions", "environments")
    only = "collectors: {" + ", ".join(f"{name}: {{enabled: false}}" for name in off) + "}\n"
    _, found = probed(load(config(tmp_path, account_lines("acme", api.base_url), more=only)))
    assert [*by_collector(found)] == ["environments", "agents"]
    assert not api.count("/events")


def test_what_is_refused_in_one_environment_is_said_of_it(api: SimulatedServer, tmp_path: Path) -> None:
    closed = next(iter(api.world.environments.values()))
    api.call(api.switches.forbidden.add, ("/agents", closed.id))
    status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url))))
    agents = by_collector(found)["agents"]
    assert (status, found["ok"], agents["state"], agents["in_part"]) == (1, False, "refused", True)
    assert agents["count"] is None, "a part is not the number"
    assert agents["environments_unknown"] == [{"id": closed.id, "name": closed.name}]
    assert [(each["reason"], each["endpoint"], each["status"]) for each in agents["troubles"]] == [
        ("forbidden", "/agents", 403)
    ]
    others = [each for each in found["collectors"] if each["collector"] != "agents"]
    assert {each["state"] for each in others} == {"allowed"}


@pytest.mark.parametrize(
    ("path", "status", "state", "reason", "broken"),
    [
        ("/users", 403, "refused", "forbidden", ["users"]),
        ("/users", 500, "failed", "server_error", ["users"]),
        ("/jobs", 404, "failed", "not_found", ["jobs"]),
        ("/accounts/current", 500, "failed", "server_error", ["environments"]),
        ("/spaces", 500, "failed", "server_error", ["spaces", "guests"]),
        (
            "/environments",
            500,
            "failed",
            "server_error",
            ["environments", "spaces", "agents", "executions", "events", "guests", "jobs"],
        ),
    ],
)
def test_what_fails_is_said_with_reason_and_advice(
    path: str, status: int, state: str, reason: str, broken: list[str], api: SimulatedServer, tmp_path: Path
) -> None:
    api.call(api.faults.add, path, Status(status))
    ended, found = probed(load(config(tmp_path, account_lines("acme", api.base_url))))
    assert ended == 1
    assert [each["collector"] for each in found["collectors"] if each["state"] != "allowed"] == broken
    for name in broken:
        each = by_collector(found)[name]
        assert each["state"] == state
        assert each["troubles"][0]["reason"] == reason
        assert each["troubles"][0]["advice"]
        if path != "/accounts/current":
            assert each["count"] is None
            assert each["requests"]["per_hour"] is None
            assert not found["requests"]["complete"]


class AfterTheFirst(FaultRule):
    """Strikes all requests of the path but the first."""

    def fits(self, path: str, environment: str | None, page: int) -> bool:
        fits = super().fits(path, environment, page)
        self.seen = getattr(self, "seen", 0) + fits
        return fits and self.seen > 1


def test_what_fails_only_the_second_time_is_said(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.rules.append, AfterTheFirst("/users", Status(500)))
    status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url))))
    users = by_collector(found)["users"]
    assert (status, users["state"], users["count"]) == (1, "failed", 5)
    assert (users["requests"]["first"], users["requests"]["steady"]) == (1, None)


def test_guests_of_many_spaces_are_not_asked_one_by_one(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=2, spaces=2000, guests=10, users=1, agents=1)
    with SimulatedServer(world).in_thread() as api:
        more = "requests: {per_second: 50}\n"
        status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url), more=more)))
        asked = api.count("/guests")
    guests = by_collector(found)["guests"]
    assert (status, guests["state"], guests["finished"], guests["count"]) == (0, "allowed", False, None)
    assert guests["requests"] == {
        "first": 2001,
        "steady": 0,
        "anew_seconds": 21600.0,
        "per_hour": pytest.approx(2001 / 6, abs=0.1),
        "estimated": True,
    }
    assert found["requests"]["estimated"]
    assert asked < 1000


def test_guests_of_the_whole_account_are_counted(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=2, spaces=200, guests=300, users=1, agents=1)
    with SimulatedServer(world, Switches(guests_without_space="all")).in_thread() as api:
        _, found = probed(load(config(tmp_path, account_lines("acme", api.base_url))))
    guests = by_collector(found)["guests"]
    and_a_space_to_compare = 2
    assert (guests["count"], guests["requests"]["first"], guests["requests"]["estimated"]) == (
        300,
        and_a_space_to_compare,
        False,
    )


def test_patterns_that_match_nothing_are_warnings(api: SimulatedServer, tmp_path: Path) -> None:
    one, other = (environment.name for environment in api.world.environments.values())
    more = (
        f"environments: {{include: [{one}, prodution]}}, expected_agents: ["
        f"{{environment: {one}, agents: [agent-0, nobody]}}, {{environment: {other}, agents: [agent-0]}}, "
        "{environment: nowhere, agents: [agent-0]}]"
    )
    status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url, more=more))))
    assert (status, found["warnings"]) == (
        0,
        [
            "environments.include: no environment matches 'prodution'.",
            f"expected_agents: only environments that are not selected match {other!r}.",
            "expected_agents: no environment matches 'nowhere'.",
            f"expected_agents: no agent in environment {one!r} matches 'nobody'.",
        ],
    )


def test_no_environment_at_all_is_a_warning(api: SimulatedServer, tmp_path: Path) -> None:
    more = "environments: {include: [prodution]}"
    _, found = probed(load(config(tmp_path, account_lines("acme", api.base_url, more=more))))
    assert found["warnings"][0].startswith("environments.include and environments.exclude select no environment")


@pytest.mark.parametrize("path", ["*", "/environments", "/users"])
def test_what_hangs_does_not_hold_it_up(path: str, api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, path, Hang())
    more = "requests: {timeout: 10m, per_second: 10000}\n"
    configured = load(config(tmp_path, account_lines("acme", api.base_url), more=more))
    status, found = probed(configured, timeout=1.0 if path == "*" else 10.0)
    stuck = {each["collector"] for each in found["collectors"] if each["troubles"]}
    assert status == 1
    everything = {*configured.accounts[0].collectors}
    assert stuck == {"/users": {"users"}, "/environments": everything - {"users"}}.get(path, everything)
    for each in found["collectors"]:
        if each["troubles"]:
            assert (each["state"], each["finished"]) == ("failed", False)
            assert [trouble["reason"] for trouble in each["troubles"]] == ["timeout"]
            assert each["troubles"][0]["text"] == "not finished in time"


NOWHERE: dict[str, tuple[Callable[[SimulatedServer], str], str, str]] = {
    "dns": (lambda _: "https://flatfile.invalid/v1", "connection", "cannot connect"),
    "tls": (lambda api: api.base_url.replace("http:", "https:"), "connection", "SSL"),
    "port": (lambda _: "http://127.0.0.1:9/v1", "connection", "cannot connect"),
}


@pytest.mark.parametrize("case", [*NOWHERE])
def test_no_connection_is_said_once_with_advice(case: str, api: SimulatedServer, tmp_path: Path) -> None:
    url, reason, said = NOWHERE[case]
    done = command("check-config", "--probe", f"--config.file={config(tmp_path, account_lines('acme', url(api)))}")
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.count(f"failed: {reason}") == 8
    assert " ".join(done.stdout.split()).count("Check base_url, DNS") == 1
    assert said in done.stdout
    assert "per hour, " not in done.stdout


def test_a_wrong_path_is_not_called_wrong_credentials(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "/auth", Status(404))
    done = run("check-config", "--probe", f"--config.file={config(tmp_path, account_lines('acme', api.base_url))}")
    said = " ".join(done.stdout.split())
    assert "with status 404, or base_url is wrong. Check base_url, then the credentials." in said
    assert "Check the credentials" not in said


def test_wrong_credentials_are_said_once_and_the_other_account_is_tried(api: SimulatedServer, tmp_path: Path) -> None:
    path = config(
        tmp_path, account_lines("wrong", api.base_url, secret="wrong-secret"), account_lines("good", api.base_url)
    )
    done = command("check-config", "--probe", f"--config.file={path}")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("configuration is valid: 2 accounts (wrong, good)\n")
    assert done.stdout.count("refused: unauthorized") == 8
    assert " ".join(done.stdout.split()).count("Check the credentials,") == 1
    assert done.stdout.count("  allowed  ") == 8
    assert "wrong-secret" not in done.stdout
    good = command("check-config", "--probe", "--account=good", f"--config.file={path}")
    assert good.returncode == 0
    assert "account wrong" not in good.stdout


def test_the_table_is_for_people(tmp_path: Path) -> None:
    with SimulatedServer(fixed_world(time.time), Switches()).in_thread() as api:
        done = command(
            "check-config", "--probe", f"--config.file={config(tmp_path, account_lines('acme', api.base_url))}"
        )
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= WIDTH
    assert re.search(r"^  environments  allowed +3 +1 / 1m +2 / 1h +61$", done.stdout, re.MULTILINE)
    assert "every 30s" in done.stdout
    assert "🚀\\nline two" in done.stdout, "what a terminal would obey is escaped"


def test_json_is_all_there_is_on_standard_output(api: SimulatedServer, tmp_path: Path) -> None:
    path = config(tmp_path, account_lines("acme", api.base_url))
    path.chmod(0o644)
    done = command("check-config", "--probe", "--format=json", f"--config.file={path}")
    assert json.loads(done.stdout)["ok"] is True
    assert done.stderr.startswith("warning: ")


def test_a_refresh_for_which_no_time_is_left_is_taken_to_be_as_large_as_the_first(
    api: SimulatedServer, tmp_path: Path
) -> None:
    api.call(api.faults.rules.append, AfterTheFirst("/users", Hang()))
    more = "requests: {timeout: 10m, per_second: 10000}\n"
    status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url), more=more)), timeout=10.0)
    requests = by_collector(found)["users"]["requests"]
    assert (status, requests["first"], requests["steady"], requests["estimated"]) == (0, 1, 1, True)


class Releasing(AfterTheFirst):
    """Lets go of what another rule holds up, when it strikes itself."""

    def __init__(self, path: str, faults: Faults, held: FaultRule) -> None:
        super().__init__(path, Hang())
        self.faults, self.held = faults, held

    def fits(self, path: str, environment: str | None, page: int) -> bool:
        fits = super().fits(path, environment, page)
        if fits and self.held in self.faults.rules:
            self.faults.remove(self.held)
        return fits


def test_a_first_pass_that_ends_while_others_are_in_their_second_is_a_whole_one(
    api: SimulatedServer, tmp_path: Path
) -> None:
    held = api.call(api.faults.add, "/users", Hang())
    api.call(api.faults.rules.append, Releasing("/environments", api.faults, held))
    more = "requests: {timeout: 10m, per_second: 10000}\n"
    status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url), more=more)), timeout=10.0)
    users = by_collector(found)["users"]
    assert (status, users["state"], users["finished"], users["count"], users["requests"]["first"]) == (
        0,
        "allowed",
        True,
        5,
        1,
    )


def test_a_limit_that_is_too_low_is_a_warning(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=1, spaces=1, guests=1, users=1, agents=1)
    with SimulatedServer(world).in_thread() as api:
        more = "requests: {per_second: 20, concurrency: 8}\ncollectors: {users: {interval: 40ms, max_age: 1s}}\n"
        status, found = probed(load(config(tmp_path, account_lines("acme", api.base_url), more=more)))
    assert status == 0
    assert "data will be older than the intervals" in found["warnings"][0]
    assert found["requests"]["limit_used"] > 1


@pytest.mark.parametrize(
    ("text_", "said"),
    [
        ("accounts: []\n", "must have at least one entry"),
        ("accounts: [{name: a, auth: {access_token: x}, requests: {tls: {ca_file: /nowhere}}}]\n", "ca_file"),
    ],
    ids=["none", "ca_file"],
)
def test_a_configuration_that_is_not_valid_is_not_tried(text_: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text_, encoding="utf-8")
    done = command("check-config", "--probe", "--format=json", f"--config.file={path}")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr


def test_connections_that_cannot_be_set_up_are_a_problem_of_the_configuration(tmp_path: Path) -> None:
    path = config(tmp_path, account_lines("acme", "https://flatfile.invalid/v1"))
    done = run("check-config", "--probe", f"--config.file={path}", env={"SSL_CERT_FILE": str(path)})
    assert done.returncode == 1
    assert "account acme: cannot set up connections" in done.stderr
