"""On vmalert and VictoriaMetrics, an alert about an account goes on while the exporter is stopped."""

from contextlib import ExitStack
from pathlib import Path

from tests.e2e.process import eventually, serving
from tests.grafana.e2e.programs import Json
from tests.grafana.e2e.scaled_rules import write_scaled
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer

from .engines import for_older_vmalert, victoria_metrics, vmalert

EXPECTED = "expected_agents: [{environment: production, agents: [ghost]}]"


def test_it_goes_on(
    victoria_metrics_program: str, vmalert_program: str, living_api: SimulatedServer, tmp_path: Path
) -> None:
    text = configuration(
        account_lines("acme", living_api.base_url, more=EXPECTED), more="requests: {per_second: 1000}\n"
    )
    rules = [for_older_vmalert(path) for path in write_scaled(tmp_path)]
    with ExitStack() as stack:
        running = stack.enter_context(ExitStack())
        exporter = running.enter_context(serving(text, tmp_path))
        scrape: Json = {
            "scrape_configs": [
                {
                    "job_name": "flatfile",
                    "scrape_interval": "1s",
                    "static_configs": [{"targets": [exporter.url.removeprefix("http://")]}],
                }
            ]
        }
        victoria = stack.enter_context(victoria_metrics(victoria_metrics_program, scrape, tmp_path))
        stack.enter_context(vmalert(vmalert_program, victoria, rules, tmp_path))

        def firing(name: str) -> list[Json]:
            return victoria.now(f'ALERTS{{alertname="{name}",alertstate="firing"}}')

        eventually(lambda: firing("FlatfileAgentMissing"), "the agent that there is not is told", pause=0.2)
        running.close()
        eventually(lambda: firing("FlatfileExporterDown"), "that the exporter is down is told", pause=0.2)
        lasting = 'count_over_time((count(ALERTS{alertname="FlatfileExporterDown",alertstate="firing"}))[60s:1s]) >= 15'
        eventually(lambda: victoria.now(lasting), "it has been down for half an hour of the rules' time", pause=0.2)
        (missing,) = firing("FlatfileAgentMissing")
        assert missing["metric"]["severity"] == "critical"
        (seconds,) = victoria.now(
            lasting.replace("ExporterDown", "AgentMissing").replace("60s", "15s").replace(">= 15", "")
        )
        assert float(seconds["value"][1]) >= 14
