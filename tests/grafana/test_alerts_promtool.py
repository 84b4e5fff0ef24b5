"""Alert rules in promtool's hands: syntax, lint and unit tests, with every promtool, pint and amtool that is at hand."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .alert_rules import ALERTS, RULE_FILES, TEST_FILES

RUNBOOKS = ALERTS.parents[1] / "docs" / "alerts.md"


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run it to its good end and give what it prints; all of it is in the error otherwise."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def programs(name: str) -> list[Path]:
    """Every program of that name on the path or where `go install` puts it."""
    places = os.environ["PATH"].split(os.pathsep)
    if shutil.which("go"):
        places.append(f"{run('go', 'env', 'GOPATH').strip()}/bin")
    return list(dict.fromkeys(Path(place, name).resolve() for place in places if os.access(Path(place, name), os.X_OK)))


def promtools() -> dict[str, Path]:
    """The first promtool of Prometheus 2 and of 3; one built by Go does not tell its version, but has the flags of its time."""
    found: dict[str, Path] = {}
    for path in programs("promtool"):
        newer = "ignore-unknown-fields" in run(path, "check", "rules", "--help")
        found.setdefault("3" if newer else "2", path)
    return found


PROMTOOLS = promtools()
PROMTOOL = next(iter(PROMTOOLS.values()), None)
PINT = next(iter(programs("pint")), None)
AMTOOL = shutil.which("amtool")

each_promtool = pytest.mark.parametrize(
    "promtool",
    [
        pytest.param(
            PROMTOOLS.get(major),
            id=f"promtool {major}",
            marks=pytest.mark.skipif(major not in PROMTOOLS, reason=f"no promtool of Prometheus {major}"),
        )
        for major in ("2", "3")
    ],
)
each_test_file = pytest.mark.parametrize("file", TEST_FILES, ids=lambda file: file.stem)


@each_promtool
def test_rules_pass_every_lint(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES)


@pytest.mark.skipif(PINT is None, reason="no pint: go install github.com/cloudflare/pint/cmd/pint@v0.87.0")
def test_pint_finds_nothing() -> None:
    assert PINT
    run(PINT, "--offline", "--no-color", "lint", "--fail-on=info", "--min-severity=info", *RULE_FILES)


@each_test_file
@each_promtool
def test_alerts_do_what_their_unit_tests_say(promtool: Path, file: Path) -> None:
    run(promtool, "test", "rules", file.name, cwd=file.parent)


OURS = 'instance="exporter:10056"'


def with_target_labels(series: str) -> str:
    """The series of a target that has labels of its own."""
    return series.replace("{", '{environment="cluster-7", namespace="monitoring", ', 1)


def doubled(alert: dict[str, Any]) -> list[dict[str, Any]]:
    """The alert, and where it is about one exporter that of the second."""
    if "instance" not in alert["exp_labels"]:
        return [alert]
    text = yaml.safe_dump(alert).replace("exporter:10056", "second:10056").replace("exporter%3A10056", "second%3A10056")
    return [alert, yaml.safe_load(text)]


def second_replica_and_target_labels(file: Path) -> dict[str, Any]:
    """The same tests in another surrounding: nothing else may come of it."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    content["rule_files"] = [str((file.parent / rules).resolve()) for rules in content["rule_files"]]
    for group in content["tests"]:
        series = [each | {"series": with_target_labels(each["series"])} for each in group["input_series"]]
        second = [
            each | {"series": each["series"].replace(OURS, OURS.replace("exporter", "second"))} for each in series
        ]
        group["input_series"] = series + [each for each in second if each not in series]
        for check in group["alert_rule_test"]:
            check["exp_alerts"] = [twin for alert in check["exp_alerts"] for twin in doubled(alert)]
    return content


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool: apt-get install prometheus")
@each_test_file
def test_alerts_do_the_same_for_two_replicas_and_target_labels(file: Path, tmp_path: Path) -> None:
    assert PROMTOOL
    content = second_replica_and_target_labels(file)
    names = {each["series"].partition("{")[2] for group in content["tests"] for each in group["input_series"]}
    assert any("cluster-7" in labels for labels in names)
    assert any("second:10056" in labels for labels in names)
    (tmp_path / file.name).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    run(PROMTOOL, "test", "rules", tmp_path / file.name)


# What the runbooks tell people to paste


def blocks(language: str, word: str) -> list[str]:
    """The fenced blocks of that language that have the word in them."""
    found = re.findall(rf"```{language}\n(.*?)```", RUNBOOKS.read_text(encoding="utf-8"), flags=re.DOTALL)
    return [block for block in found if word in block]


@pytest.mark.skipif(PROMTOOL is None, reason="no promtool: apt-get install prometheus")
def test_prometheus_reads_the_configuration_of_the_runbooks(tmp_path: Path) -> None:
    assert PROMTOOL
    (block,) = blocks("yaml", "rule_files:")
    (tmp_path / "prometheus.yml").write_text(block, encoding="utf-8")
    shutil.copytree(ALERTS, tmp_path / "flatfile", ignore=shutil.ignore_patterns("tests"))
    output = run(PROMTOOL, "check", "config", tmp_path / "prometheus.yml")
    assert f"{len(RULE_FILES)} rule files found" in output or output.count("SUCCESS") > len(RULE_FILES)


@pytest.mark.skipif(AMTOOL is None, reason="no amtool: apt-get install prometheus-alertmanager")
def test_alertmanager_reads_the_configuration_of_the_runbooks(tmp_path: Path) -> None:
    assert AMTOOL
    (block,) = blocks("yaml", "inhibit_rules:")
    config = tmp_path / "alertmanager.yml"
    config.write_text(block, encoding="utf-8")
    run(AMTOOL, "check-config", config)
    for severity, receiver in (("critical", "pager"), ("warning", "team"), ("info", "nobody")):
        routed = run(
            AMTOOL, "config", "routes", "test", f"--config.file={config}", "alertname=FlatfileX", f"severity={severity}"
        )
        assert routed.strip() == receiver
    named = set(re.findall(r"Flatfile[A-Z]\w+", block))
    assert named <= {rule["alert"] for path in RULE_FILES for rule in alerts(path)}


def alerts(path: Path) -> list[dict[str, Any]]:
    """The alerts of a rule file."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [rule for group in content["groups"] for rule in group["rules"] if "alert" in rule]


def test_the_command_for_the_operator_makes_prometheus_rules() -> None:
    (block,) = blocks("sh", "PrometheusRule")
    made = run("sh", "-c", block, cwd=ALERTS)
    documents = list(yaml.safe_load_all(made))
    assert [document["kind"] for document in documents] == ["PrometheusRule"] * len(RULE_FILES)
    assert [document["spec"] for document in documents] == [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULE_FILES
    ]
