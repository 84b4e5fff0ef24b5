"""Helm, kubeconform and schemas, or a word about what is left out without them."""

from typing import Any

import pytest

from . import kube_schemas
from .go_programs import MissingError, program
from .rendering import VALUES_FILES, Helm, Rendered


def _found(name: str) -> str:
    try:
        return program(name)
    except MissingError as error:
        pytest.skip(f"the chart is not rendered: {error}" if name == "helm" else str(error))


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    return Helm.at(_found("helm"), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def kubeconform() -> str:
    return _found("kubeconform")


@pytest.fixture(scope="session")
def all_rendered(helm: Helm) -> dict[str, Rendered]:
    """What comes of each of the chart's own files of values, by the file's name."""
    return {path.stem.removesuffix("-values"): helm.render(path) for path in VALUES_FILES}


@pytest.fixture(scope="session", params=[path.stem.removesuffix("-values") for path in VALUES_FILES])
def rendered(request: pytest.FixtureRequest, all_rendered: dict[str, Rendered]) -> Rendered:
    """Each of those in turn."""
    return all_rendered[request.param]


@pytest.fixture(scope="session")
def operator_schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Of the kinds of the Prometheus Operator."""
    schemas = kube_schemas.operator_schemas()
    if not schemas:
        pytest.skip(f"no CRDs of the Prometheus Operator: {kube_schemas.CRDS_VARIABLE} names no folder that has them")
    return schemas
