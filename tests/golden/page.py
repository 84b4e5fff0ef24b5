"""The page of the fixed account, as lines: its shape, and the values that do not depend on the machine or the moment."""

import re
import tempfile
from pathlib import Path

from exporter.account.accounts import Accounts
from exporter.account.families import FAMILIES as ACCOUNT_FAMILIES
from exporter.collectors import REGISTRY
from exporter.config import Config
from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.exposition.families import Desc, Family
from exporter.exposition.text import Format
from exporter.web import self_metrics
from exporter.web.self_metrics import OwnMetrics
from tests.collectors.exported import ONE_BY_ONE, Exported, Time
from tests.exposition.rendered import render
from tests.simulator.worlds import fixed_world

SHAPE = Path(__file__).parent / "shape.txt"
VALUES = Path(__file__).parent / "values.txt"
SETTINGS = """\
spaces: {per_space: true}
expected_agents:
  - {environment: production, agents: ["import-*", validator], min: 2}
  - {environment: gone, agents: [importer], min: 1}"""
ALL_TOPICS_AT_0 = re.compile(r"flatfile_events_total\{.*\} 0$")
PASSING = re.compile(
    r"process_|python_|flatfile_exporter_build_info|flatfile_exporter_api_request_duration_seconds"
    r"|flatfile_exporter_api_response_bytes_total"
)
"""What depends on the machine, the program's version or the moment."""


async def fixed_families() -> list[Family]:
    """All families of the fixed account, whose state is stored, on its first page, and of the exporter itself."""
    time = Time()
    auth = f"{{client_id: {CLIENT_ID}, client_secret: {SECRET}}}"
    with tempfile.TemporaryDirectory() as place:
        return await _families(time, auth, Path(place) / "acme.sqlite")


async def _families(time: Time, auth: str, path: Path) -> list[Family]:
    async with Exported(fixed_world(time), time, SETTINGS, more=ONE_BY_ONE, auth=auth) as exported:
        await exported.account.aclose()
        exported.account = exported.restarted(path)
        accounts = Accounts(lambda: Config((exported.account.config,), ()), time.clock)
        await accounts.reload()
        own = OwnMetrics(accounts)
        own.expect("/metrics", "/probe")
        await exported.scrape()
        own.scrape("/metrics", complete=True)
        families = [*await exported.account.page.families(), *own.families()]
        await accounts.aclose()
    return families


def described() -> list[Desc]:
    """The families that the code describes, but those that the client library makes."""
    of_collectors = [desc for module in REGISTRY.values() for desc in module.FAMILIES]
    return [*of_collectors, *ACCOUNT_FAMILIES, *self_metrics.FAMILIES]


def shape(families: list[Family]) -> str:
    """A line for each family: name, type, label names, help."""
    lines = [f"{desc.name} {desc.type} {','.join(desc.labels)} {desc.help}" for desc in {f.desc for f in families}]
    return "\n".join(sorted(lines)) + "\n"


def values(families: list[Family]) -> str:
    """The samples as they stand on the page, sorted; topics that nothing happened in are left out."""
    page = render([family for family in families if not PASSING.match(family.desc.name)], Format.TEXT_0_0_4)
    lines = [line for line in page.body.decode().split("\n") if line and not line.startswith("#")]
    return "\n".join(sorted(line for line in lines if not ALL_TOPICS_AT_0.match(line))) + "\n"
