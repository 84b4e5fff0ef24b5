"""From an agent that is deleted to the message that somebody gets: exporter, Prometheus, Alertmanager, a receiver.

Time runs faster (`scaled_rules`). What the exporter withholds as too old is scaled with it.
"""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.demo.accounts import CLIENT_ID, SECRET
from exporter.demo.records import Agent, Environment
from exporter.demo.world import World
from tests.e2e.process import PATIENCE, eventually, exporter
from tests.grafana.alert_rules import RULE_FILES, rules
from tests.ports import free_port
from tests.simulator.faults import Status
from tests.simulator.server import SimulatedServer

from . import programs
from .programs import Prometheus
from .scaled_rules import FACTOR, milliseconds, write_scaled
from .webhook import Notified, Webhook, listening

DAY = 86400.0
NORD, GLOBEX = "Nord & Co", "globex"
COLLECTORS = ("environments", "spaces", "agents", "executions", "events", "users", "guests", "jobs")
COLLECTOR_FAILING = "FlatfileCollectorFailing"
MAX_AGE = 15 * 60 / FACTOR
SHIPPED = {path.name for path in RULE_FILES}
LONGEST = max(milliseconds(rule.wait or "0s") for rule in rules() if rule.file in SHIPPED) / 1000 / FACTOR + MAX_AGE
"""Seconds after which a loaded rule that took "not known" for an answer would have fired."""

DOCS = "https://github.com/flatfile-exporter/flatfile-exporter/blob/main/docs/alerts.md"


class Site:
    """One account with a production environment and another, two agents in each. Two sites have the same ids."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.world = World(time.time, name=name)
        self.production = self._environment("Production", is_prod=True)
        self.testing = self._environment('Prüfung "2"', is_prod=False)
        self.api = SimulatedServer(self.world)

    def _environment(self, name: str, *, is_prod: bool) -> Environment:
        made = self.world.add_environment(name, is_prod=is_prod, announce=False)
        space = self.world.add_space(made.id, "a space", at=time.time() - DAY, announce=False)
        self.world.add_guest(space.id, at=time.time() - DAY, announce=False)
        for slug in ("importer", "validator"):
            self.world.deploy_agent(made.id, slug, at=time.time() - DAY, announce=False)
        return made

    def delete(self, environment: Environment, slug: str) -> Agent:
        agent = self.world.find_agent(environment.id, slug)
        assert agent is not None
        self.api.call(self.world.delete_agent, agent.id)
        return agent

    def deploy_again(self, agent: Agent) -> None:
        self.api.call(self.world.deploy_agent, agent.environment_id, agent.slug)

    def missing(self, environment: Environment, slug: str) -> dict[str, str]:
        return {"account": self.name, "environment_id": environment.id, "agent": slug}


def configuration(sites: list[Site]) -> str:
    """Each agent is expected. Every scrape asks for everything, so that an answer is never older than a scrape."""
    accounts = "".join(
        f"  - name: {site.name}\n"
        f"    base_url: {site.api.base_url}\n"
        f"    auth: {{client_id: {CLIENT_ID}, client_secret: {SECRET}}}\n"
        "    expected_agents:\n"
        "      - {environment: '*', agents: [importer, validator], min: 1}\n"
        for site in sites
    )
    ages = "".join(f"  {name}: {{interval: 0s, max_age: {MAX_AGE * 1000:.0f}ms}}\n" for name in COLLECTORS)
    return f"accounts:\n{accounts}collectors:\n{ages}requests: {{timeout: 10s, per_second: 1000, retries: 1}}\n"


@dataclass
class Stack:
    """All that runs."""

    prometheus: Prometheus
    webhook: Webhook
    nord: Site
    globex: Site
    port: int
    config: Path
    _exporter: contextlib.ExitStack

    def start_exporter(self) -> None:
        arguments = (f"--config.file={self.config}", f"--web.listen-address=127.0.0.1:{self.port}")
        self._exporter.enter_context(exporter(*arguments)).listens()

    def stop_exporter(self) -> None:
        self._exporter.close()

    @property
    def target(self) -> dict[str, str]:
        return {"job": "flatfile", "instance": f"127.0.0.1:{self.port}"}

    def came(self, status: str, name: str, labels: dict[str, str]) -> Notified:
        """Wait until the last message about the alert with these labels says so."""
        until = time.monotonic() + PATIENCE
        while True:
            messages = self.webhook.of(name, labels)
            if messages and messages[-1].status == status:
                return messages[-1]
            came = "\n".join(map(str, self.webhook.notified))
            assert time.monotonic() < until, f"not in time: {name} {status} {labels}. What came:\n{came}"
            time.sleep(0.02)

    def told_of_not_knowing(self) -> list[tuple[str, dict[str, str]]]:
        """The warnings that are due when `nord` cannot be reached and `globex` does not list agents: names and labels."""
        return [
            ("FlatfileAccountUnreachable", {"account": self.nord.name}),
            (COLLECTOR_FAILING, {"account": self.globex.name, "collector": "agents"}),
        ]


@pytest.fixture
def stack(prometheus_program: str, alertmanager_program: str, tmp_path: Path) -> Iterator[Stack]:
    with contextlib.ExitStack() as parts:
        nord, globex = Site(NORD), Site(GLOBEX)
        for site in (nord, globex):
            parts.enter_context(site.api.in_thread())
        webhook = parts.enter_context(listening())
        receiver = {"name": "test", "webhook_configs": [{"url": webhook.url, "max_alerts": 0}]}
        # every alert in a message of its own, at once
        route = {"receiver": "test", "group_by": ["..."], "group_wait": "100ms", "group_interval": "500ms"}
        alerts = parts.enter_context(
            programs.alertmanager(alertmanager_program, {"route": route, "receivers": [receiver]}, tmp_path)
        )
        port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in write_scaled(tmp_path)],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alerts]}]}]},
            "scrape_configs": [
                {
                    "job_name": "flatfile",
                    "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
                }
            ],
        }
        path = tmp_path / "config.yaml"
        path.write_text(configuration([nord, globex]), encoding="utf-8")
        # series end by a stale marker here: a longer look back bridges nothing but a busy machine's pauses
        flags = {"query.lookback-delta": "15s"}
        prometheus = parts.enter_context(programs.prometheus(prometheus_program, config, tmp_path, **flags))
        running = parts.enter_context(contextlib.ExitStack())
        made = Stack(prometheus, webhook, nord, globex, port, path, running)
        made.start_exporter()
        yield made


def states(alerts: list[Notified]) -> dict[frozenset[tuple[str, str]], list[str]]:
    """What was told of each alert, by its labels."""
    told: dict[frozenset[tuple[str, str]], list[str]] = {}
    for alert in alerts:
        told.setdefault(frozenset(alert.labels.items()), []).append(alert.status)
    return told


def labels_of(name: str, severity: str, labels: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset(({"alertname": name, "severity": severity} | labels).items())


def values(prometheus: Prometheus, name: str) -> set[float]:
    """The values of the alert's firing instances: -1 where it is kept because nothing is known."""
    alerts = prometheus.ask("alerts")["alerts"]
    return {float(a["value"]) for a in alerts if a["labels"]["alertname"] == name and a["state"] == "firing"}


def test_a_missing_agent_is_told_and_an_api_that_is_down_is_not_taken_for_one(stack: Stack) -> None:
    prometheus, webhook, nord, globex = stack.prometheus, stack.webhook, stack.nord, stack.globex
    eventually(lambda: len(prometheus.now("flatfile_agent_missing == 0")) == 8, "every agent is there")
    eventually(lambda: {rule["health"] for rule in prometheus.rules()} == {"ok"}, "all rules were evaluated")

    # An agent goes, in production, and comes back.
    labels = nord.missing(nord.production, "importer")
    gone = nord.delete(nord.production, "importer")
    warned = stack.came("firing", "FlatfileAgentMissing", labels)
    assert warned.labels == {"alertname": "FlatfileAgentMissing", "severity": "critical"} | labels
    panel = warned.annotations.pop("__panelId__")
    assert panel.isdecimal()
    assert warned.annotations == {
        "summary": f"Flatfile agent importer is missing in environment Production ({nord.production.id}) of account Nord & Co",
        "description": "The configuration expects agent importer in environment Production "
        f"({nord.production.id}) of account Nord & Co, and Flatfile does not list it there. "
        "Imports that need it do not work.",
        "runbook_url": f"{DOCS}#flatfileagentmissing",
        "dashboard_url": f"/d/flatfile-agents?var-account=Nord+%26+Co&var-environment={nord.production.id}",
        "__dashboardUid__": "flatfile-agents",
    }
    nord.deploy_again(gone)
    resolved = stack.came("resolved", "FlatfileAgentMissing", labels)
    assert resolved.annotations == warned.annotations | {"__panelId__": panel}

    # Two others go. Then one account cannot be reached, and the other one does not list its agents any more.
    deleted = [(site, site.delete(site.testing, "importer")) for site in (nord, globex)]
    missing = [site.missing(site.testing, "importer") for site in (nord, globex)]
    for labels in missing:
        message = stack.came("firing", "FlatfileAgentMissing", labels)
        assert message.annotations["summary"] == (
            f'Flatfile agent importer is missing in environment Prüfung "2" ({labels["environment_id"]}) '
            f"of account {labels['account']}"
        )
    told_before = len(webhook.notified)
    nord.api.call(nord.api.stop_listening)
    refusing = globex.api.call(globex.api.faults.add, "/agents", Status(503))
    down_since = time.monotonic()
    unknown = stack.told_of_not_knowing()
    for name, labels in unknown:
        stack.came("firing", name, labels)
    eventually(lambda: time.monotonic() - down_since > LONGEST, "whatever fires falsely has had the time to", pause=0.2)
    assert prometheus.now("flatfile_agent_missing or flatfile_agents") == []
    assert values(prometheus, "FlatfileAgentMissing") == {-1.0}

    # Meanwhile the exporter ends too, and comes up knowing nothing.
    stack.stop_exporter()
    stack.came("firing", "FlatfileExporterDown", stack.target)
    stack.start_exporter()
    stack.came("resolved", "FlatfileExporterDown", stack.target)
    eventually(lambda: prometheus.now('flatfile_up{account="globex"} == 1'), "the new process asks")
    told = states(webhook.of("FlatfileAgentMissing"))
    for labels in missing:
        assert told[labels_of("FlatfileAgentMissing", "warning", labels)] == ["firing"]

    failing = {alert.labels["account"] for alert in webhook.notified[told_before:] if alert.name == COLLECTOR_FAILING}
    assert failing == {globex.name}, "that an account is unreachable explains its collectors"

    # Flatfile answers again: what was not known is, and the agents are still missing.
    nord.api.call(nord.api.listen)
    globex.api.call(globex.api.faults.remove, refusing)
    for name, labels in unknown:
        stack.came("resolved", name, labels)
    eventually(
        lambda: values(prometheus, "FlatfileAgentMissing") == {1.0}, "it is known that they are missing", pause=0.2
    )
    assert prometheus.now('changes(ALERTS_FOR_STATE{alertname="FlatfileAgentMissing"}[5m]) > 0') == []
    for site, agent in deleted:
        site.deploy_again(agent)
    for labels in missing:
        stack.came("resolved", "FlatfileAgentMissing", labels)
    # Collectors that failed for long wait before they try again, and that wait is not scaled: some are late by the rules' time.
    firing = f'ALERTS{{alertstate="firing",alertname!="{COLLECTOR_FAILING}"}}'
    eventually(lambda: prometheus.now(firing) == [], "nothing else fires any more", pause=0.2)

    # Nothing came but this, and what is about agents came once.
    about_agents = [nord.missing(nord.production, "importer"), *missing]
    critical, *others = about_agents
    once = {labels_of("FlatfileAgentMissing", "warning", labels) for labels in others}
    once.add(labels_of("FlatfileAgentMissing", "critical", critical))
    once.add(labels_of("FlatfileExporterDown", "critical", stack.target))
    told = states(webhook.notified)
    assert {labels: told[labels] for labels in once} == {each: ["firing", "resolved"] for each in once}
    more = told.keys() - once
    assert more >= {labels_of(name, "warning", labels) for name, labels in unknown}
    rest = {dict(labels)["alertname"] for labels in more if ("alertname", COLLECTOR_FAILING) not in labels}
    assert rest == {"FlatfileAccountUnreachable"}
    assert prometheus.complaints == []
