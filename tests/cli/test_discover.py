"""What `discover` prints, pasted into a configuration: it expects just what is deployed."""

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.account.account import Account
from exporter.cli.discover import discover
from exporter.cli.expected_agents import Agent, Environment, expected_agents
from exporter.config import AccountConfig, load, parse
from exporter.core.clock import Clock
from exporter.demo.accounts import CLIENT_ID, SECRET, demo_world
from exporter.demo.world import World
from exporter.flatfile.connect import connect
from tests.cli.command import command
from tests.e2e.process import run
from tests.simulator.faults import Hang, Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world, sized_world

HOSTILE = st.text(
    st.sampled_from("a*?[]!-:#'\"\\&%@`|>{},~$ \t\n\r\x00\x1b\x85\xa0\u2028\u202e\ufeffé🧪\ud800=<")
    | st.characters(codec=None),
    max_size=8,
) | st.sampled_from(
    ["yes", "null", "1", "1e3", "1:30", "2026-11-23", "~", "<<", "$HOME", "${X}", "- x", "a: b", "a #b"]
)


@pytest.fixture
def api() -> Iterator[SimulatedServer]:
    """Two environments with two agents each; served from a thread."""
    with SimulatedServer(sized_world(time.time, environments=2, spaces=2, guests=1, agents=2)).in_thread() as running:
        yield running


def pasted(text: str) -> AccountConfig:
    """The configuration that holds the text."""
    return parse(f"accounts:\n  - name: acme\n    auth: {{access_token: x}}\n{text}", "config.yaml").accounts[0]


def by_name(agents: Sequence[tuple[str, str, bool]]) -> list[Agent]:
    return [Agent(id_, slug or id_, system) for id_, slug, system in agents]


def unique(number: int) -> st.SearchStrategy[list[tuple[str, str, bool]]]:
    return st.lists(st.tuples(HOSTILE, HOSTILE, st.booleans()), max_size=number, unique_by=lambda item: item[0])


@given(
    st.lists(
        st.tuples(HOSTILE, HOSTILE, unique(4)),
        max_size=4,
        unique_by=lambda item: item[0],
    )
)
@example([("us_env_1", "a*", [("us_ag_1", "x", False)]), ("us_env_2", "ab", [("us_ag_2", "[x]", False)])])
@example([("us_env_1", "a\nexpected_agents: []", [("us_ag_1", "x\ny: z", False), ("us_ag_2", "x", True)])])
@example([("us_env_1", "p", [("x", "y", False), ("y", "z", True)]), ("us_env_2", "p", [("z", "", False)])])
def test_it_expects_what_is_deployed_and_nothing_else(
    found: list[tuple[str, str, list[tuple[str, str, bool]]]],
) -> None:
    environments = [Environment(id_, name or id_, by_name(agents)) for id_, name, agents in found]
    text = expected_agents("acme\n- name: other", environments)
    expected = {}
    for each in pasted(text).expected_agents:
        (place,) = [env for env in environments if matches(each.environment, env.name, env.id)]
        assert place.agents is not None
        assert each.min is None
        expected[place.id] = each.agents
        for glob in each.agents:
            (agent,) = [agent for agent in place.agents if matches(glob, agent.name, agent.id)]
            assert not agent.system
        assert len(set(each.agents)) == len(each.agents)
    left_out = text.count("#   omitted, ")
    own = sum(not agent.system for env in environments for agent in env.agents or ())
    assert sum(map(len, expected.values())) + left_out == own
    assert all(line.isprintable() for line in text.split("\n"))


def matches(pattern: str, *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


def test_agents_and_environments_are_named_as_people_do_where_that_is_clear() -> None:
    text = expected_agents(
        "acme",
        [
            Environment("us_env_1", "production", [Agent("us_ag_2", "b", False), Agent("us_ag_1", "a", False)]),
            Environment("us_env_2", "dev", [Agent("us_ag_3", "same", False), Agent("us_ag_4", "same", True)]),
            Environment("us_env_3", "dev", [Agent("us_ag_5", "us_ag_5", True)]),
            Environment("us_env_4", "p*", [Agent("us_ag_6", "x?", False)]),
            Environment("us_env_5", "closed", None, "forbidden"),
            Environment("us_env_6", "empty", []),
        ],
    )
    assert text == (
        """\
    # account acme
    expected_agents:
      # closed (us_env_5): the agents could not be listed (forbidden)
      # dev (us_env_2)
      #   Flatfile's own: same (us_ag_4)
      #   same (us_ag_3)
      - environment: us_env_2
        agents:
        - us_ag_3
        # min: 1
      # dev (us_env_3): no agents deployed
      #   Flatfile's own: us_ag_5
      # empty (us_env_6): no agents deployed
      # p* (us_env_4)
      - environment: p[*]
        agents:
        - x[?]
        # min: 1
      # production (us_env_1)
      - environment: production
        agents:
        - a
        - b
        # min: 2
"""
    )
    with_min = text.replace("# min:", "min:")
    assert [each.min for each in pasted(with_min).expected_agents] == [1, 1, 2]


def test_nothing_deployed_is_an_empty_list_and_not_known_is_none() -> None:
    assert pasted(expected_agents("acme", [Environment("us_env_1", "a", [])])).expected_agents == ()
    assert "expected_agents: []" in expected_agents("acme", [Environment("us_env_1", "a", [])])
    for text in (
        expected_agents("acme", [Environment("us_env_1", "a", []), Environment("us_env_2", "b", None, "timeout")]),
        expected_agents("acme", [], "unauthorized"),
    ):
        assert "expected_agents" not in text
        pasted(text)


ACCOUNT = """\
  - name: {name}
    base_url: {base_url}
    auth: {{client_id: {client_id}, client_secret: {secret}}}
    requests: {{per_second: 10000, retries: 1, timeout: 60s}}
"""
WORLDS: dict[str, Callable[[], World]] = {
    "demo": lambda: demo_world(time.time),
    "fixed": fixed_world,
    "many": lambda: sized_world(time.time, environments=3, agents=50, spaces=2, guests=1),
}


def configured(directory: Path, *accounts: str) -> str:
    """The flag that names a configuration of these accounts."""
    path = directory / "config.yaml"
    path.write_text("accounts:\n" + "".join(accounts), encoding="utf-8")
    path.chmod(0o600)
    return f"--config.file={path}"


def account(api: SimulatedServer, name: str = "acme", secret: str = SECRET) -> str:
    return ACCOUNT.format(name=name, base_url=api.base_url, client_id=CLIENT_ID, secret=secret)


@pytest.mark.parametrize("world", [*WORLDS])
async def test_what_is_pasted_is_there(world: str, tmp_path: Path) -> None:
    async with SimulatedServer(WORLDS[world]()) as api:
        done = await asyncio.to_thread(command, "discover", configured(tmp_path, account(api)))
        assert (done.returncode, done.stderr) == (0, "")
        asked = {request.endpoint for request in api.requests}
        assert asked == {"/auth", "/environments", "/accounts/current", "/agents"}
        config = parse(f"accounts:\n{account(api)}{done.stdout}", "config.yaml")
        with_it = Account(config.accounts[0], connect, Clock())
        await with_it.refresh(asyncio.get_running_loop().time() + 60, only={"agents"})
        missing = next(
            family for family in await with_it.page.families() if family.desc.name == "flatfile_agent_missing"
        )
        await with_it.aclose()
        assert len(missing.samples) == sum(not agent.is_system for agent in api.world.agents.values())
        assert {value for _, value in missing.samples} == {0}


def test_collectors_that_are_off_and_ages_that_are_short_do_not_matter(api: SimulatedServer, tmp_path: Path) -> None:
    off = "    collectors: {agents: {enabled: false, interval: 0s, max_age: 1s}, environments: {enabled: false}}\n"
    api.call(api.switches.latency.update, {"/agents": 1.2})
    done = command("discover", configured(tmp_path, account(api) + off))
    assert done.returncode == 0
    assert done.stdout.count("- agent-") == len(api.world.agents)


def test_each_account_has_a_block_of_its_own_and_some_may_be_chosen(api: SimulatedServer, tmp_path: Path) -> None:
    config = configured(tmp_path, account(api, "one"), account(api, "two"))
    done = command("discover", config)
    first, second = done.stdout.split("\n\n")
    assert first.startswith("    # account one\n    expected_agents:\n")
    assert second == first.replace("account one", "account two") + "\n"
    assert command("discover", config, "--account=two").stdout == second
    unknown = command("discover", config, "--account=three")
    assert (unknown.returncode, unknown.stdout) == (1, "")
    assert unknown.stderr == "flatfile-exporter: unknown account 'three'; the configuration has one, two\n"


def test_an_environment_that_cannot_be_asked_is_said(api: SimulatedServer, tmp_path: Path) -> None:
    closed, open_ = [*api.world.environments.values()]
    api.call(api.switches.forbidden.add, ("/agents", closed.id))
    done = command("discover", configured(tmp_path, account(api)))
    assert done.returncode == 1
    assert done.stderr == (
        f"flatfile-exporter: account acme: agents of environment {closed.name} ({closed.id}) could not be listed: "
        "forbidden at /agents: status 403. The credentials do not allow this.\n"
    )
    assert f"# {closed.name} ({closed.id}): the agents could not be listed (forbidden)" in done.stdout
    assert [each.environment for each in pasted(done.stdout).expected_agents] == [open_.name]


@pytest.mark.parametrize("path", ["/auth", "/environments", "/agents"])
def test_an_account_that_cannot_be_asked_is_said_and_the_others_are_printed(
    path: str, api: SimulatedServer, tmp_path: Path
) -> None:
    with SimulatedServer(sized_world(time.time, environments=2, spaces=0, agents=1)).in_thread() as broken:
        broken.call(broken.faults.add, path, Status(403))
        done = command("discover", configured(tmp_path, account(broken, "broken"), account(api, "good")))
    assert done.returncode == 1
    first, second = done.stdout.split("\n\n")
    assert "could not be listed" in first
    assert "expected_agents" not in first
    assert second.count("- agent-") == len(api.world.agents)
    assert done.stderr.startswith("flatfile-exporter: account broken: ")
    assert "Traceback" not in done.stderr


def test_what_hangs_is_given_up(api: SimulatedServer, tmp_path: Path) -> None:
    api.call(api.faults.add, "/agents", Hang())
    flag = configured(tmp_path, account(api).replace("timeout: 60s", "timeout: 10m"))
    out, err = StringIO(), StringIO()
    config = load(Path(flag.removeprefix("--config.file=")))
    assert discover(config.accounts, out, err, timeout=10.0) == 1
    assert out.getvalue().count("the agents could not be listed (timeout)") == 2
    assert err.getvalue().count("timeout: not finished in time. Flatfile is slow or") == 2


def test_the_output_is_utf_8_whatever_the_terminal(tmp_path: Path) -> None:
    world = World(time.time)
    environment = world.add_environment("日本 🧪")
    world.deploy_agent(environment.id, "größe")
    with SimulatedServer(world).in_thread() as api:
        done = run("discover", configured(tmp_path, account(api)), env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    assert [each.agents for each in pasted(done.stdout).expected_agents] == [("größe",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accounts: []\n", "must have at least one entry"),
        ("accounts:\n  - {name: a, auth: {access_tokn: x}}\n", "did you mean"),
    ],
    ids=["none", "typo"],
)
def test_a_bad_configuration_is_said(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    done = command("discover", f"--config.file={path}")
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
