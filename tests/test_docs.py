"""The documentation against the code: generated pages, numbers of series, and on every page links and names of things."""

import asyncio
import functools
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from docs.build import metrics as metrics_docs
from exporter.account.account import Account
from exporter.account.accounts import Accounts
from exporter.config import parse
from exporter.config.schema import walk
from exporter.config.types import ROOT as ROOT_OF_KEYS
from exporter.core.clock import Clock
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.exposition.families import Family, HistogramValue
from exporter.flatfile.connect import connect
from exporter.flatfile.endpoints import Endpoint
from exporter.web.self_metrics import OwnMetrics
from tests.pages import ROOT, blocks, pages, prose, read
from tests.simulator.server import SimulatedServer
from tests.simulator.switches import Switches
from tests.simulator.worlds import sized_world

CONTRACT = Path(__file__).parent / "grafana/data/contract.yaml"
INVENTED = {"python collector"}  # kinds of blocks whose metrics do not exist
FLAGS_OF_PROMETHEUS = {"--storage.tsdb.path"}
NOT_FOR_USERS = {"tests/grafana/data/README.md"}
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
    assert committed == metrics_docs.render(), "python -m docs.build.metrics > docs/metrics.md"


def test_numbers_of_series_are_given_for_the_families_that_there_are_and_no_others() -> None:
    names = {desc.name for desc in metrics_docs.families()}
    assert names == set(metrics_docs.SERIES)
    assert {label for desc in metrics_docs.families() for label in desc.labels} == set(metrics_docs.LABELS)


async def test_an_account_has_as_many_series_as_documented(tmp_path: Path) -> None:
    families = await _families_of_a_counted_account(tmp_path / "acme.sqlite")
    counted = {family.desc.name: sum(_lines(value) for _, value in family.samples) for family in families}
    numbers = {
        "E": ENVIRONMENTS,
        "A": ENVIRONMENTS * AGENTS_EACH,
        "X": 3 * ENVIRONMENTS + 1,
        "M": ENVIRONMENTS,
        "T": 1,
        "S": SPACES,
        "D": 3,
    }
    account = metrics_docs.EXAMPLE | numbers
    for name in metrics_docs.SERIES:
        assert counted[name] == metrics_docs.series(name, account), name


def _lines(value: float | HistogramValue) -> int:
    """A histogram has its sum and its count beside the buckets."""
    return len(value.buckets) + 2 if isinstance(value, HistogramValue) else 1


async def _families_of_a_counted_account(path: Path) -> list[Family]:
    world = sized_world(time.time, environments=ENVIRONMENTS, spaces=SPACES, guests=9, agents=AGENTS_EACH, events=600)
    answers_200_only = Switches(guests_without_space="all")
    async with SimulatedServer(world, answers_200_only) as api:
        text = CONFIGURATION.format(base_url=api.base_url, client_id=CLIENT_ID, secret=SECRET)
        config = parse(text, "test")
        account = Account(config.accounts[0], connect, Clock(), path)
        for agent in world.agents.values():
            event = world.emit("records:created", agent.environment_id, runs=False)
            world.run_agent(agent.id, event, lag=0.001, duration=0.002)
        for environment in world.environments:
            for number, status in enumerate(("created", "planning", "scheduled", "ready", "executing", "waiting")):
                world.add_job(
                    environment, kind=("file", "workbook", "sheet")[number % 3], announce=False
                ).status = status
        try:
            assert await account.refresh(asyncio.get_running_loop().time() + 60)
            families = await account.page.families()
        finally:
            await account.aclose()
    accounts = Accounts(lambda: config, Clock())
    await accounts.reload()
    own = OwnMetrics(accounts)
    own.expect("/metrics", "/probe")
    families += own.families()
    await accounts.aclose()
    return families


each_page = pytest.mark.parametrize("page", pages())


@each_page
def test_every_metric_that_a_page_names_exists(page: str) -> None:
    known = {desc.name for desc in metrics_docs.families()} | {"flatfile_namespace"}  # the last one is a label
    contract = yaml.safe_load(CONTRACT.read_text(encoding="utf-8"))
    known |= {name for families in contract.values() for name in families}
    text = "".join([prose(page), *(block.text for block in blocks(page) if block.kind not in INVENTED)])
    named = set(re.findall(r"(?<![\w:])flatfile_[a-z_]+(?![a-z_*:-])", text))
    assert {name for name in named if re.sub("_(bucket|sum|count)$", "", name) not in known} == set()


@each_page
def test_every_flag_that_a_page_names_exists(page: str) -> None:
    known = flags_of_all_commands()
    named = set(re.findall(r"(?<![\w-])--(?:config|log|storage|web)\.[a-z][a-z.-]*[a-z]", read(page)))
    assert {flag for flag in named if flag not in known} <= FLAGS_OF_PROMETHEUS


@each_page
def test_every_configuration_key_that_a_page_names_exists(page: str) -> None:
    known = {path.removeprefix("accounts[].") for path, _ in walk(ROOT_OF_KEYS)}
    sections = {path.partition(".")[0] for path in known if "." in path and "[" not in path}
    for key in re.findall(r"`([a-z]+(?:\.[a-z_]+)+)`", prose(page)):
        if key.partition(".")[0] in sections:
            assert key in known, key


def test_the_readme_and_the_permissions_name_the_requests_that_can_be_sent_and_no_others() -> None:
    paths = {f"POST {e.path}" if e.method == "POST" else e.path for e in Endpoint}
    said = prose("README.md").partition("## Permissions\n\n")[2].partition("\n\n")[0]
    assert set(re.findall(r"`((?:POST )?/[a-z/{}]+)`", said)) == paths
    table = prose("docs/operating.md").partition("## Permissions\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `((?:POST )?/[a-z/{}]+)` \|", table, re.MULTILINE)) == paths


@each_page
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    path = ROOT / page
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        if target.startswith("https://"):
            continue
        file, _, anchor = target.partition("#")
        linked = (path.parent / file).resolve() if file else path
        assert linked.exists(), target
        assert linked.is_relative_to(ROOT), target
        if anchor:
            assert anchor in _anchors(linked.read_text(encoding="utf-8")), target


def test_every_page_is_linked_from_the_readme_or_from_a_page_that_it_links() -> None:
    """A page that nobody finds is not there."""
    reached, ahead = set[str](), ["README.md"]
    while ahead:
        page = ahead.pop()
        if page in reached:
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)#]+\.md)[)#]", prose(page)):
            if not target.startswith("https://"):
                ahead.append((ROOT / page).parent.joinpath(target).resolve().relative_to(ROOT).as_posix())
    assert set(pages()) - reached <= NOT_FOR_USERS


@functools.cache
def flags_of_all_commands() -> set[str]:
    """Every flag that the help shows."""
    done = subprocess.run([sys.executable, "-m", "exporter", "--help"], capture_output=True, text=True, check=True)
    return set(re.findall(r"--[a-z][a-z.-]*[a-z]", done.stdout))


def _anchors(text: str) -> set[str]:
    """What the headings of a page are linked by: as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
