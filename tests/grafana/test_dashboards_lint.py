"""The rules of Grafana's dashboard-linter, kept by every dashboard, with the exceptions of the `.lint` file alone."""

import copy
import shutil
import subprocess
from typing import Any

import pytest

from . import dashboard_lint
from .queries import FOLDERS, Json, dashboards, panels

DASHBOARDS = FOLDERS["prometheus"]

BY_UID = dashboards()


@pytest.fixture(params=sorted(BY_UID))
def dashboard(request: pytest.FixtureRequest) -> Json:
    return BY_UID[request.param]


def _lint_exclusions() -> list[dashboard_lint.Exclusion]:
    return dashboard_lint.exclusions(DASHBOARDS / ".lint")


def test_there_are_17_rules() -> None:
    assert len(dashboard_lint.RULES) == 17


def test_keeps_the_linters_rules(dashboard: Json) -> None:
    allowed = {(e.rule, e.dashboard, e.panel) for e in _lint_exclusions()}
    found = {(f.rule, dashboard["title"], f.panel): f.message for f in dashboard_lint.lint(dashboard)}
    assert {key: message for key, message in found.items() if key not in allowed} == {}


def test_every_exception_is_needed_and_has_a_reason() -> None:
    found = {(f.rule, d["title"], f.panel) for d in BY_UID.values() for f in dashboard_lint.lint(d)}
    for exclusion in _lint_exclusions():
        assert (exclusion.rule, exclusion.dashboard, exclusion.panel) in found
        assert len(exclusion.reason) > 20


def _breakages() -> dict[str, Any]:
    def variable(which: str, **changes: Any) -> Any:
        return lambda d: next(v for v in d["templating"]["list"] if v["name"] == which).update(changes)

    def expr(text: str) -> Any:
        return lambda d: next(panels(d))["targets"][0].update(expr=text)

    def unit(value: str) -> Any:
        return lambda d: next(panels(d))["fieldConfig"]["defaults"].update(unit=value)

    both = 'job=~"$job", instance=~"$instance"'
    return {
        "template-datasource-rule": variable("datasource", name="ds"),
        "template-job-rule": variable("job", multi=False),
        "template-instance-rule": variable("instance", allValue=".*"),
        "template-label-promql-rule": variable("account", query={"query": "label_values(flatfile_up{, account)"}),
        "template-on-time-change-reload-rule": variable("environment", refresh=1),
        "panel-datasource-rule": lambda d: next(panels(d)).update(datasource={"uid": "abc", "type": "prometheus"}),
        "panel-title-description-rule": lambda d: next(panels(d)).update(description=""),
        "panel-units-rule": unit("parsecs"),
        "panel-no-targets-rule": lambda d: next(panels(d)).update(targets=[]),
        "target-logql-rule": lambda d: next(panels(d))["targets"][0].update(datasource={"type": "loki", "uid": "$x"}),
        "target-logql-auto-rule": expr("rate(x[$__auto])"),
        "target-promql-rule": expr("sum(("),
        "target-rate-interval-rule": expr(f"rate(x_total{{{both}}}[5m])"),
        "target-job-rule": expr('flatfile_up{instance=~"$instance"}'),
        "target-instance-rule": expr('flatfile_up{job=~"$job"}'),
        "target-counter-agg-rule": expr(f"sum(x_total{{{both}}})"),
        "uneditable-dashboard": lambda d: d.update(editable=True),
    }


@pytest.mark.parametrize("rule", _breakages())
def test_own_lint_finds(rule: str) -> None:
    broken = copy.deepcopy(BY_UID["flatfile-exporter"])
    assert rule not in {finding.rule for finding in dashboard_lint.lint(broken)}
    _breakages()[rule](broken)
    assert rule in {finding.rule for finding in dashboard_lint.lint(broken)}


def _linter() -> str | None:
    """Grafana's own linter, where somebody has built it (grafana/README.md says how)."""
    go = shutil.which("go")
    gopath = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True).stdout.strip() if go else ""
    return shutil.which("dashboard-linter") or shutil.which("dashboard-linter", path=f"{gopath}/bin")


def test_grafanas_own_linter_agrees(dashboard: Json) -> None:
    linter = _linter()
    if linter is None:
        pytest.skip("dashboard-linter is not on PATH: only the rules' re-implementation was run")
    file = DASHBOARDS / f"{dashboard['uid']}.json"
    result = subprocess.run([linter, "lint", "--strict", file], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
