"""What Helm makes of the chart: lint-free, in the schemas of those who read it, hardened, and in agreement with itself."""

import re
import subprocess
import tarfile
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.helm.build import copies
from deploy.helm.build.places import CHART
from grafana.alerts.build import TEMPLATE
from grafana.alerts.build import settings as rule_settings
from grafana.alerts.build.parts import filled_in
from tests import yaml_of_c
from tests.grafana.alert_rules import RULE_FILES

from . import kube_schemas
from .rendering import KUBERNETES, NAMESPACE, RELEASE, VALUES_FILES, Helm, Manifest, Rendered

SELECTOR = {"app.kubernetes.io/name", "app.kubernetes.io/instance"}
Schemas = dict[tuple[str, str], dict[str, Any]]
RELEASE_LIMIT = 1024 * 1024
"""Bytes of the Secret in which Helm keeps a release: the packed chart and its manifests, in base64."""


def below(value: Any) -> list[Any]:
    """Every scalar of a manifest."""
    if isinstance(value, dict):
        return [scalar for key in value for scalar in (key, *below(value[key]))]
    return [scalar for item in value for scalar in below(item)] if isinstance(value, list) else [value]


@pytest.mark.parametrize("values", VALUES_FILES, ids=lambda path: path.stem)
def test_lint_finds_nothing(helm: Helm, values: Path) -> None:
    done = helm.run("lint", "--strict", CHART, f"--kube-version={KUBERNETES}", *helm.given(values))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"\[(WARNING|ERROR)\]", done.stdout), done.stdout


def test_kubernetes_takes_every_manifest(rendered: Rendered) -> None:
    for version in kube_schemas.kubernetes_versions():
        for manifest in rendered.manifests:
            if not manifest["apiVersion"].startswith(kube_schemas.OPERATORS_GROUP):
                assert kube_schemas.kubernetes_problem(manifest, version) is None


def test_kubernetes_would_refuse_a_slip(all_rendered: dict[str, Rendered]) -> None:
    oldest, newest = kube_schemas.kubernetes_versions()
    broken = all_rendered["demo"].one("Service") | {"spec": {"publishNotReadyAdresses": True}}
    assert kube_schemas.kubernetes_problem(broken, oldest)
    assert kube_schemas.kubernetes_problem(broken, newest)


def test_the_prometheus_operator_takes_every_manifest(
    all_rendered: dict[str, Rendered], operator_schemas: Schemas
) -> None:
    checked = set()
    for rendered in all_rendered.values():
        for manifest in rendered.manifests:
            schema = operator_schemas.get((manifest["apiVersion"], manifest["kind"]))
            if schema:
                assert kube_schemas.operator_problems(manifest, schema) == []
                checked.add(manifest["kind"])
    assert checked >= {"ServiceMonitor", "PrometheusRule", "ScrapeConfig"}


def test_the_prometheus_operator_would_refuse_a_slip(
    all_rendered: dict[str, Rendered], operator_schemas: Schemas
) -> None:
    monitor = all_rendered["operator"].monitor()
    schema = operator_schemas[monitor["apiVersion"], "ServiceMonitor"]
    endpoint = monitor["spec"]["endpoints"][0]
    for slip in ({"honourLabels": True}, {"scheme": "ftp"}, {"interval": "30"}):
        broken = monitor | {"spec": monitor["spec"] | {"endpoints": [endpoint | slip]}}
        assert kube_schemas.operator_problems(broken, schema), slip


def test_kubeconform_agrees(kubeconform: str, all_rendered: dict[str, Rendered], tmp_path: Path) -> None:
    manifests = [manifest for rendered in all_rendered.values() for manifest in rendered.manifests]
    without = kube_schemas.write_schemas(tmp_path, {(one["apiVersion"], one["kind"]) for one in manifests})
    assert without.isdisjoint({"Deployment", "Service", "Secret", "ConfigMap", "NetworkPolicy"})
    whole = tmp_path / "manifests.yaml"
    whole.write_text(yaml.dump_all(manifests, Dumper=yaml_of_c.Dumper), encoding="utf-8")
    location = f"--schema-location={tmp_path}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json"
    command = [kubeconform, "--strict", "--summary", f"--skip={','.join(without)}", location, whole]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    valid = sum(one["kind"] not in without for one in manifests)
    assert f"Valid: {valid}," in done.stdout


def test_the_pod_has_no_rights(rendered: Rendered) -> None:
    for pod in (rendered.pod, rendered.one("Pod")["spec"]):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    for account in rendered.all("ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


def test_the_user_is_that_of_the_image_and_can_be_left_to_the_cluster(all_rendered: dict[str, Rendered]) -> None:
    ids = {"runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532}
    assert ids.items() <= all_rendered["accounts"].pod["securityContext"].items()
    assert not ids.keys() & all_rendered["everything"].pod["securityContext"].keys()


def test_only_what_stores_can_be_written_to(rendered: Rendered) -> None:
    writable = [mount for mount in rendered.container.get("volumeMounts", []) if not mount.get("readOnly")]
    assert {mount["mountPath"] for mount in writable} <= {"/var/lib/flatfile-exporter"}
    mounted = {mount["name"] for mount in rendered.container.get("volumeMounts", [])}
    assert mounted == {volume["name"] for volume in rendered.pod.get("volumes", [])}


def test_no_credential_is_anywhere_but_in_the_secret(all_rendered: dict[str, Rendered]) -> None:
    rendered = all_rendered["inline"]
    others = [scalar for manifest in rendered.manifests if manifest["kind"] != "Secret" for scalar in below(manifest)]
    assert not [scalar for scalar in others if "MARKED" in str(scalar)]
    assert "env" not in rendered.container
    data = rendered.one("Secret")["data"]
    for path, secret, key in rendered.credential_files():
        assert secret == rendered.one("Secret")["metadata"]["name"], path
        assert key in data


def test_credentials_are_readable_by_the_exporter_alone(all_rendered: dict[str, Rendered]) -> None:
    for name in ("accounts", "inline", "existing-config", "web-config"):
        for volume in all_rendered[name].pod["volumes"]:
            for source in volume.keys() & {"projected", "secret"}:
                assert volume[source]["defaultMode"] == 0o440


def test_one_set_of_labels_selects_the_pod_and_nothing_else(rendered: Rendered) -> None:
    deployment = rendered.one("Deployment")["spec"]
    selector = deployment["selector"]["matchLabels"]
    assert selector.keys() == SELECTOR
    assert selector.items() <= deployment["template"]["metadata"]["labels"].items()
    assert rendered.one("Service")["spec"]["selector"] == selector
    assert not selector.items() <= rendered.one("Pod")["metadata"]["labels"].items()
    for policy in rendered.all("NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"] == selector
    for kind, selected in (("ServiceMonitor", rendered.one("Service")), ("PodMonitor", deployment["template"])):
        for monitor in rendered.all(kind):
            assert monitor["spec"]["selector"]["matchLabels"] == selector
            assert selector.items() <= selected["metadata"]["labels"].items()
            assert monitor["spec"]["namespaceSelector"]["matchNames"] == [
                rendered.one("Service")["metadata"]["namespace"]
            ]


def test_ports_go_by_their_name(rendered: Rendered) -> None:
    (port,) = rendered.container["ports"]
    assert f"--web.listen-address=:{port['containerPort']}" in rendered.container["args"]
    (service_port,) = rendered.one("Service")["spec"]["ports"]
    assert service_port["targetPort"] == service_port["name"] == port["name"] == "http"
    for monitor in rendered.all("ServiceMonitor") + rendered.all("PodMonitor"):
        assert {endpoint["port"] for endpoint in Rendered([monitor]).endpoints()} == {"http"}


def test_a_pod_that_waits_for_its_first_scrape_gets_it(rendered: Rendered) -> None:
    assert rendered.one("Service")["spec"]["publishNotReadyAddresses"] is True


def test_probes_do_not_ask_flatfile_and_get_through_where_a_password_may_be_needed(
    all_rendered: dict[str, Rendered],
) -> None:
    def probes(name: str) -> list[Any]:
        container = all_rendered[name].container
        return [container[kind] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]

    for probe in probes("accounts"):
        assert probe["httpGet"] == {"path": "/-/healthy", "port": "http", "scheme": "HTTP"}
    for probe in probes("web-config"):
        assert probe["exec"]["command"][-1] == "--url=https://127.0.0.1:10056/-/healthy"
        assert "httpGet" not in probe
    assert {probe["httpGet"]["scheme"] for probe in probes("tls-probes")} == {"HTTPS"}
    assert [probe["httpGet"]["path"] for probe in probes("tls-probes")] == ["/-/healthy", "/-/healthy", "/-/ready"]


def test_the_monitor_has_one_endpoint_or_one_for_each_account(all_rendered: dict[str, Rendered]) -> None:
    def targets(name: str) -> list[tuple[str, Any]]:
        return [(endpoint["path"], endpoint.get("params")) for endpoint in all_rendered[name].endpoints()]

    own = ("/metrics", {"only": ["exporter"]})
    assert targets("everything") == [("/metrics", None)]
    assert targets("operator") == [own, ("/probe", {"target": ["acme"]}), ("/probe", {"target": ["globex"]})]
    assert targets("podmonitor") == [own, ("/probe", {"target": ["demo"]})]
    for name in ("everything", "operator", "podmonitor", "web-config"):
        for endpoint in all_rendered[name].endpoints():
            job = {"action": "replace", "targetLabel": "job", "replacement": "flatfile-exporter"}
            assert endpoint["relabelings"][0] == job
            # the CRD's default, which Argo CD would show as a difference for ever
            assert all("action" in one for key in endpoint if key.endswith("elabelings") for one in endpoint[key])
    assert {endpoint["scheme"] for endpoint in all_rendered["web-config"].endpoints()} == {"https"}
    for endpoint in all_rendered["operator"].endpoints():
        assert endpoint["relabelings"][-1] == {"action": "replace", "targetLabel": "cluster", "replacement": "west"}
        assert endpoint["metricRelabelings"][0]["action"] == "drop"
    monitor = all_rendered["operator"].monitor()
    assert monitor["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    assert monitor["spec"]["sampleLimit"] == 10000


def original_groups(*, optional: bool = False, **settings: str | float) -> list[Manifest]:
    """The groups of the rule files, with these settings."""
    text = filled_in(TEMPLATE.read_text(encoding="utf-8"), rule_settings() | settings)
    groups: list[Manifest] = yaml.safe_load(text)["groups"]
    return [group for group in groups if optional or not group["name"].startswith("flatfile-optional")]


def test_the_rules_are_those_of_the_files(all_rendered: dict[str, Rendered]) -> None:
    assert all_rendered["everything"].one("PrometheusRule")["spec"]["groups"] == original_groups()
    from_files = [group for path in RULE_FILES for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    assert sorted(original_groups(), key=itemgetter("name")) == sorted(from_files, key=itemgetter("name"))


def test_rules_can_be_left_out_labelled_set_and_added(all_rendered: dict[str, Rendered]) -> None:
    rule = all_rendered["operator"].one("PrometheusRule")
    assert rule["metadata"]["labels"]["release"] == "kube-prometheus-stack"
    *groups, own = rule["spec"]["groups"]
    assert own["name"] == "own"
    settings: dict[str, str | float] = {"grafana_url": "https://grafana.example.com", "failing_fast_short_ratio": 0.25}
    expected = original_groups(optional=True, severity_production="page", **settings)
    left_out = 0
    for group in expected:
        left_out += sum(one.get("alert") == "FlatfileAgentQueueLag" for one in group["rules"])
        group["rules"] = [one for one in group["rules"] if one.get("alert") != "FlatfileAgentQueueLag"]
        for one in group["rules"]:
            if "alert" in one:
                one["labels"] = one.get("labels", {}) | {"team": "imports"}
    assert left_out
    assert groups == expected
    assert "dashboard_url: https://grafana.example.com/d/" in yaml.safe_dump(groups)


def test_a_setting_that_there_is_not_is_refused(helm: Helm) -> None:
    flags = ("--set=demo=true,prometheusRule.enabled=true", "--set=prometheusRule.settings.memroy=1d")
    done = helm.run("template", RELEASE, CHART, *flags)
    assert done.returncode != 0
    assert "memroy" in done.stderr


@pytest.mark.parametrize("name", ["operator", "everything"])
def test_promtool_takes_the_rules(all_rendered: dict[str, Rendered], promtool: str, tmp_path: Path, name: str) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(all_rendered[name].one("PrometheusRule")["spec"]), encoding="utf-8")
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_dashboard_is_a_config_map_for_the_sidecar(all_rendered: dict[str, Rendered]) -> None:
    originals = {path.name: content.decode() for path, content in copies.present().items() if path.suffix == ".json"}

    def found(name: str, namespace: str) -> dict[str, str]:
        data = {}
        for manifest in all_rendered[name].all("ConfigMap"):
            if manifest["metadata"].get("labels", {}).get("grafana_dashboard") == "1":
                assert manifest["metadata"]["namespace"] == namespace
                data |= manifest["data"]
        return data

    assert found("everything", "grafana") == originals
    without_loki = {name: text for name, text in originals.items() if name != "flatfile-audit.json"}
    assert found("operator", NAMESPACE) == without_loki


def test_names_are_names_and_differ(rendered: Rendered) -> None:
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in rendered.manifests]
    assert len(names) == len(set(names))
    for _, _, name in names:
        assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name)
    for manifest in rendered.manifests:
        for value in manifest["metadata"].get("labels", {}).values():
            assert isinstance(value, str)
            assert len(value) <= 63


def test_a_label_that_is_given_twice_is_there_once(helm: Helm) -> None:
    values = {
        "demo": True,
        "commonLabels": {"release": "one", "team": "a"},
        "podLabels": {"team": "b", "app.kubernetes.io/name": "x"},
        "serviceMonitor": {"enabled": True, "labels": {"release": "two"}},
    }
    rendered = helm.render(values)
    assert rendered.monitor()["metadata"]["labels"]["release"] == "two"
    pod = rendered.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert (pod["release"], pod["team"], pod["app.kubernetes.io/name"]) == ("one", "b", "flatfile-exporter")
    whole = helm.template(values).stdout
    assert whole.count("    release: two") == 1


def mappings_and_lists(values: Any, *path: str) -> list[tuple[str, ...]]:
    """Where the chart's values have a mapping or a list of the reader's own making: one that is empty, or of labels."""
    found = []
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in ("labels", "annotations", "resources", "strategy"):
            found += mappings_and_lists(value, *path, key)
        elif isinstance(value, dict | list):
            found.append((*path, key))
    return found


def test_keys_that_are_left_empty_are_like_those_that_are_not_given(helm: Helm) -> None:
    """`labels:` with nothing behind it is null, and takes the default away."""
    values = yaml.safe_load((CHART / "ci" / "everything-values.yaml").read_text(encoding="utf-8"))
    paths = mappings_and_lists(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8")))
    assert {("commonLabels",), ("service", "labels"), ("prometheusRule", "additionalGroups")} <= set(paths)
    for *sections, key in paths:
        inner = values
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[key] = inner[key] if key == "accounts" else None
    kinds = {manifest["kind"] for manifest in helm.render(values).manifests}
    assert {"Deployment", "Service", "ServiceMonitor", "PrometheusRule", "NetworkPolicy", "ConfigMap"} <= kinds


def test_a_changed_configuration_restarts_the_pod_and_a_changed_credential_does_not(helm: Helm) -> None:
    def checksum(secret: str, interval: str) -> str:
        account = {"name": "acme", "auth": {"clientId": "1", "clientSecret": secret}}
        values = {"accounts": [account], "config": {"collectors": {"users": {"interval": interval}}}}
        annotations = helm.render(values).one("Deployment")["spec"]["template"]["metadata"]["annotations"]
        found: str = annotations["checksum/config"]
        return found

    assert checksum("a", "1m") == checksum("b", "1m") != checksum("a", "2m")


def test_storage_is_claimed_mounted_and_written_by_one(all_rendered: dict[str, Rendered]) -> None:
    rendered = all_rendered["storage"]
    claim = rendered.one("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    (volume,) = (volume for volume in rendered.pod["volumes"] if volume["name"] == "storage")
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert rendered.one("Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    (mount,) = (mount for mount in rendered.container["volumeMounts"] if mount["name"] == "storage")
    assert f"--storage.path={mount['mountPath']}" in rendered.container["args"]
    fleeting = all_rendered["existing-config"]
    assert not fleeting.all("PersistentVolumeClaim")
    assert {"name": "storage", "emptyDir": {"sizeLimit": "10Mi"}} in fleeting.pod["volumes"]


def test_the_network_policy_lets_in_who_scrapes_and_out_what_is_needed(all_rendered: dict[str, Rendered]) -> None:
    spec = all_rendered["everything"].one("NetworkPolicy")["spec"]
    (scrapes,) = spec["ingress"]
    assert scrapes["ports"] == [{"port": "http", "protocol": "TCP"}]
    test_pod = all_rendered["everything"].one("Pod")["metadata"]["labels"]
    assert scrapes["from"][-1] == {"podSelector": {"matchLabels": test_pod}}
    names, flatfile, proxy = spec["egress"]
    assert {(one["port"], one["protocol"]) for one in names["ports"]} == {(53, "UDP"), (53, "TCP")}
    assert flatfile["ports"] == [{"port": 443, "protocol": "TCP"}]
    assert flatfile["to"][0]["ipBlock"]["except"] == ["10.0.0.0/8"]
    assert proxy["ports"] == [{"port": 3128, "protocol": "TCP"}]


def test_the_packed_chart_has_its_files_and_fits_into_a_release(helm: Helm, tmp_path: Path) -> None:
    done = helm.run("package", CHART, f"--destination={tmp_path}")
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("*.tgz")
    with tarfile.open(package) as packed:
        names = {name.removeprefix("flatfile-exporter/") for name in packed.getnames()}
    assert {str(path.relative_to(CHART)) for path in copies.present()} <= names
    assert {"values.schema.json", "README.md", "templates/NOTES.txt"} <= names
    assert not [name for name in names if name.startswith("ci/")]
    # the manifests, with the rules and dashboards once more, are packed beside the chart; base64 twice
    assert 2 * package.stat().st_size * 16 / 9 < RELEASE_LIMIT


def test_notes_tell_what_is_next(helm: Helm) -> None:
    def notes(*flags: str) -> str:
        done = helm.run("install", RELEASE, CHART, "--dry-run=client", f"--namespace={NAMESPACE}", *flags)
        assert done.returncode == 0, done.stderr
        return done.stdout.partition("NOTES:")[2]

    demo = notes("--set=demo=true")
    assert f"port-forward service/{RELEASE}-flatfile-exporter 10056:10056" in demo
    (job,) = yaml.safe_load(re.search(r"^  - job_name.*?/sd$", demo, re.MULTILINE | re.DOTALL)[0])  # type: ignore[index]
    assert job["http_sd_configs"] == [{"url": f"http://{RELEASE}-flatfile-exporter.{NAMESPACE}.svc:10056/sd"}]
    assert "simulated account" in demo
    monitored = notes("--set=demo=true,serviceMonitor.enabled=true,replicaCount=2")
    assert "serviceMonitorSelector" in monitored
    assert "job_name" not in monitored
    assert "2 replicas" in monitored
