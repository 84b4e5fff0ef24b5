"""The chart in Helm's hands: what it lints, renders and refuses."""

import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from deploy.helm.build.places import CHART
from tests import yaml_of_c

Manifest = dict[str, Any]
Values = dict[str, Any]

KUBERNETES = "1.31.0"
RELEASE, NAMESPACE = "rel", "monitoring"
VALUES_FILES = sorted((CHART / "ci").glob("*-values.yaml"))
MOUNTED = "/etc/flatfile-exporter"
"""Below this the Pod has its configuration and credentials."""


@dataclass(frozen=True)
class Rendered:
    """The manifests of a release."""

    manifests: list[Manifest]

    def all(self, kind: str) -> list[Manifest]:
        return [manifest for manifest in self.manifests if manifest["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        """The manifest of that kind; the Pod of `helm test` is the only Pod."""
        (manifest,) = self.all(kind)
        return manifest

    @property
    def pod(self) -> Manifest:
        """The spec of the exporter's Pod."""
        pod: Manifest = self.one("Deployment")["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> Manifest:
        (container,) = self.pod["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def config(self) -> str:
        """The configuration file of the ConfigMap that the Pod mounts."""
        (named,) = (volume["configMap"]["name"] for volume in self.pod["volumes"] if volume["name"] == "config")
        (config,) = (manifest for manifest in self.all("ConfigMap") if manifest["metadata"]["name"] == named)
        text: str = config["data"]["config.yaml"]
        return text

    def monitor(self) -> Manifest:
        """The ServiceMonitor or PodMonitor."""
        (monitor,) = self.all("ServiceMonitor") + self.all("PodMonitor")
        return monitor

    def endpoints(self) -> list[Manifest]:
        spec = self.monitor()["spec"]
        found: list[Manifest] = spec["endpoints" if "endpoints" in spec else "podMetricsEndpoints"]
        return found

    def credential_files(self) -> Iterator[tuple[str, str, str]]:
        """Path below `MOUNTED`, name of the Secret, key in it."""
        for volume in self.pod.get("volumes", []):
            if volume["name"] == "accounts":
                for source in volume["projected"]["sources"]:
                    for item in source["secret"]["items"]:
                        yield f"accounts/{item['path']}", source["secret"]["name"], item["key"]


Render = Callable[..., Rendered]


@dataclass(frozen=True)
class Helm:
    """Helm at `program`; value files that are given as mappings are written to `directory`."""

    program: str
    directory: Path
    _count: Iterator[int]

    @classmethod
    def at(cls, program: str, directory: Path) -> "Helm":
        return cls(program, directory, itertools.count())

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments], env={**os.environ, "GOGC": "off"}, capture_output=True, text=True
        )

    def render(self, values: Path | Values) -> Rendered:
        """What an installation would make."""
        done = self.template(values)
        assert done.returncode == 0, done.stderr
        return Rendered([manifest for manifest in yaml.load_all(done.stdout, Loader=yaml_of_c.Loader) if manifest])

    def refusal(self, values: Values) -> str:
        """Why these values are refused."""
        done = self.template(values)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def template(self, values: Path | Values) -> subprocess.CompletedProcess[str]:
        return self.run(
            "template", RELEASE, CHART, f"--namespace={NAMESPACE}", f"--kube-version={KUBERNETES}", *self.given(values)
        )

    def given(self, values: Path | Values) -> list[str]:
        """The flag for these values."""
        if isinstance(values, Path):
            return [f"--values={values}"]
        file = self.directory / f"values-{next(self._count)}.yaml"
        file.write_text(yaml.safe_dump(values), encoding="utf-8")
        return [f"--values={file}"]
