"""What the Pod runs: the rendered arguments, configuration and credentials, given to the real exporter and Prometheus."""

import base64
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli.parser import parse as parse_flags
from exporter.config import Config, parse
from exporter.demo.accounts import CLIENT_ID, SECRET
from tests.e2e.process import Exporter, eventually
from tests.e2e.process import exporter as started_exporter
from tests.e2e.test_prometheus import started
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import sized_world

from .rendering import MOUNTED, VALUES_FILES, Helm, Rendered

WITH_ACCOUNTS = ("accounts", "inline", "operator", "storage")


def mount(rendered: Rendered, directory: Path) -> Config:
    """Put into a folder what Kubernetes would mount, and load the configuration from there."""
    data = {one["metadata"]["name"]: one["data"] for one in rendered.all("Secret")}
    for path, secret, key in rendered.credential_files():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(base64.b64decode(data[secret][key]) if secret in data else b"credential")
        file.chmod(0o440)
    text = rendered.config.replace(MOUNTED, str(directory))
    file = directory / "config" / "config.yaml"
    file.parent.mkdir()
    file.write_text(text, encoding="utf-8")
    return parse(text, str(file))


@pytest.mark.parametrize("name", WITH_ACCOUNTS)
def test_the_configuration_is_one_and_finds_its_credentials(
    all_rendered: dict[str, Rendered], tmp_path: Path, name: str
) -> None:
    config = mount(all_rendered[name], tmp_path)
    assert config.warnings == ()
    (file,) = (path for path in VALUES_FILES if path.stem == f"{name}-values")
    values = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert [account.name for account in config.accounts] == [account["name"] for account in values["accounts"]]


def test_settings_arrive_at_their_account(all_rendered: dict[str, Rendered], tmp_path: Path) -> None:
    config = mount(all_rendered["accounts"], tmp_path)
    acme, europe, globex, *_ = config.accounts
    assert acme.environments.exclude == ("*-sandbox",)
    assert acme.requests.max_pages == 10_000_000
    assert acme.requests.per_second == 0.5
    assert (acme.requests.timeout, europe.requests.timeout) == (20, 20)
    assert europe.base_url == "https://platform.eu.flatfile.com/api/v1"
    assert not any(account.collectors["guests"].enabled for account in config.accounts)
    files = [path for path, _, _ in all_rendered["accounts"].credential_files()]
    assert len(files) == len(set(files)) == 7
    assert globex.auth == mount_free_auth(tmp_path, "globex")


def mount_free_auth(directory: Path, name: str) -> Any:
    """The credentials of an account whose client id stands in the values, as the exporter reads them."""
    text = f"accounts: [{{name: {name}, auth: {{client_id: 1234-1234, client_secret_file: accounts/{name}/client-secret}}}}]"
    return parse(text, str(directory / "config.yaml")).accounts[0].auth


def test_names_that_look_alike_have_folders_of_their_own(helm: Helm, tmp_path: Path) -> None:
    names = ["acme.europe", "acme/europe", "acme-europe", "..", "acme" * 20, "acme" * 21]
    accounts = [{"name": name, "auth": {"accessToken": f"token-of-{number}"}} for number, name in enumerate(names)]
    rendered = helm.render({"accounts": accounts})
    config = mount(rendered, tmp_path)
    tokens = [account.auth.access_token_file for account in config.accounts]
    assert [token.read_text() for token in tokens if token] == [f"token-of-{number}" for number in range(len(names))]
    for path, _, key in rendered.credential_files():
        assert re.fullmatch(r"accounts/[A-Za-z0-9_-]+/access-token", path)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,253}", key)


def test_arguments_are_the_exporters_own(rendered: Rendered) -> None:
    arguments = rendered.container["args"]
    given = parse_flags(arguments)
    assert given.command == ("demo" if arguments[0] == "demo" else "serve")
    assert given.web_listen_address[0].port == rendered.container["ports"][0]["containerPort"]


@pytest.fixture
def pod(helm: Helm, tmp_path: Path) -> Iterator[tuple[Rendered, Exporter]]:
    """Two accounts, and the exporter on them as the Deployment starts it, but for the address that it listens on."""
    world = sized_world(time.time, environments=2, spaces=6, guests=8, users=5, agents=2, events=10)
    with SimulatedServer(world).in_thread() as api:
        auth = {"clientId": CLIENT_ID, "clientSecret": SECRET}
        config = {"base_url": api.base_url}
        values = {
            "accounts": [{"name": name, "auth": auth, "config": config} for name in ("acme", "globex")],
            "config": {"collectors": {"spaces": {"interval": "0s"}}},
            "serviceMonitor": {"enabled": True, "perAccount": True, "interval": "1s", "scrapeTimeout": "1s"},
        }
        rendered = helm.render(values)
        mount(rendered, tmp_path)
        arguments = [
            re.sub(r"(--web.listen-address=).*", r"\g<1>127.0.0.1:0", argument).replace(MOUNTED, str(tmp_path))
            for argument in rendered.container["args"]
        ]
        with started_exporter(*arguments) as running:
            yield rendered, running.listens()


def scrape_config(number: int, endpoint: dict[str, Any], address: str) -> dict[str, Any]:
    """What the Prometheus Operator makes of an endpoint, with a fixed address for the one that it would discover."""
    config = {
        "job_name": f"serviceMonitor/{number}",
        "metrics_path": endpoint["path"],
        "params": endpoint.get("params", {}),
        "scheme": endpoint["scheme"],
        "scrape_interval": endpoint["interval"],
        "scrape_timeout": endpoint["scrapeTimeout"],
        "static_configs": [{"targets": [address], "labels": {"namespace": "monitoring", "endpoint": endpoint["port"]}}],
    }
    snake = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    config["relabel_configs"] = [
        {snake.get(key, key): value for key, value in relabeling.items()} for relabeling in endpoint["relabelings"]
    ]
    return config


def test_prometheus_scrapes_each_account_and_the_exporter_itself(
    pod: tuple[Rendered, Exporter], prometheus_program: str, tmp_path: Path
) -> None:
    rendered, running = pod
    address = running.url.removeprefix("http://")
    configs = [scrape_config(number, endpoint, address) for number, endpoint in enumerate(rendered.endpoints())]
    file = tmp_path / "prometheus.yml"
    file.write_text(yaml.safe_dump({"scrape_configs": configs}), encoding="utf-8")
    with started(prometheus_program, file, tmp_path) as prometheus:
        eventually(lambda: len(prometheus.query("up == 1")) == 3, "three targets are up")
        eventually(lambda: len(prometheus.query("flatfile_users")) == 2, "users of both accounts")
        ups = {labels["instance"]: labels["job"] for labels, _ in prometheus.query("up")}
        assert ups == dict.fromkeys((address, f"{address}/acme", f"{address}/globex"), "flatfile-exporter")
        for labels, _ in prometheus.query("flatfile_users"):
            assert labels["instance"] == f"{address}/{labels['account']}"
        # the selector by which the alert rules know the exporter
        assert len(prometheus.query('up{job=~"flatfile.*"}')) == 3


def test_helms_test_tells_an_exporter_that_answers_from_one_that_does_not(pod: tuple[Rendered, Exporter]) -> None:
    rendered, running = pod
    (container,) = rendered.one("Pod")["spec"]["containers"]
    assert_checks(container["args"], "http://rel-flatfile-exporter:10056", running)


def test_a_probe_inside_of_the_container_finds_out_the_same(helm: Helm, pod: tuple[Rendered, Exporter]) -> None:
    probe = helm.render({"demo": True, "probes": {"handler": "exec"}}).container["livenessProbe"]
    python, *arguments = probe["exec"]["command"]
    assert python == "python"
    assert_checks(arguments, "http://127.0.0.1:10056", pod[1])


def assert_checks(arguments: list[str], url: str, running: Exporter) -> None:
    """These say that the exporter is alive, and afterwards that it is not."""
    assert any(argument.startswith(f"--url={url}") for argument in arguments)
    module = [] if arguments[0] == "-m" else ["-m", "exporter"]
    command = [sys.executable, *module, *(argument.replace(url, running.url) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "flatfile-exporter is healthy\n"), done.stderr
    running.process.terminate()
    running.ended()
    assert subprocess.run(command, capture_output=True).returncode == 1
