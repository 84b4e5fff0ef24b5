"""The jsonnet mixin gives the rules of the rule files and the dashboards, with settings of one's own."""

import json
import subprocess
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helm import go_programs

from .alert_rules import OPTIONAL_FILES, RULE_FILES

MIXIN = Path(__file__).parents[2] / "grafana" / "mixin" / "mixin.libsonnet"
DASHBOARDS = MIXIN.parents[1] / "dashboards"
NEEDS_LOKI = {"flatfile-audit.json"}


@pytest.fixture(scope="module")
def jsonnet() -> str:
    try:
        return go_programs.program("jsonnet")
    except go_programs.MissingError as error:
        pytest.skip(str(error))


def rendered(jsonnet: str, config: str = "{}") -> dict[str, Any]:
    text = f"local m = (import '{MIXIN}') + {{ _config+:: {config} }};" + (
        "{ alerts: m.prometheusAlerts, rules: m.prometheusRules, dashboards: m.grafanaDashboards }"
    )
    done = subprocess.run([jsonnet, "-e", text], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def groups(*files: Path) -> list[Any]:
    found = [group for file in files for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]]
    return sorted(found, key=itemgetter("name"))


def test_it_has_the_rules_and_dashboards(jsonnet: str) -> None:
    mixin = rendered(jsonnet)
    both = mixin["alerts"]["groups"] + mixin["rules"]["groups"]
    assert sorted(both, key=itemgetter("name")) == groups(*RULE_FILES)
    assert all("record" in rule for group in mixin["rules"]["groups"] for rule in group["rules"])
    boards = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS.glob("*.json")}
    assert mixin["dashboards"] == {name: board for name, board in boards.items() if name not in NEEDS_LOKI}


def test_settings_and_the_optional_rules(jsonnet: str) -> None:
    plain = rendered(jsonnet, "{ optional: true }")
    both = plain["alerts"]["groups"] + plain["rules"]["groups"]
    assert sorted(both, key=itemgetter("name")) == groups(*RULE_FILES, *OPTIONAL_FILES)
    changed = json.dumps(
        rendered(jsonnet, "{ severity_production: 'page', grafana_url: 'https://grafana.example.com' }")
    )
    assert '"severity": "page"' in changed
    assert '"dashboard_url": "https://grafana.example.com/d/' in changed
