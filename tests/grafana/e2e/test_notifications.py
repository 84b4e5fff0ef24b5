"""The example of an Alertmanager configuration: how many messages a trouble makes, by alerts posted to a real Alertmanager."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import yaml

from tests.e2e.process import eventually

from . import programs
from .webhook import listening

EXAMPLE = Path(__file__).parents[3] / "deploy" / "compose" / "alertmanager.yml"


def messages(program: str, directory: Path, alerts: Sequence[dict[str, str]], *, of: int) -> int:
    """How many messages tell of the alerts; `of` are told, the others are inhibited."""
    config = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    config["route"]["group_wait"] = "300ms"
    with listening() as webhook:
        for receiver in config["receivers"]:
            receiver["webhook_configs"] = [{"url": webhook.url, "max_alerts": 0}]
        with programs.alertmanager(program, config, directory) as address:
            body = [{"labels": labels} for labels in alerts]
            assert httpx.post(f"http://{address}/api/v2/alerts", json=body, trust_env=False).status_code == 200
            eventually(lambda: len(webhook.notified) >= of, "all of them are told")
        assert len(webhook.notified) == of
        return webhook.messages


def alert(name: str, severity: str, **labels: str) -> dict[str, str]:
    return {"alertname": name, "severity": severity, "account": "acme"} | labels


def test_three_agents_of_an_environment_are_one_message(alertmanager_program: str, tmp_path: Path) -> None:
    gone = [alert("FlatfileAgentMissing", "critical", environment_id="p", agent=str(number)) for number in range(3)]
    assert messages(alertmanager_program, tmp_path, gone, of=3) == 1


def test_collectors_of_an_account_are_one_message(alertmanager_program: str, tmp_path: Path) -> None:
    failing = [alert("FlatfileCollectorFailing", "warning", collector=name) for name in ("spaces", "guests")]
    assert messages(alertmanager_program, tmp_path, failing, of=2) == 1


def test_a_critical_alert_inhibits_its_warning(alertmanager_program: str, tmp_path: Path) -> None:
    both = [alert("FlatfileJobsFailing", severity, environment_id="p") for severity in ("critical", "warning")]
    other = alert("FlatfileJobsFailing", "warning", environment_id="d")
    assert messages(alertmanager_program, tmp_path, [*both, other], of=2) == 2
