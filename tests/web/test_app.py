"""The HTTP side over real sockets: every path, every header that matters, and what a scrape costs."""

import asyncio
import gzip
import itertools
import re
import threading
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from urllib.parse import urljoin

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.core.clock import Clock
from exporter.demo.accounts import SECRET
from exporter.demo.markers import PERSONAL
from exporter.web.landing_page import SECURITY_HEADERS
from tests.serving import PATIENT, Served, account_lines, configuration, served, serving
from tests.simulator.faults import Hang, Status
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5"
PATHS = ["/metrics", "/probe?target=acme", "/sd", "/", "/-/healthy", "/-/ready"]


@pytest.fixture
async def api() -> AsyncIterator[SimulatedServer]:
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=10)
    async with SimulatedServer(world) as running:
        yield running


@pytest.fixture
async def there(api: SimulatedServer) -> AsyncIterator[Served]:
    async with serving(api) as running:
        yield running


def samples(page: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """All samples of a text page by name and labels."""
    found = {}
    for family in parse_text(page):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


def value(page: str, name: str, **labels: str) -> float | None:
    """The one sample of this name with these labels (and maybe others)."""
    wanted = set(labels.items())
    values = [v for (n, pairs), v in samples(page).items() if n == name and wanted <= set(pairs)]
    assert len(values) < 2
    return values[0] if values else None


def names(page: str) -> set[str]:
    return {family.name for family in parse_text(page)}


# Scrapes


async def test_a_scrape_in_the_text_format(there: Served) -> None:
    answer = await there.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert value(answer.text, "flatfile_up", account="acme") == 1
    assert value(answer.text, "flatfile_users", account="acme") == 5
    assert value(answer.text, "flatfile_environments", production="true") == 1
    assert value(answer.text, "flatfile_exporter_scrapes_total", path="/metrics", outcome="complete") == 1
    assert value(answer.text, "flatfile_exporter_config_last_reload_successful") == 1


async def test_a_scrape_in_openmetrics(there: Served) -> None:
    answer = await there.get("/metrics", Accept=OPENMETRICS)
    assert answer.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {family.name: family for family in parse_openmetrics(answer.text)}
    assert families["flatfile_up"].samples[0].value == 1
    assert answer.text.endswith("# EOF\n")


async def test_several_accept_headers_are_one(there: Served) -> None:
    head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    two = b"Accept: text/plain;q=0.1\r\nAccept: application/openmetrics-text\r\n"
    answer = await there.raw(head + two + b"\r\n")
    assert b"\r\ncontent-type: application/openmetrics-text" in answer.lower()


async def test_gzip_only_for_who_takes_it(there: Served) -> None:
    head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    packed_head, _, packed = (await there.raw(head + b"Accept-Encoding: gzip\r\n\r\n")).partition(b"\r\n\r\n")
    plain_head, _, plain = (await there.raw(head + b"\r\n")).partition(b"\r\n\r\n")
    assert b"content-encoding: gzip" in packed_head.lower()
    assert b"content-encoding" not in plain_head.lower()
    assert "flatfile_up" in gzip.decompress(packed).decode()
    assert b"flatfile_up" in plain
    for one in (packed_head, plain_head):
        assert b"vary: accept, accept-encoding" in one.lower()


async def test_collect_names_the_collectors_to_ask(there: Served, api: SimulatedServer) -> None:
    answer = await there.get("/metrics?collect[]=users&collect[]=environments")
    assert {"flatfile_users", "flatfile_environments", "flatfile_up"} <= names(answer.text)
    assert not {"flatfile_spaces", "flatfile_agents", "flatfile_guests"} & names(answer.text)
    assert api.count("/users")
    assert not api.count("/spaces") + api.count("/agents") + api.count("/events")
    assert "flatfile_spaces" in names((await there.get("/metrics")).text)


async def test_collect_leaves_out_what_is_known_of_others(there: Served) -> None:
    await there.get("/metrics")
    page = (await there.get("/probe?target=acme&collect[]=users")).text
    assert "flatfile_users" in names(page)
    assert "flatfile_spaces" not in names(page)
    assert value(page, "flatfile_exporter_collector_success", collector="spaces") is None


async def test_an_unknown_collector(there: Served, api: SimulatedServer) -> None:
    answer = await there.get("/metrics?collect[]=users&collect[]=invoices")
    assert answer.status_code == 400
    assert "collect[]='invoices' is not a collector; the collectors are agents, environments, events" in answer.text
    assert not api.count()


async def test_only_the_exporter_itself(there: Served, api: SimulatedServer) -> None:
    answer = await there.get("/metrics?only=exporter")
    assert answer.status_code == 200
    assert "account=" not in answer.text
    found = names(answer.text)
    assert {"flatfile_exporter_build_info", "process_start_time_seconds", "python_info"} <= found
    assert not api.count()
    wrong = await there.get("/metrics?only=everything")
    assert (wrong.status_code, "'exporter'" in wrong.text) == (400, True)


async def test_a_probe_gives_its_account_alone(api: SimulatedServer) -> None:
    text = configuration(account_lines("one", api.base_url), account_lines("two", api.base_url))
    async with served(text) as there:
        page = (await there.get("/probe?target=two")).text
        assert {dict(labels).get("account") for _, labels in samples(page)} == {"two"}
        assert api.count("/users") == 1
        both = (await there.get("/metrics")).text
        assert {dict(labels).get("account") for _, labels in samples(both)} == {"one", "two", None}
        # what a probe and the exporter's own target give together is what /metrics gives, and nothing twice
        own = (await there.get("/metrics?only=exporter")).text
        one = (await there.get("/probe?target=one")).text
        two = (await there.get("/probe?target=two")).text
        parts = [set(samples(part)) for part in (own, one, two)]
        assert set(samples((await there.get("/metrics")).text)) == parts[0] | parts[1] | parts[2]
        assert sum(map(len, parts)) == len(parts[0] | parts[1] | parts[2])


async def test_a_target_that_is_no_account(there: Served, api: SimulatedServer) -> None:
    for target in ("nobody", "", "acme%00", "..%2f", "%F0%9F%98%80", "acme%0A", "%ff%fe", "a" * 5000):
        answer = await there.get(f"/probe?target={target}")
        assert answer.status_code == 400, target
        assert "is not an account of the configuration" in answer.text, target
        assert len(answer.text) < 300, target
    assert not api.count()


async def test_a_probe_without_target(there: Served) -> None:
    answer = await there.get("/probe")
    assert (answer.status_code, "'target' is missing" in answer.text) == (400, True)


async def test_twenty_scrapes_at_once_cost_one_refresh_and_one_token(there: Served, api: SimulatedServer) -> None:
    await there.get("/metrics")
    alone = {endpoint: api.count(endpoint) for endpoint in ("/auth", "/environments", "/spaces", "/agents", "/events")}
    assert alone["/auth"] == 1
    api.clear()
    api.switches.latency["*"] = 0.05  # so that none is over before the last one has come
    async with serving(api) as other:
        pages = await asyncio.gather(*(other.get("/metrics") for _ in range(20)))
        assert {page.status_code for page in pages} == {200}
        assert all(value(page.text, "flatfile_users") == 5 for page in pages)
        assert {endpoint: api.count(endpoint) for endpoint in alone} == alone
        scrapes = value(
            (await other.get("/metrics")).text, "flatfile_exporter_scrapes_total", outcome="complete", path="/metrics"
        )
        assert scrapes == 21


async def test_the_answer_comes_at_the_deadline_and_the_rest_by_the_next_scrape(api: SimulatedServer) -> None:
    hang = api.faults.add("/spaces", Hang())
    async with serving(api, more=PATIENT) as there:
        first = await there.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="3")
        assert first.status_code == 200
        assert value(first.text, "flatfile_exporter_scrapes_total", path="/metrics", outcome="partial") == 1
        assert value(first.text, "flatfile_up") == 1
        assert value(first.text, "flatfile_users") == 5
        assert "flatfile_spaces" not in names(first.text)
        asked = api.count("/spaces")
        api.faults.remove(hang)
        second = await there.get("/metrics")
        assert "flatfile_spaces" in names(second.text)
        assert value(second.text, "flatfile_exporter_scrapes_total", path="/metrics", outcome="complete") == 1
        assert api.count("/spaces") == asked, "the request under way is joined, not sent anew"


async def test_a_scrape_that_hangs_is_answered_when_the_exporter_ends(api: SimulatedServer) -> None:
    api.faults.add("*", Hang())
    async with serving(api, more=PATIENT) as there:
        scrape = asyncio.create_task(there.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="250"))
        while not api.count():
            await asyncio.sleep(0.01)
        there.web.shorten_deadlines()
        answer = await asyncio.wait_for(scrape, 20)
        assert answer.status_code == 200
        assert value(answer.text, "flatfile_up") == 0
        assert value(answer.text, "flatfile_exporter_scrapes_total", path="/metrics", outcome="partial") == 1


async def test_while_an_accounts_thread_is_busy_the_page_is_as_last_rendered(there: Served) -> None:
    before = (await there.get("/metrics")).text
    busy = threading.Event()
    (account,) = there.accounts
    task = asyncio.create_task(account.worker.run(busy.wait))
    try:
        page = (await there.get("/metrics", X_Prometheus_Scrape_Timeout_Seconds="0.5")).text
        for name in ("flatfile_users", "flatfile_spaces", "flatfile_up"):
            assert {k: v for k, v in samples(page).items() if k[0] == name} == {
                k: v for k, v in samples(before).items() if k[0] == name
            }
    finally:
        busy.set()
    await task


async def test_an_account_that_cannot_be_rendered_does_not_fail_the_others(
    api: SimulatedServer, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*arguments: object) -> None:
        raise ZeroDivisionError("SECRET")

    async with served(configuration(*(account_lines(name, api.base_url) for name in ("one", "two")))) as there:
        await there.get("/metrics")
        account = there.accounts.get("one")
        assert account is not None
        users = account._refreshes["users"]
        users.collector = SimpleNamespace(requires=(), triggers=(), families=broken)  # type: ignore[assignment]
        users.revision += 1
        for _ in range(2):
            page = await there.get("/metrics")
            assert page.status_code == 200
            assert value(page.text, "flatfile_up", account="one") is None
            assert value(page.text, "flatfile_users", account="two") == 5
    (said,) = [record for record in caplog.records if "missing" in record.message]
    assert said.__dict__["fields"] == {"account": "one", "error": "ZeroDivisionError"}


async def test_a_failure_changes_no_value(there: Served, api: SimulatedServer) -> None:
    before = (await there.get("/metrics")).text
    api.faults.add("*", Status(500))
    after = await there.get("/metrics")
    assert after.status_code == 200
    kept = ("flatfile_users", "flatfile_spaces", "flatfile_agents", "flatfile_environments")
    for key, number in samples(before).items():
        if key[0] in kept:
            assert samples(after.text)[key] == number
    assert value(after.text, "flatfile_exporter_collector_success", collector="events") == 0


# Discovery


async def test_discovery_is_complete(there: Served) -> None:
    answer = await there.get("/sd", Host="exporter.example:9999")
    assert answer.headers["content-type"] == "application/json"
    host = "exporter.example:9999"
    assert answer.json() == [
        {
            "targets": [host],
            "labels": {
                "__scheme__": "http",
                "__metrics_path__": "/metrics",
                "__param_only": "exporter",
                "instance": host,
            },
        },
        {
            "targets": [host],
            "labels": {
                "__scheme__": "http",
                "__metrics_path__": "/probe",
                "__param_target": "acme",
                "__meta_flatfile_account": "acme",
                "instance": f"{host}/acme",
            },
        },
    ]


async def test_discovery_knows_the_path_of_the_metrics(api: SimulatedServer) -> None:
    async with serving(api, telemetry_path="/own") as there:
        assert (await there.get("/sd")).json()[0]["labels"]["__metrics_path__"] == "/own"
        assert (await there.get("/own")).status_code == 200
        assert (await there.get("/metrics")).status_code == 404
        assert 'href="own"' in (await there.get("/")).text


async def test_discovery_honours_the_external_url(api: SimulatedServer) -> None:
    async with serving(api, external_url="https://metrics.example:8443/flatfile", route_prefix="") as there:
        groups = (await there.get("/sd", Host="10.0.0.1:10056")).json()
        assert [group["targets"] for group in groups] == [["metrics.example:8443"]] * 2
        assert [group["labels"]["__scheme__"] for group in groups] == ["https"] * 2
        assert [group["labels"]["__metrics_path__"] for group in groups] == ["/flatfile/metrics", "/flatfile/probe"]
        assert groups[1]["labels"]["instance"] == "metrics.example:8443/acme"


async def test_every_path_has_the_route_prefix(api: SimulatedServer) -> None:
    async with serving(
        api, route_prefix="/flat/file", enable_lifecycle=True, external_url="https://x.example"
    ) as there:
        for path in PATHS:
            assert (await there.get("/flat/file" + path)).status_code in (200, 503)
            if path != "/":
                assert (await there.get(path)).status_code == 404
        for path in ("/", "/flat/file"):
            home = await there.get(path)
            assert (home.status_code, home.headers["location"]) == (302, "/flat/file/")
        page = (await there.get("/flat/file/")).text
        for href in re.findall('href="([^"]+)"', page):
            if not href.startswith("data:"):
                found = urljoin(f"{there.url}/flat/file/", href.replace("&amp;", "&"))
                assert (await there.get(found)).status_code == 200
        scraped = (await there.get("/flat/file/metrics")).text
        assert value(scraped, "flatfile_exporter_scrapes_total", path="/metrics", outcome="complete") == 3
        assert value(scraped, "flatfile_exporter_scrapes_total", path="/probe", outcome="complete") == 3
        reloaded = await there.client.post("/flat/file/-/reload", headers={"Origin": "https://x.example"})
        assert reloaded.status_code == 200
    async with serving(api, route_prefix="/flatfile") as there:
        groups = (await there.get("/flatfile/sd", Host="h:1")).json()
        assert [group["labels"]["__metrics_path__"] for group in groups] == ["/flatfile/metrics", "/flatfile/probe"]


async def test_a_request_target_in_absolute_form_is_served(there: Served) -> None:
    for target in (b"http://other.example:99/sd", b"HTTP://other.example:99/sd?a=b"):
        answer = await there.raw(b"GET " + target + b" HTTP/1.1\r\nHost: ignored\r\nConnection: close\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), target
        assert b'"targets":["other.example:99"]' in answer, target
    home = await there.raw(b"GET http://other.example HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert b"<title>" in home


async def test_discovery_without_a_host_header(there: Served) -> None:
    answer = await there.raw(b"GET /sd HTTP/1.0\r\n\r\n")
    host, port = there.address
    assert f'"targets":["{host}:{port}"]'.encode() in answer


async def test_metrics_may_take_the_place_of_the_landing_page(api: SimulatedServer) -> None:
    async with serving(api, telemetry_path="/") as there:
        assert "flatfile_up" in (await there.get("/")).text


# Health


async def test_health_asks_nothing(there: Served, api: SimulatedServer) -> None:
    for _ in range(2):
        assert (await there.get("/-/healthy")).status_code == 200
    assert not api.count()


async def test_readiness_comes_with_the_first_refresh_whatever_came_of_it(there: Served, api: SimulatedServer) -> None:
    before = await there.get("/-/ready")
    assert (before.status_code, "acme" in before.text) == (503, True)
    api.faults.add("*", Status(500))
    await there.get("/metrics")
    asked = api.count()
    assert (await there.get("/-/ready")).status_code == 200
    assert api.count() == asked


async def test_readiness_needs_every_account(api: SimulatedServer) -> None:
    text = configuration(account_lines("one", api.base_url), account_lines("two", api.base_url))
    async with served(text) as there:
        await there.get("/probe?target=one")
        answer = await there.get("/-/ready")
        assert (answer.status_code, answer.text) == (503, "Waiting for the first scrape of: two\n")
        await there.get("/probe?target=two")
        assert (await there.get("/-/ready")).status_code == 200


# Reload


async def test_reload_needs_the_flag(there: Served) -> None:
    there.text = "nonsense"
    for method in ("POST", "PUT"):
        answer = await there.client.request(method, "/-/reload")
        assert (answer.status_code, "--web.enable-lifecycle" in answer.text) == (403, True)
    assert (
        value((await there.get("/metrics?only=exporter")).text, "flatfile_exporter_config_last_reload_successful") == 1
    )


async def test_reload_refuses_a_page_of_another_site(api: SimulatedServer) -> None:
    async with serving(api, enable_lifecycle=True) as there:
        there.text = "nonsense"
        host = there.url.removeprefix("http://")
        for origin in (
            "https://evil.example",
            "null",
            "",
            f"http://{host}.evil.example",
            f"http://evil.example/{host}",
        ):
            answer = await there.client.post("/-/reload", headers={"Origin": origin})
            assert (answer.status_code, "another site" in answer.text) == (403, True)
        page = (await there.get("/metrics?only=exporter")).text
        assert value(page, "flatfile_exporter_config_last_reload_successful") == 1
        for headers in ({"Origin": there.url}, {}):
            assert (await there.client.post("/-/reload", headers=headers)).status_code == 500


async def test_reload_is_all_or_nothing(api: SimulatedServer) -> None:
    async with serving(api, enable_lifecycle=True) as there:
        before = (await there.get("/metrics")).text
        since = value(before, "flatfile_exporter_config_last_reload_success_timestamp_seconds")
        good = there.text
        there.text = "acounts: []\naccounts:\n  - {name: other}\n"
        answer = await there.client.post("/-/reload")
        assert answer.status_code == 500
        assert "config.yaml:1:1: acounts: " in answer.text
        after = (await there.get("/metrics")).text
        assert value(after, "flatfile_exporter_config_last_reload_successful") == 0
        assert value(after, "flatfile_exporter_config_last_reload_success_timestamp_seconds") == since
        assert value(after, "flatfile_users", account="acme") == 5
        assert "The last reload failed" in (await there.get("/")).text

        there.text = good
        answer = await there.client.post("/-/reload")
        assert (answer.status_code, answer.text) == (200, "reloaded\n")
        page = (await there.get("/metrics")).text
        assert value(page, "flatfile_exporter_config_last_reload_successful") == 1
        assert value(page, "flatfile_exporter_config_last_reload_success_timestamp_seconds") != since
        assert "The last reload failed" not in (await there.get("/")).text


# What the configuration names in vain


async def test_what_matches_nothing_is_on_the_page(api: SimulatedServer) -> None:
    one, other = (environment.name for environment in api.world.environments.values())
    more = (
        f"environments: {{include: [{one}, prodution]}}, events: {{include: ['jobs:*']}}, expected_agents: ["
        f"{{environment: {one}, agents: [agent-0, nobody]}}, {{environment: {other}, agents: [agent-0]}}, "
        "{environment: nowhere, agents: [agent-0]}]"
    )
    async with served(configuration(account_lines("acme", api.base_url, more=more))) as there:
        offline = "events.include: &#x27;jobs:*&#x27; matches no topic that is known to this version"
        page = (await there.get("/")).text
        assert offline in page
        assert "waiting for the first scrape, 1 warning" in page
        await there.get("/metrics")
        page = (await there.get("/")).text
        assert "⚠ all 8 collectors work, 5 warnings" in page
        assert offline in page
        for said in (
            "environments.include: no environment matches &#x27;prodution&#x27;.",
            f"expected_agents: no agent in environment &#x27;{one}&#x27; matches &#x27;nobody&#x27;.",
            f"expected_agents: only environments that are not selected match &#x27;{other}&#x27;.",
            "expected_agents: no environment matches &#x27;nowhere&#x27;.",
        ):
            assert f'<p class="warn">⚠ {said}' in page
        there.text = configuration(account_lines("acme", api.base_url))
        await there.accounts.reload()
        await there.get("/metrics")
        page = (await there.get("/")).text
        assert "all 8 collectors work" in page
        assert "warning" not in page


# Whatever else may be asked


@pytest.mark.parametrize("path", PATHS)
async def test_head_is_get_without_body(there: Served, api: SimulatedServer, path: str) -> None:
    head = await there.client.head(path)
    assert not api.count(), "HEAD asks nothing of Flatfile"
    get = await there.get(path)
    if path == "/-/ready":
        assert head.status_code == get.status_code == 503
    else:
        assert head.status_code == get.status_code == 200
    assert head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    assert value(
        (await there.get("/metrics")).text, "flatfile_exporter_scrapes_total", path="/metrics", outcome="complete"
    ) == (2 if path == "/metrics" else 1)


async def test_what_is_not_there(there: Served) -> None:
    for path in ("/nothing", "/metrics/", "/metrics/x", "//metrics", "/-/", "/-/quit", "/favicon.ico"):
        answer = await there.get(there.url + path)
        assert answer.status_code == 404, path


async def test_methods_that_are_not_allowed(there: Served, api: SimulatedServer) -> None:
    methods = ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "PROPFIND")
    for method, path in itertools.product(methods, PATHS):
        answer = await there.client.request(method, path)
        assert answer.status_code == 405, (method, path)
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}, (method, path)
        assert not api.count(), (method, path)


async def test_reload_is_no_get(there: Served) -> None:
    answer = await there.get("/-/reload")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"POST", "PUT"}


async def test_every_answer_has_the_security_headers(there: Served) -> None:
    for path in (*PATHS, "/nothing", "/probe", "/metrics?collect[]=x", "/-/reload"):
        answer = await there.get(path)
        for name, text in SECURITY_HEADERS.items():
            assert answer.headers.get_list(name) == [text], path
        assert "server" not in answer.headers, path


async def test_a_fault_of_ours_has_them_too(api: SimulatedServer) -> None:
    def broken() -> float:
        if armed:
            raise ZeroDivisionError("SECRET-text")
        return time.time()

    armed = False
    async with served(configuration(account_lines("acme", api.base_url)), clock=Clock(wall=broken)) as there:
        armed = True
        answer = await there.get("/")
        assert answer.status_code == 500
        assert "SECRET" not in answer.text
        for name, text in SECURITY_HEADERS.items():
            assert answer.headers.get_list(name) == [text]
        armed = False


async def test_a_wild_host_header_does_no_harm(there: Served) -> None:
    hosts = (b"[", b"a/b?c#d", b"::::", b"]:[", b"\xff", b"x" * 3000, b"a b", b"<script>")
    for host, path in itertools.product(hosts, (b"/metrics", b"/sd", b"/")):
        answer = await there.raw(b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        assert answer.split()[1] in (b"200", b"400"), (host, path)
        assert b"<script>" not in answer or path == b"/sd", (host, path)
    page = (await there.get("/metrics")).text
    paths = {dict(labels)["path"] for name, labels in samples(page) if name == "flatfile_exporter_scrapes_total"}
    assert paths == {"/metrics", "/probe"}


async def test_what_is_no_request_is_refused(there: Served) -> None:
    for request in (
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # the beginning of TLS
        b"GET\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n\r\n",
        b"GET /metrics?\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
    ):
        answer = await asyncio.wait_for(there.raw(request), 20)
        assert answer.startswith(b"HTTP/1.1 400 "), request[:60]
        assert (await there.get("/-/healthy")).status_code == 200, request[:60]


async def test_a_wild_query_is_no_fault_of_ours(there: Served) -> None:
    for query in ("collect[]=%ff", "collect[]", "only", "%", "&&&=", "collect[]=" + "a" * 20_000, "only=%00%0a"):
        answer = await there.get(f"/metrics?{query}")
        assert answer.status_code in (200, 400)
        assert len(answer.text) < 500 or answer.status_code == 200


async def test_no_secret_and_nothing_personal_is_shown(there: Served, api: SimulatedServer) -> None:
    await there.get("/metrics")
    api.faults.add("/spaces", Status(401))
    api.faults.add("/agents", Status(500))
    await there.get("/metrics")
    for path in PATHS:
        text = (await there.get(path)).text
        for marker in (SECRET, "SECRET", PERSONAL, "@", "accessToken", "eyJ"):
            assert marker not in text.replace("@media", "")
