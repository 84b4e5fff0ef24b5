"""Accounts shared out over two exporters by Prometheus: each is asked by one of them alone, and none is left out."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.e2e.process import eventually, serving
from tests.grafana.e2e import programs
from tests.grafana.e2e.programs import Prometheus
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .guide import EXPORTERS, block

NAMES = [f"customer{number}" for number in range(8)]


@dataclass(frozen=True, slots=True)
class Served:
    """An exporter that knows all accounts, and the API that it alone asks."""

    address: str
    api: SimulatedServer

    @property
    def accounts_asked_for(self) -> int:
        """How many accounts have got a token: each gets one with its first request."""
        return self.api.count("/auth")


@pytest.fixture
def exporters(tmp_path: Path) -> Iterator[list[Served]]:
    world = sized_world(time.time, environments=1, spaces=2, guests=2, users=3, agents=1)
    with ExitStack() as stack:
        served = []
        for number in range(len(EXPORTERS)):
            folder = tmp_path / str(number)
            folder.mkdir()
            api = stack.enter_context(SimulatedServer(world).in_thread())
            text = configuration(*(account_lines(name, api.base_url) for name in NAMES))
            running = stack.enter_context(serving(text, folder))
            served.append(Served(running.url.removeprefix("http://"), api))
        yield served


@contextmanager
def prometheus(program: str, kind: str, exporters: list[Served], directory: Path) -> Iterator[Prometheus]:
    """Prometheus with a configuration of the guide: addresses and intervals are all that is changed."""
    text = block(kind)
    for there, exporter in zip(EXPORTERS, exporters, strict=True):
        assert there in text
        text = text.replace(there, exporter.address)
    assert "30s" in text
    config = yaml.safe_load(text.replace("30s", "1s").replace("10s", "1s"))
    with programs.prometheus(program, config, directory) as running:
        yield running


def test_accounts_are_shared_out(prometheus_program: str, exporters: list[Served], tmp_path: Path) -> None:
    with prometheus(prometheus_program, "yaml hashmod", exporters, tmp_path) as running:
        eventually(lambda: len(running.now("flatfile_up == 1")) == len(NAMES), "all accounts are scraped")
        eventually(lambda: len(running.now("up == 1")) == len(NAMES) + len(exporters), "so are the exporters")
        known = [one["metric"] for one in running.now("flatfile_up == 1")]
        assert sorted(one["account"] for one in known) == NAMES
        shares = Counter(one["instance"].partition("/")[0] for one in known)
        assert shares == {exporter.address: exporter.accounts_asked_for for exporter in exporters}
        assert len(shares) == len(exporters), "each has some"


def test_a_pair_knows_each_account_twice(prometheus_program: str, exporters: list[Served], tmp_path: Path) -> None:
    with prometheus(prometheus_program, "yaml pair", exporters, tmp_path) as running:
        eventually(lambda: len(running.now("flatfile_up == 1")) == 2 * len(NAMES), "all accounts, by both")
        assert len(running.now("max by (account) (flatfile_up)")) == len(NAMES)
        assert [exporter.accounts_asked_for for exporter in exporters] == [len(NAMES)] * 2
