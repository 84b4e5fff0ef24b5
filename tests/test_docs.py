"""The documentation against the code: generated pages, names of metrics, numbers of series, links."""

import asyncio
import re
import time
from pathlib import Path

import pytest

from exporter import metrics_docs
from exporter.account import Account
from exporter.accounts import Accounts
from exporter.clock import Clock
from exporter.config import parse
from exporter.demo.accounts import CLIENT_ID, SECRET, sized_world
from exporter.demo.server import DemoServer
from exporter.demo.switches import Switches
from exporter.families import Family, HistogramValue
from exporter.flatfile.connect import connect
from exporter.own_metrics import OwnMetrics

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "CHANGELOG.md", "docs/metrics.md", "docs/configuration.md")
ENVIRONMENTS, AGENTS_EACH, SPACES = 3, 2, 12
CONFIGURATION = """\
accounts:
  - name: counted
    base_url: {base_url}
    auth: {{client_id: {client_id}, client_secret: {secret}}}
    spaces: {{per_space: true}}
    expected_agents:
      - {{environment: "environment-*", agents: [agent-0, agent-1, nobody], min: 2}}
      - {{environment: nowhere, agents: [agent-0]}}
"""


def test_the_page_about_metrics_is_what_the_code_generates() -> None:
    committed = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert committed == metrics_docs.render(), "python -m exporter.metrics_docs > docs/metrics.md"


def test_numbers_of_series_are_given_for_the_families_that_there_are_and_no_others() -> None:
    names = {desc.name for desc in metrics_docs.families()}
    assert names == set(metrics_docs.SERIES)
    assert names >= set(metrics_docs.NOTES)
    assert {label for desc in metrics_docs.families() for label in desc.labels} == set(metrics_docs.LABELS)


async def test_an_account_has_as_many_series_as_documented() -> None:
    families = await _families_of_a_counted_account()
    counted = {family.desc.name: sum(_lines(value) for _, value in family.samples) for family in families}
    numbers = {
        "E": ENVIRONMENTS,
        "A": ENVIRONMENTS * AGENTS_EACH,
        "X": 3 * ENVIRONMENTS + 1,
        "M": ENVIRONMENTS,
        "T": 1,
        "S": SPACES,
        "O": 1,
    }
    account = metrics_docs.EXAMPLE | numbers
    for name in metrics_docs.SERIES:
        assert counted[name] == metrics_docs.series(name, account), name


def _lines(value: float | HistogramValue) -> int:
    """A histogram has its sum and its count beside the buckets."""
    return len(value.buckets) + 2 if isinstance(value, HistogramValue) else 1


async def _families_of_a_counted_account() -> list[Family]:
    world = sized_world(time.time, environments=ENVIRONMENTS, spaces=SPACES, guests=9, agents=AGENTS_EACH, events=600)
    answers_200_only = Switches(guests_without_space="all")
    async with DemoServer(world, answers_200_only) as api:
        text = CONFIGURATION.format(base_url=api.base_url, client_id=CLIENT_ID, secret=SECRET)
        config = parse(text, "test")
        account = Account(config.accounts[0], connect, Clock())
        for agent in world.agents.values():
            event = world.emit("records:created", agent.environment_id, runs=False)
            world.run_agent(agent.id, event, lag=0.001, duration=0.002)
        for environment in world.environments:
            world.add_job(environment, announce=False)
        try:
            assert await account.refresh(asyncio.get_running_loop().time() + 60)
            families = [*account.families()]
        finally:
            await account.aclose()
    accounts = Accounts(lambda: config, Clock())
    await accounts.reload()
    own = OwnMetrics(accounts)
    own.expect("/metrics", "/probe")
    families += own.families()
    await accounts.aclose()
    return families


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_that_a_page_names_exists(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    known = {desc.name for desc in metrics_docs.families()}
    named = set(re.findall(r"\bflatfile_[a-z_]+(?![a-z_*-])", text))
    assert {name for name in named if re.sub("_(bucket|sum|count)$", "", name) not in known} == set()


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8")):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), target


def _anchors(text: str) -> set[str]:
    """What the headings of a page are linked by: as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
