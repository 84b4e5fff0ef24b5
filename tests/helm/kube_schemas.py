"""Manifests against the schemas of Kubernetes and of the Prometheus Operator, where these are at hand."""

import json
import os
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from deploy.helm.build.places import ROOT

from .rendering import Manifest

CRDS_VARIABLE = "PROMETHEUS_OPERATOR_CRDS"
"""Names the folder with the CRDs of the Prometheus Operator, one YAML file each."""
OPERATORS_GROUP = "monitoring.coreos.com"


def kubernetes_versions() -> list[str]:
    """The oldest version that the chart is for, and the newest that there is a schema of."""
    validate = pytest.importorskip("kubernetes_validate", reason="the package kubernetes-validate is not installed")
    return ["1.25", validate.latest_version()]


def kubernetes_problem(manifest: Manifest, version: str) -> str | None:
    """What Kubernetes' schema has against it; unknown keys count."""
    import kubernetes_validate

    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{manifest['kind']}: {error.json_path}: {error.message}"
    return None


def operator_schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """By apiVersion and kind; none where there are no CRDs. Unknown keys count, other than in a cluster, which drops them."""
    schemas = {}
    for file in _crds():
        crd = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
        for version in crd["versions"]:
            schema = _strict(version["schema"]["openAPIV3Schema"])
            schemas[f"{crd['group']}/{version['name']}", crd["names"]["kind"]] = schema
    return schemas


def _crds() -> list[Path]:
    """The files where the variable says, or in a folder of data beside the project."""
    named = os.environ.get(CRDS_VARIABLE)
    places = [Path(named)] if named else ROOT.parent.glob("*/data/prometheus-operator-crds")
    return sorted(file for place in places for file in place.glob("*.yaml"))


def _strict(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _strict(value) for name, value in schema.items()}
    if "properties" in inner and isinstance(inner.get("type"), str):
        inner.setdefault("additionalProperties", bool(inner.get("x-kubernetes-preserve-unknown-fields")))
    return inner


def operator_problems(manifest: Manifest, schema: dict[str, Any]) -> list[str]:
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{manifest['kind']}: {error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]


def write_schemas(directory: Path, kinds: set[tuple[str, str]]) -> set[str]:
    """Put the schemas of these (apiVersion, kind) into files as kubeconform looks for them; give the kinds without one."""
    without = set()
    bundled = (
        resources.files("kubernetes_validate") / "kubernetes-json-schema" / f"v{kubernetes_versions()[-1]}-local-strict"
    )
    definitions = json.loads(bundled.joinpath("_definitions.json").read_text(encoding="utf-8"))["$defs"]
    of_the_operator = operator_schemas()
    for api_version, kind in kinds:
        group, _, number = api_version.rpartition("/")
        name = "-".join(filter(None, (kind.lower(), group.partition(".")[0], number))) + ".json"
        if (api_version, kind) in of_the_operator:
            schema = of_the_operator[api_version, kind]
        elif group.startswith(OPERATORS_GROUP):
            without.add(kind)
            continue
        else:
            text = bundled.joinpath(name).read_text(encoding="utf-8").replace('"/api/_definitions.json#', '"#')
            schema = json.loads(text) | {"$defs": definitions}
            del schema["$id"]  # it would be fetched from there
        (directory / name).write_text(json.dumps(schema), encoding="utf-8")
    return without
