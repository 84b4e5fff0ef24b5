"""Names of any length of one account: the page keeps its size, and the scrape succeeds with a label length limit."""

import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import serving
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

CONFIG = f"""\
accounts:
  - {{name: acme, base_url: '%s', auth: {{client_id: {CLIENT_ID}, client_secret: '{SECRET}'}}}}
"""


def test_one_customers_text_does_not_break_the_page(tmp_path: Path) -> None:
    world = sized_world(time.time, environments=1, spaces=2, guests=0, users=1, agents=1, events=2)
    long_name = "name " * 1000
    environment = world.add_environment(long_name, announce=False)
    for number in range(2):  # cut, they are one series
        world.emit("topic:" + "t" * 300 + str(number) + "t" * 30_000, environment.id, at=time.time() - 60, runs=False)
    world.deploy_agent(environment.id, "slug" * 5000, at=time.time(), announce=False)
    with SimulatedServer(world).in_thread() as api, serving(CONFIG % api.base_url, tmp_path) as exporter:
        for _ in range(2):
            page = exporter.page()
        assert len(page) < 300_000
        values = {value for f in parse_text(page) for s in f.samples for value in s.labels.values()}
        assert max(map(len, values)) == 200
        assert long_name[:199] + "…" in values
        [truncated] = [f for f in parse_text(page) if f.name == "flatfile_exporter_label_values_truncated"]
        assert truncated.samples[0].value >= 4
        warned = [line for line in exporter.lines if "several samples of the same series" in line]
        assert len(warned) == 1
        assert "account=acme" in warned[0]
