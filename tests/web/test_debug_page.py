"""A scrape explained: what it asked, how old the data is, what is withheld and why."""

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from exporter.account.account import Status, Withheld
from exporter.account.refresh import Failure, Outcome
from exporter.demo.markers import MARKERS
from exporter.flatfile.trace import MAX_REQUESTS, Sent, Trace
from exporter.web.debug_page import Explained, explain
from tests.collectors.exported import FAST, Exported, Time
from tests.serving import serving
from tests.simulator.faults import Hang
from tests.simulator.faults import Status as Answered
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import fixed_world, sized_world

NOW = 1_795_459_074.0  # 2026-11-23T18:37:54Z


@pytest.fixture
def time() -> Time:
    return Time()


def section(text: str, name: str) -> str:
    """What is said of one collector."""
    found = re.search(rf"^{name}:.*?(?=^\S|^$|\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, text
    return found[0]


async def explained(account: Exported) -> str:
    return explain(await Explained.of(account.account, account.time()), "")


async def test_requests_of_the_last_refresh_with_what_they_took(time: Time) -> None:
    async with Exported(fixed_world(time), time) as exported:
        await exported.scrape()
        users = section(await explained(exported), "users")
        assert users.startswith("users: works, last refresh took ")
        assert re.search(r"data: complete \d+\.\ds ago; next refresh: in \d+s\n", users)
        assert "withheld: nothing\n" in users
        assert re.search(r"requests of the last refresh: 1, \d+ ms in all, \d+ bytes\n", users)
        assert re.search(r"^ +1  200 +\d+ +\d+ +\d+  /users\?pageSize=1000&pageNumber=1", users, re.MULTILINE)
        agents = section(await explained(exported), "agents")
        for environment in exported.api.world.environments:
            assert re.search(rf"  /agents\?.*environmentId={environment}", agents), "each request of each environment"


async def test_a_failure_says_how_often_it_was_tried_and_leaves_the_rest_alone(time: Time) -> None:
    async with Exported(fixed_world(time), time, more=FAST.replace("retries: 1", "retries: 2")) as exported:
        exported.api.faults.add("/users", Answered(503))
        await exported.scrape()
        text = await explained(exported)
        users = section(text, "users")
        assert users.startswith("users: failed (server_error), ")
        assert "data: never complete; next refresh: at the next scrape" in users
        assert "withheld: everything: not known yet" in users
        assert [line.split()[:2] for line in users.splitlines() if "  /users?" in line] == [
            ["1", "503"],
            ["2", "503"],
        ]
        assert section(text, "agents").startswith("agents: works, ")
        failures = text.partition("Latest failures, the newest first:\n")[2]
        assert re.match(
            r"  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  users: server_error of /users, status 503, try 2: ", failures
        )


async def test_environments_that_are_withheld_are_named_with_the_reason(time: Time) -> None:
    world = fixed_world(time)
    first, *_ = world.environments.values()
    expected = f"expected_agents: [{{environment: '{first.id}', agents: [importer], min: 1}}]"
    async with Exported(world, time, expected, switches=Switches(forbidden={("*", first.id)})) as exported:
        await exported.scrape()
        agents = section(await explained(exported), "agents")
        assert agents.startswith("agents: failed in part (forbidden), ")
        assert f"withheld: environments {first.name}: not known yet" in agents
        time.pass_(901)
        agents = section(await explained(exported), "agents")
        assert "withheld: everything: older than max_age (900s)" in agents


async def test_a_refresh_under_way(time: Time) -> None:
    async with Exported(fixed_world(time), time, more=FAST.replace("{", "{timeout: 10m, ")) as exported:
        rule = exported.api.faults.add("/users", Hang())
        asked = asyncio.create_task(exported.scrape())
        while not rule.hits:
            await asyncio.sleep(0.001)
        users = section(await explained(exported), "users")
        assert users.startswith("users: first refresh in progress")
        assert "next refresh: in progress" in users
        assert "requests of the refresh in progress: none" in users
        exported.api.faults.clear()
        await asked


def test_of_many_requests_the_last_are_shown_and_all_are_counted() -> None:
    trace = Trace()
    for number in range(1000):
        trace.note(Sent("/guests", "200" if number % 10 else "404", 1, 0.01, 100, {"a": "b c"}, 0.002))
    status = Status("guests", None, None, running=True, due_in=0.0, trace=trace)
    account = Explained("acme", NOW, [status], {"guests": Withheld(True, (), False)}, {}, [], Trace())
    text = explain(account, "metrics")
    assert "1000, 10000 ms in all, 100000 bytes" in text
    assert "   900 of /guests, status 200" in text
    assert "   100 of /guests, status 404" in text
    assert text.count("          2       10        100  /guests?a=b+c\n") == MAX_REQUESTS
    assert text.endswith("\n\nmetrics")


async def test_the_time_of_a_refresh_adds_up() -> None:
    """One request a second: what is not sent at once waits, and the other collectors wait for the environments."""
    world = sized_world(Time(), environments=3, spaces=3, users=0, guests=0, agents=0)
    off = ", ".join(f"{name}: {{enabled: false}}" for name in ("agents", "executions", "guests", "jobs", "users"))
    more = f"requests: {{per_second: 2, concurrency: 1, retries: 2}}\ncollectors: {{{off}}}\n"
    async with SimulatedServer(world) as api, serving(api, more=more) as there:
        api.switches.latency["*"] = 0.02
        text = (await there.get("/probe?target=acme&debug=true", X_Prometheus_Scrape_Timeout_Seconds="60")).text
        spaces = section(text, "spaces")
        took, parts = re.findall(r"time of the last refresh: (\d+) ms = (.*)", spaces)[0]
        spent = {what: int(number) for number, what in re.findall(r"(\d+) ms (.+?)(?: \+ |$)", parts)}
        assert sum(spent.values()) == int(took)
        for what in ("requests in flight", "waiting for the rate limit", "waiting for another collector"):
            assert spent[what] > 0
        (whole,) = re.findall(r"last refresh took (\d+\.\d+)s", spaces)
        assert abs(float(whole) * 1000 - int(took)) <= len(spent) + 5
        waits = [int(line.split()[2]) for line in spaces.splitlines() if "/spaces?" in line]
        assert max(waits) > 0


def test_names_from_outside_cannot_move_the_cursor() -> None:
    status = Status("agents", Outcome(True, True, 0.1, NOW, ()), NOW - 1, running=False, due_in=3.0)
    withheld = Withheld(False, tuple(f"env\x1b[2J\n{i}" for i in range(12)), True)
    failure = Failure(NOW, "agents", "timeout", "", None, 1, "no complete answer within 10s", 3)
    text = explain(Explained("a\x1bb", NOW, [status], {"agents": withheld}, {"agents": 9.0}, [failure], Trace()), "")
    assert "\x1b" not in text
    assert r"env\x1b[2J\n9 and 2 more: older than max_age (9s)" in text
    assert "agents: timeout, try 1 (3 times): no complete answer within 10s" in text


@pytest.fixture
async def api() -> AsyncIterator[SimulatedServer]:
    async with SimulatedServer(fixed_world(lambda: NOW)) as running:
        yield running


async def test_over_http_it_is_a_scrape_like_any_other(api: SimulatedServer) -> None:
    async with serving(api) as there:
        answer = await there.get("/probe?target=acme&debug=true", Accept_Encoding="gzip", Accept="*/*")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert api.count("/users") == 1
        text = answer.text
        assert re.search(r"  /auth$", section(text, "token"), re.MULTILINE)
        metrics = text.partition("Metrics that a scrape would have returned:\n\n")[2]
        assert 'flatfile_up{account="acme"} 1\n' in metrics
        assert not [mark for mark in MARKERS if mark in text]
        only = (await there.get("/probe?target=acme&debug=true&collect[]=users")).text
        assert "flatfile_spaces{" not in only
        assert api.count("/users") == 1, "not due again"


@pytest.mark.parametrize("query", ["target=acme&debug=1", "target=acme&debug=", "debug=true", "target=x&debug=true"])
async def test_what_cannot_be_explained(api: SimulatedServer, query: str) -> None:
    async with serving(api) as there:
        answer = await there.get(f"/probe?{query}")
        assert answer.status_code == 400
        assert not api.count()
