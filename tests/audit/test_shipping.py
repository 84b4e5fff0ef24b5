"""Configurations of Alloy, Vector, logrotate and systemd: whole, in agreement with one another and with the command.

Where a program is at hand, it reads its own configuration.
"""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from exporter.audit.line import KEYS
from exporter.audit.options import Options
from exporter.cli.parser import parse

AUDIT = Path(__file__).parents[2] / "deploy" / "audit"
ALLOY = (AUDIT / "audit.alloy").read_text(encoding="utf-8")
VECTOR = yaml.safe_load((AUDIT / "vector.yaml").read_text(encoding="utf-8"))
LOGROTATE = (AUDIT / "logrotate.conf").read_text(encoding="utf-8")
UNIT = (AUDIT / "flatfile-audit.service").read_text(encoding="utf-8")
LOG = "/var/log/flatfile/audit.jsonl"


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not on PATH: its syntax was not run")


def test_alloys_blocks_are_closed_and_know_each_other() -> None:
    text = re.sub(r"//.*", "", re.sub(r'"[^"]*"', '""', ALLOY))
    for opening, closing in ("{}", "[]", "()"):
        assert text.count(opening) == text.count(closing)
    depth = 0
    for line in text.splitlines():
        depth += line.count("{") - line.count("}")
        assert depth >= 0
    components = {f"{kind}.{name}" for kind, name in re.findall(r'^([a-z_.]+) "(\w+)" {$', ALLOY, re.MULTILINE)}
    assert components == {"loki.source.file.flatfile_audit", "loki.process.flatfile_audit", "loki.write.loki"}
    referred = {name.removesuffix(".receiver") for name in re.findall(r"forward_to = \[([\w.]+)\]", ALLOY)}
    assert referred == components - {"loki.source.file.flatfile_audit"}


def test_alloy_takes_the_events_time_and_one_label() -> None:
    assert f'"__path__" = "{LOG}", "job" = "flatfile-audit"' in ALLOY
    (expression,) = re.findall(r'expressions = {"(\w+)" = "(\w+)"}', ALLOY)
    assert expression == ("time", "time")
    assert "time" in KEYS
    assert 'source = "time"' in ALLOY
    assert 'values = ["filename"]' in ALLOY
    assert "stage.labels" not in ALLOY


@needs("alloy")
def test_alloy_reads_its_configuration() -> None:
    subprocess.run(["alloy", "fmt", "--test", AUDIT / "audit.alloy"], check=True)


def test_vectors_parts_know_each_other() -> None:
    (source,), (transform,), (sink,) = (VECTOR[kind].items() for kind in ("sources", "transforms", "sinks"))
    assert transform[1]["inputs"] == [source[0]]
    assert sink[1]["inputs"] == [transform[0]]
    assert (source[1]["type"], transform[1]["type"], sink[1]["type"]) == ("file", "remap", "loki")


def test_vector_takes_the_events_time_and_one_label() -> None:
    source, transform, sink = (next(iter(VECTOR[kind].values())) for kind in ("sources", "transforms", "sinks"))
    assert source["include"] == [LOG]
    assert re.findall(r"event\.(\w+)", transform["source"]) == ["time"]
    assert sink["labels"] == {"job": "flatfile-audit"}
    assert sink["encoding"] == {"codec": "text"}


@needs("vector")
def test_vector_reads_its_configuration() -> None:
    subprocess.run(["vector", "validate", "--no-environment", AUDIT / "vector.yaml"], check=True)


def test_the_service_runs_the_command_that_all_others_expect() -> None:
    (line,) = re.findall(r"^ExecStart=((?:.+\\\n)*.+)$", UNIT, re.MULTILINE)
    _, *arguments = shlex.split(line.replace("\\\n", " "))
    given = Options.of(parse(arguments))
    assert (given.follow, str(given.output)) == (True, LOG)
    assert str(given.state) == "/var/lib/flatfile-audit/state.sqlite"
    assert "LogsDirectory=flatfile\n" in UNIT
    assert "StateDirectory=flatfile-audit\n" in UNIT


@needs("systemd-analyze")
def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """In a copy that starts something that is there."""
    unit = tmp_path / "flatfile-audit.service"
    unit.write_text(re.sub(r"ExecStart=(.+\\\n)*.+", "ExecStart=/bin/true", UNIT), encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert "flatfile-audit" not in done.stderr


def test_rotation_is_of_the_log_and_tells_the_service() -> None:
    assert re.search(rf"^{LOG} {{$", LOGROTATE, re.MULTILINE)
    assert "--signal=HUP flatfile-audit.service" in LOGROTATE
    (user,) = re.findall(r"^User=(\w+)$", UNIT, re.MULTILINE)
    (group,) = re.findall(r"^Group=(\w+)$", UNIT, re.MULTILINE)
    assert f"create 0640 {user} {group}" in LOGROTATE
    assert "delaycompress" in LOGROTATE


@needs("logrotate")
def test_logrotate_reads_its_configuration(tmp_path: Path) -> None:
    config = tmp_path / "logrotate.conf"
    config.write_text(re.sub(r"create .*", "create", LOGROTATE), encoding="utf-8")
    config.chmod(0o644)
    done = subprocess.run(
        ["logrotate", "--debug", "--state", tmp_path / "state", config], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
