"""The compose stack and Grafana's provisioning: valid, hardened, pinned, and in agreement with one another."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
PROMETHEUS = DEPLOY / "compose" / "prometheus.yml"
ALERTMANAGER = DEPLOY / "compose" / "alertmanager.yml"
PROVISIONING = ROOT / "grafana" / "provisioning"
SCHEMA = Path(__file__).parent / "data" / "compose-spec.schema.json"


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


STACK = load(COMPOSE)
SERVICES: dict[str, Any] = STACK["services"]


def run(*command: str | Path) -> None:
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"needs {program}")


def compose() -> list[str] | None:
    """The command of Compose, version 2 or newer: as docker's plugin, or by itself."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]):
            version = subprocess.run([*command, "version"], capture_output=True, text=True)
            if version.returncode == 0 and version.stdout.startswith("Docker Compose version"):
                return command
    return None


def test_compose_file_fits_the_schema() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    assert [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(STACK)] == []


def test_the_schema_finds_a_misspelt_key() -> None:
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    broken = STACK | {"services": {"exporter": {"image": "x", "read_olny": True}}}
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(broken))


def test_compose_reads_its_file() -> None:
    command = compose()
    if command is None:
        pytest.skip("Docker Compose is not at hand: the schema alone was checked")
    run(*command, "-f", COMPOSE, "config", "--quiet")


@pytest.mark.parametrize("service", SERVICES)
def test_service_has_no_rights(service: str) -> None:
    about = SERVICES[service]
    assert about["read_only"] is True
    assert about["cap_drop"] == ["ALL"]
    assert about["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(about)


@pytest.mark.parametrize("service", SERVICES)
def test_service_is_reached_from_this_machine_alone(service: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[service]["ports"])


def test_images_are_pinned() -> None:
    for name, about in SERVICES.items():
        if "build" not in about:
            assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+(@sha256:[0-9a-f]{64})?", about["image"]), name


def test_mounted_files_are_there_and_cannot_be_written() -> None:
    for about in SERVICES.values():
        for volume in about.get("volumes", ()):
            source, _, *options = volume.split(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), volume
                assert options == ["ro"], volume
            else:
                assert source in STACK["volumes"], volume


@needs("promtool")
def test_prometheus_reads_its_configuration_with_the_alert_rules(tmp_path: Path) -> None:
    """In a folder like the container's, with the rules where the stack mounts them."""
    shutil.copy(PROMETHEUS, tmp_path / "prometheus.yml")
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    assert mounts["../grafana/alerts"] == "/etc/prometheus/rules"
    (tmp_path / "rules").symlink_to(ROOT / "grafana" / "alerts")
    run("promtool", "check", "config", tmp_path / "prometheus.yml")
    (pattern,) = load(PROMETHEUS)["rule_files"]
    assert list(tmp_path.glob(pattern))


@needs("amtool")
def test_alertmanager_reads_its_configuration() -> None:
    run("amtool", "check-config", ALERTMANAGER)


def test_parts_know_each_other_by_name_and_port() -> None:
    config = load(PROMETHEUS)
    addresses = config["scrape_configs"][0]["static_configs"][0]["targets"]
    addresses += config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    addresses += [SERVICES["grafana"]["environment"]["PROMETHEUS_URL"].removeprefix("http://")]
    published = {f"{name}:{port.rsplit(':', 1)[1]}" for name, about in SERVICES.items() for port in about["ports"]}
    assert set(addresses) <= published


def test_grafana_finds_data_source_and_dashboards() -> None:
    (source,) = load(PROVISIONING / "datasources" / "flatfile.yaml")["datasources"]
    assert source["type"] == "prometheus"
    assert source["url"] == "${PROMETHEUS_URL}"
    assert source["jsonData"]["timeInterval"] == load(PROMETHEUS)["global"]["scrape_interval"]
    (provider,) = load(PROVISIONING / "dashboards" / "flatfile.yaml")["providers"]
    assert provider["allowUiUpdates"] is False
    mounts = dict(volume.split(":")[:2] for volume in SERVICES["grafana"]["volumes"])
    assert mounts["../grafana/dashboards"] == provider["options"]["path"]
    assert mounts["../grafana/provisioning"] == "/etc/grafana/provisioning"
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "grafana" / "dashboards" / Path(home).name).exists()
