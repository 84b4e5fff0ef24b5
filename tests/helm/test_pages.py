"""The pages about Kubernetes do what they say: values are rendered, Helm's commands tried without a cluster."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.helm.build.places import CHART, ROOT
from tests.pages import Block

from .rendering import KUBERNETES, Helm, Rendered
from .test_generated import problems

KUBERNETES_PAGE = ROOT / "docs" / "kubernetes.md"
PAGES = (KUBERNETES_PAGE, CHART / "README.md")
CHECKED = {"yaml values", "yaml prometheus"}
NOT_RUN = {
    "sh needs-docker": "needs a Docker daemon and a registry",
    "sh needs-cluster": "needs a Kubernetes cluster; its helm commands are tried with `helm template`",
}
ONLY_IN_A_CLUSTER = {"--install", "--create-namespace", "--wait"}


def blocks(page: Path) -> list[Block]:
    found = re.findall(r"^```(\S.*?)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [Block(kind, text) for kind, text in found]


VALUES = [
    pytest.param(block, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(blocks(page))
    if block.kind == "yaml values"
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_says_how_it_is_checked_or_why_not(page: Path) -> None:
    kinds = {block.kind for block in blocks(page)}
    assert kinds <= CHECKED | NOT_RUN.keys()
    assert page.read_text(encoding="utf-8").count("\n```") == 2 * len(blocks(page))
    assert "yaml values" in kinds


@pytest.mark.parametrize("block", VALUES)
def test_values_fit_the_schema(block: Block) -> None:
    assert problems(yaml.safe_load(block.text)) == []


@pytest.mark.parametrize("block", VALUES)
def test_values_can_be_installed(helm: Helm, block: Block) -> None:
    values = yaml.safe_load(block.text)
    if not {"demo", "accounts", "existingConfig"} & values.keys():
        values["demo"] = True  # the page adds accounts to these later
    assert helm.render(values).container


def commands() -> list[list[str]]:
    """Every `helm upgrade` and `helm template` of the page, word by word."""
    text = "".join(block.text for block in blocks(KUBERNETES_PAGE) if block.kind == "sh needs-cluster")
    lines = text.replace("\\\n", " ").splitlines()
    return [shlex.split(line.partition("|")[0]) for line in lines if re.match("helm (upgrade|template) ", line)]


@pytest.mark.parametrize("command", commands(), ids=lambda command: command[1])
def test_helm_takes_the_commands(helm: Helm, command: list[str], tmp_path: Path) -> None:
    values = (
        {} if "demo=true" in command else {"accounts": [{"name": "acme", "auth": {"existingSecret": "flatfile-acme"}}]}
    )
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    arguments = [
        str(tmp_path / word) if word == "values.yaml" else word for word in command[2:] if word not in ONLY_IN_A_CLUSTER
    ]
    done = subprocess.run(
        [helm.program, "template", *arguments, f"--kube-version={KUBERNETES}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_services_have_the_names_that_the_page_gives_them(helm: Helm) -> None:
    text = KUBERNETES_PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:service|deployment)/([a-z-]+)", text)) | set(re.findall(r"http://([a-z-]+)\.", text))
    installed = set()
    for release in set(re.findall(r"--install (\S+)", text)):
        done = helm.run("template", release, CHART, "--set=demo=true", f"--kube-version={KUBERNETES}")
        rendered = Rendered([manifest for manifest in yaml.safe_load_all(done.stdout) if manifest])
        installed.add(rendered.one("Service")["metadata"]["name"])
    assert named == installed


def test_promtool_takes_the_scrape_configuration(promtool: str, tmp_path: Path) -> None:
    (block,) = (block for block in blocks(KUBERNETES_PAGE) if block.kind == "yaml prometheus")
    file = tmp_path / "prometheus.yml"
    file.write_text(block.text, encoding="utf-8")
    done = subprocess.run([promtool, "check", "config", "--syntax-only", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
