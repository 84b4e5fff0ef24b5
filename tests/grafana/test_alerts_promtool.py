"""Alert rules in the hands of promtool, pint, amtool and vmalert, where these are at hand."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from .alert_rules import ALERTS, OPTIONAL_FILES, RULE_FILES
from .promtools import PROMTOOLS, each_promtool, programs, run

RUNBOOKS = ALERTS.parents[1] / "docs" / "alerts.md"


PROMTOOL = next(iter(PROMTOOLS.values()), None)
PINT = next(iter(programs("pint")), None)
AMTOOL = shutil.which("amtool")
EXAMPLE = ALERTS.parents[1] / "deploy" / "compose" / "alertmanager.yml"


@each_promtool
def test_rules_pass_every_lint(promtool: Path) -> None:
    run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULE_FILES, *OPTIONAL_FILES)


@pytest.mark.skipif(PINT is None, reason="no pint: go install github.com/cloudflare/pint/cmd/pint@v0.87.0")
def test_pint_finds_nothing() -> None:
    assert PINT
    run(PINT, "--offline", "--no-color", "lint", "--fail-on=info", "--min-severity=info", *RULE_FILES, *OPTIONAL_FILES)


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
    shutil.copytree(ALERTS, tmp_path / "flatfile", ignore=shutil.ignore_patterns("build", "optional"))
    output = run(PROMTOOL, "check", "config", tmp_path / "prometheus.yml")
    assert f"{len(RULE_FILES)} rule files found" in output or output.count("SUCCESS") > len(RULE_FILES)


@pytest.mark.skipif(AMTOOL is None, reason="no amtool: apt-get install prometheus-alertmanager")
def test_alertmanager_reads_the_example() -> None:
    assert AMTOOL
    run(AMTOOL, "check-config", EXAMPLE)
    for severity, receiver in (("critical", "pager"), ("warning", "team"), ("info", "nobody")):
        routed = run(
            AMTOOL,
            "config",
            "routes",
            "test",
            f"--config.file={EXAMPLE}",
            "alertname=FlatfileX",
            f"severity={severity}",
        )
        assert routed.strip() == receiver


def test_the_example_for_alertmanager_is_the_same_in_the_runbooks() -> None:
    (block,) = blocks("yaml", "inhibit_rules:")
    assert yaml.safe_load(block) == yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))


def test_an_address_of_grafana_is_put_before_each_link(tmp_path: Path) -> None:
    (block,) = blocks("sh", "grafana.example.com")
    for path in RULE_FILES:
        shutil.copy(path, tmp_path)
    run("sh", "-c", block, cwd=tmp_path)
    links = re.findall(
        r"dashboard_url: (\S+)", "".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    )
    assert links
    assert all(link.startswith("https://grafana.example.com/d/flatfile-") for link in links)


@pytest.mark.skipif(shutil.which("vmalert") is None, reason="no vmalert: apt-get install victoria-metrics")
def test_vmalert_takes_the_rules_without_what_older_ones_do_not_know(tmp_path: Path) -> None:
    (block,) = blocks("sh", "keep_firing_for")
    for path in (*RULE_FILES, *OPTIONAL_FILES):
        shutil.copy(path, tmp_path)
    run("sh", "-c", block, cwd=tmp_path)
    run("vmalert", "-dryRun", f"-rule={tmp_path}/*.yaml")


def test_the_command_for_the_operator_makes_prometheus_rules() -> None:
    (block,) = blocks("sh", "PrometheusRule")
    made = run("sh", "-c", block, cwd=ALERTS)
    documents = list(yaml.safe_load_all(made))
    assert [document["kind"] for document in documents] == ["PrometheusRule"] * len(RULE_FILES)
    assert [document["spec"] for document in documents] == [
        yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULE_FILES
    ]
