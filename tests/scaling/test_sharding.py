"""Accounts shared out over two exporters by Prometheus: each is asked by one of them alone, and none is left out."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from exporter.demo.accounts import sized_world
from exporter.demo.server import DemoServer
from tests.e2e.process import Exporter, eventually, serving
from tests.grafana.e2e import programs
from tests.grafana.e2e.programs import Prometheus
from tests.serving import account_lines, configuration

GUIDE = Path(__file__).parents[2] / "docs" / "scaling.md"
NAMES = [f"customer{number}" for number in range(8)]
EXPORTERS = ("flatfile-exporter-0:10056", "flatfile-exporter-1:10056")
"""As docs/scaling.md calls them."""


@pytest.fixture
def exporters(tmp_path: Path) -> Iterator[list[Exporter]]:
    """Two of one configuration, of which each knows all accounts."""
    world = sized_world(time.time, environments=1, spaces=2, guests=2, users=3, agents=1)
    with ExitStack() as stack:
        api = stack.enter_context(DemoServer(world).in_thread())
        text = configuration(*(account_lines(name, api.base_url) for name in NAMES))
        folders = [tmp_path / str(number) for number in range(2)]
        for folder in folders:
            folder.mkdir()
        yield [stack.enter_context(serving(text, folder)) for folder in folders]


def test_the_guide_shares_accounts_out(prometheus_program: str, exporters: list[Exporter], tmp_path: Path) -> None:
    with prometheus(prometheus_program, "hashmod", exporters, tmp_path) as running:
        up = "up{job='flatfile'} == 1"
        eventually(lambda: len(running.now(up)) == len(NAMES) + len(exporters), "each account once, and the exporters")
        known = running.now("flatfile_up == 1")
        assert sorted(one["metric"]["account"] for one in known) == NAMES
        asked = [accounts_asked(exporter) for exporter in exporters]
        assert asked[0].isdisjoint(asked[1])
        assert sorted(asked[0] | asked[1]) == NAMES
        assert all(asked), "each has some"
        assert {one["metric"]["instance"].partition("/")[2] for one in running.now(up)} == {"", *NAMES}


def test_the_guides_pair_is_scraped_twice(prometheus_program: str, exporters: list[Exporter], tmp_path: Path) -> None:
    with prometheus(prometheus_program, "pair", exporters, tmp_path) as running:
        eventually(lambda: len(running.now("flatfile_up == 1")) == 2 * len(NAMES), "each account from both")
        assert len(running.now("max by (account) (flatfile_up)")) == len(NAMES)
        assert [accounts_asked(exporter) for exporter in exporters] == [set(NAMES)] * 2


def accounts_asked(exporter: Exporter) -> set[str]:
    """The accounts for which it has sent requests to Flatfile."""
    lines = exporter.page("/metrics?only=exporter").splitlines() + exporter.page("/metrics?collect[]=none").splitlines()
    asked = [line for line in lines if line.startswith("flatfile_exporter_api_requests_total{")]
    return {line.split('account="')[1].split('"')[0] for line in asked}


def prometheus(program: str, name: str, exporters: list[Exporter], directory: Path):  # type: ignore[no-untyped-def]
    """Prometheus with a configuration of the guide: the exporters' addresses and the intervals are all that is changed."""
    (text,) = [block for block in _blocks() if block.startswith(f"# {name}\n")]
    for there, exporter in zip(EXPORTERS, exporters, strict=True):
        assert there in text
        text = text.replace(there, exporter.url.removeprefix("http://"))
    config = yaml.safe_load(text) | {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}}
    return programs.prometheus(program, config, directory)


def _blocks() -> list[str]:
    return [part.split("```")[0] for part in GUIDE.read_text(encoding="utf-8").split("```yaml\n")[1:]]
