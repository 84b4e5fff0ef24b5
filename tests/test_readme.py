"""The pages do what they say: each block is run, loaded or compared with the code, or its kind says why it is not.

The words after a block's language say how it is checked; a renderer does not show them. Pages that need more than this module
offers have tests of their own, which `ELSEWHERE` names.
"""

import asyncio
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from docs.build import metrics as metrics_docs
from exporter.config import load
from exporter.demo.accounts import demo_world
from tests.collectors.exported import Exported, Time
from tests.e2e import process
from tests.grafana.e2e import programs
from tests.pages import ROOT, Block, blocks, pages, prose, read
from tests.serving import account_lines, configuration
from tests.simulator.server import SimulatedServer
from tests.simulator.worlds import fixed_world

PORT = "localhost:10056"  # as the pages have it
README = "README.md"
WEB = "docs/web-configuration.md"
PASSWORD = "change me"  # of the example of a web configuration
CHECKED = {
    "sh run",
    "sh run-behind-tls",
    "sh run-with-account",
    "sh run-with-alertmanager",
    "sh run-with-prometheus",
    "sh serves",
    "yaml config",
    "yaml prometheus",
    "text metrics",
    "text log",
    "sql state",
}
NOT_RUN = {
    "text diagram": "a drawing",
    "sh by-ci": "the make commands are what CI itself runs",
    "sh by-hand": "takes half an hour of a running demo, Node.js and a look at the result",
    "sh by-make": "CI runs these tests, and another one compares what the first command writes with what is committed",
    "sh needs-cluster": "needs a Kubernetes cluster",
    "sh needs-docker": "needs a Docker daemon and the base images",
    "sh needs-downloads": "downloads packages",
    "sh needs-go": "needs Go and downloads modules",
    "sh needs-htpasswd": "asks for a password on a terminal; the hash is of the kind that the example has",
    "sh needs-systemd": "needs a machine that systemd runs, and changes it",
}


@dataclass(frozen=True)
class Elsewhere:
    """A test in another module that runs the blocks of a kind on a page, those that have a word in them."""

    page: str
    kind: str
    module: str
    function: str
    word: str = ""


ELSEWHERE = (
    Elsewhere(
        "deploy/helm/flatfile-exporter/README.md", "yaml values", "helm/test_pages.py", "test_values_can_be_installed"
    ),
    Elsewhere("docs/alerts.md", "promql", "grafana/test_alerts.py", "test_runbook_queries_name_what_exists"),
    Elsewhere(
        "docs/alerts.md",
        "yaml",
        "grafana/test_alerts_promtool.py",
        "test_prometheus_reads_the_configuration_of_the_runbooks",
        "rule_files:",
    ),
    Elsewhere(
        "docs/alerts.md",
        "yaml",
        "grafana/test_alerts_promtool.py",
        "test_the_example_for_alertmanager_is_the_same_in_the_runbooks",
        "inhibit_rules:",
    ),
    Elsewhere(
        "docs/alerts.md",
        "sh",
        "grafana/test_alerts_promtool.py",
        "test_the_command_for_the_operator_makes_prometheus_rules",
        "PrometheusRule",
    ),
    Elsewhere(
        "docs/alerts.md",
        "sh",
        "grafana/test_alerts_promtool.py",
        "test_vmalert_takes_the_rules_without_what_older_ones_do_not_know",
        "keep_firing_for",
    ),
    Elsewhere(
        "docs/alerts.md",
        "sh",
        "grafana/test_alerts_promtool.py",
        "test_an_address_of_grafana_is_put_before_each_link",
        "grafana.example.com",
    ),
    Elsewhere("docs/audit.md", "sh run", "audit/test_docs.py", "test_commands_end_well"),
    Elsewhere(
        "docs/audit.md", "sh follows", "audit/test_docs.py", "test_the_command_that_follows_writes_and_ends_when_told"
    ),
    Elsewhere("docs/audit.md", "json line", "audit/test_docs.py", "test_the_line_shown_fits_the_schema"),
    Elsewhere(
        "docs/audit.md", "logql query", "audit/test_docs.py", "test_the_query_shown_is_logql_on_the_keys_of_a_line"
    ),
    Elsewhere("docs/configuration.md", "yaml", "config/test_example.py", "test_the_page_is_what_the_generator_prints"),
    Elsewhere("docs/configuration.md", "text", "config/test_example.py", "test_the_page_is_what_the_generator_prints"),
    Elsewhere(
        "docs/design.md", "python collector", "test_design.py", "test_the_example_of_a_collector_is_one_file_that_works"
    ),
    Elsewhere("docs/install.md", "yaml config", "test_install.py", "test_configurations_hold"),
    Elsewhere("docs/install.md", "yaml healthcheck", "test_install.py", "test_the_health_check_is_that_of_the_image"),
    Elsewhere(
        "docs/inventory.md", "sh inventory", "cli/test_inventory_docs.py", "test_the_commands_print_what_the_page_shows"
    ),
    Elsewhere(
        "docs/inventory.md",
        "text inventory",
        "cli/test_inventory_docs.py",
        "test_the_commands_print_what_the_page_shows",
    ),
    Elsewhere(
        "docs/inventory.md",
        "json inventory",
        "cli/test_inventory_docs.py",
        "test_the_commands_print_what_the_page_shows",
    ),
    Elsewhere(
        "docs/inventory.md",
        "sh inventory-of-exporter",
        "cli/test_inventory_docs.py",
        "test_the_command_on_a_directory_is_understood",
    ),
    Elsewhere("docs/kubernetes.md", "yaml values", "helm/test_pages.py", "test_values_can_be_installed"),
    Elsewhere(
        "docs/kubernetes.md", "yaml prometheus", "helm/test_pages.py", "test_promtool_takes_the_scrape_configuration"
    ),
    Elsewhere("docs/figures.md", "sh benchmarks", "test_bench.py", "test_the_guide_names_every_benchmark"),
    Elsewhere("docs/scaling.md", "yaml hashmod", "scaling/test_sharding.py", "test_accounts_are_shared_out"),
    Elsewhere("docs/scaling.md", "yaml pair", "scaling/test_sharding.py", "test_a_pair_knows_each_account_twice"),
    Elsewhere("docs/scaling.md", "yaml thanos", "scaling/test_thanos.py", "test_it_has_what_was_scraped"),
    Elsewhere(
        "docs/scaling.md", "sh thanos", "scaling/test_thanos.py", "test_a_receiver_is_killed_and_an_exporter_stops"
    ),
    Elsewhere("docs/scaling.md", "sh vmagent", "scaling/test_vmagent.py", "test_they_share_the_accounts"),
    Elsewhere(
        "docs/scaling.md",
        "yaml victoria-metrics",
        "scaling/test_victoria_metrics.py",
        "test_what_prometheus_answers_it_answers_too",
    ),
    Elsewhere(WEB, "yaml", "web_config/test_docs.py", "test_the_yaml_of_the_documentation"),
)
TESTED_ELSEWHERE = {test.page for test in ELSEWHERE} - {WEB, "docs/alerts.md"}
"""Pages of which this module runs nothing."""


def each(kind: str) -> pytest.MarkDecorator:
    """For each block of a kind that this module checks, with its page; that there are none would make a test say nothing."""
    found = {
        f"{page}-{number}": (page, block)
        for page in pages()
        if page not in TESTED_ELSEWHERE
        for number, block in enumerate(blocks(page))
        if block.kind == kind
    }
    assert found, kind
    return pytest.mark.parametrize(("page", "block"), found.values(), ids=found.keys())


@pytest.mark.parametrize("page", pages())
def test_every_block_is_checked_or_says_why_not(page: str) -> None:
    for block in blocks(page):
        elsewhere = any(test.page == page and test.kind == block.kind and test.word in block.text for test in ELSEWHERE)
        here = page not in TESTED_ELSEWHERE and block.kind in CHECKED
        assert elsewhere or here or block.kind in NOT_RUN, f"```{block.kind}: {block.text.splitlines()[0]}"


def test_no_reason_is_left_over() -> None:
    kinds = {block.kind for page in pages() for block in blocks(page)}
    assert NOT_RUN.keys() <= kinds
    for test in ELSEWHERE:
        assert any(block.kind == test.kind and test.word in block.text for block in blocks(test.page)), test


@pytest.mark.parametrize("test", ELSEWHERE, ids=lambda test: f"{test.page}-{test.function}")
def test_what_is_tested_elsewhere_is(test: Elsewhere) -> None:
    text = (ROOT / "tests" / test.module).read_text(encoding="utf-8")
    assert re.search(rf"^(async )?def {test.function}\(", text, re.MULTILINE)
    language = test.kind.partition(" ")[0]
    assert test.kind in text or f"```{language}" in text or f'"{language}"' in text or "render()" in text


@each("text metrics")
def test_the_output_shown_has_the_metrics_and_labels_of_the_code(page: str, block: Block) -> None:
    documented = {desc.name: desc for desc in metrics_docs.families()}
    samples = [s for family in text_string_to_metric_families(block.text) for s in family.samples]
    assert len(samples) == len(block.text.splitlines())
    for sample in samples:
        assert tuple(sample.labels) == documented[sample.name].labels, sample.name


@each("text log")
def test_the_log_shown_is_what_the_code_says(page: str, block: Block) -> None:
    for line in block.text.splitlines():
        found = re.fullmatch(r'time=\S+Z level=[A-Z]+ source=(\w+\.py):\d+ msg="([^"]+)".*', line)
        assert found is not None, line
        modules = [path.read_text(encoding="utf-8") for path in (ROOT / "exporter").rglob(found[1])]
        assert any(f'"{found[2]}"' in text for text in modules), line


@pytest.fixture
def place(page: str, tmp_path: Path) -> Path:
    """A folder with the README's configuration; for the page about it also with a web configuration and its certificate."""
    (settings,) = (block.text for block in blocks(README) if block.kind == "yaml config")
    (tmp_path / "config.yaml").write_text(settings, encoding="utf-8")
    if page == WEB:
        (command,) = (block.text for block in blocks(WEB) if block.text.startswith("openssl"))
        subprocess.run(["sh", "-eu", "-c", command], cwd=tmp_path, check=True, capture_output=True)
        (web,) = (block.text for block in blocks(WEB) if "tls_server_config:" in block.text)
        hashed = re.search(r"\$2y\$10\$[./A-Za-z0-9]{53}", read("web-config.example.yaml"))
        assert hashed is not None
        (tmp_path / "web-config.yaml").write_text(web.replace("$2y$10$...", hashed[0]), encoding="utf-8")
    return tmp_path


@each("sql state")
def test_queries_on_the_state_have_answers(page: str, block: Block) -> None:
    found = asyncio.run(_answers(block.text))
    assert found, block.text


async def _answers(query: str) -> list[tuple[object, ...]]:
    """Ask the state of an account in which everything happened."""
    world = fixed_world(time.time)
    clock = Time(time.time())
    async with Exported(world, clock) as exported:
        await exported.scrape()
        clock.pass_(60)
        event = world.emit("job:ready", "us_env_9f2kQw1d", at=time.time(), runs=False)
        world.run_agent("us_ag_Hn3cQ0ye", event, success=False, lag=0.0, duration=0.0)
        await exported.scrape()
        return await exported.account.database.run(lambda db: db.execute(query).fetchall())


@each("yaml config")
def test_configurations_hold(page: str, block: Block, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(block.text, encoding="utf-8")
    assert load(tmp_path / "config.yaml").accounts[0].name == "acme"


@each("sh run")
def test_commands_end_well(page: str, block: Block, place: Path) -> None:
    if PORT in block.text:
        with exporter("demo", place=place) as address:
            done = shell(block.text.replace(PORT, address), place)
    else:
        done = shell(block.text, place)
    assert done.returncode == 0, done.stderr
    assert done.stdout or [*place.iterdir()]


@each("sh run-behind-tls")
def test_commands_for_a_server_with_tls_and_passwords_end_well(page: str, block: Block, place: Path) -> None:
    with exporter("demo", "--web.config.file=web-config.yaml", place=place) as address:
        port = address.rpartition(":")[2]
        typed = block.text.replace(PORT, f"localhost:{port}").replace(
            "--user prometheus", f"--user 'prometheus:{PASSWORD}'"
        )
        done = shell(f"{typed.strip()} --fail", place)
    assert done.returncode == 0, done.stderr
    assert "\nflatfile_up{" in done.stdout


@each("sh run-with-account")
def test_commands_that_ask_flatfile_end_well(page: str, block: Block, tmp_path: Path) -> None:
    with SimulatedServer(demo_world(time.time, seed=1)).in_thread() as api:
        config = tmp_path / "config.yaml"
        config.write_text(configuration(account_lines("acme", api.base_url)), encoding="utf-8")
        config.chmod(0o600)
        done = shell(block.text, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "account acme" in done.stdout


@pytest.mark.skipif(shutil.which("amtool") is None, reason="needs amtool (Debian: prometheus-alertmanager)")
@each("sh run-with-alertmanager")
def test_commands_for_alertmanager_end_well(page: str, block: Block, tmp_path: Path) -> None:
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    assert program is not None
    config = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}
    with programs.alertmanager(program, config, tmp_path) as address:
        typed = block.text.replace("amtool ", f"amtool --alertmanager.url=http://{address} ", 1)
        done = shell(typed, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout


@each("sh serves")
def test_commands_that_serve_answer(page: str, block: Block, place: Path) -> None:
    words = block.text.split()
    command = words[1:] if words[0] == "flatfile-exporter" else words[3:]
    assert words[: len(words) - len(command)] in (["flatfile-exporter"], ["python", "-m", "exporter"])
    named = {"FLATFILE_CLIENT_ID": "1234-1234", "FLATFILE_CLIENT_SECRET": "put-the-secret-here"}
    with exporter(*command, place=place, more={} if command else named) as address:
        done = shell(f"flatfile-exporter healthcheck --url={address}", place)
    assert done.returncode == 0, done.stdout + done.stderr


@each("yaml prometheus")
def test_scrape_configurations_are_good(page: str, block: Block, promtool: str, tmp_path: Path) -> None:
    file = tmp_path / "prometheus.yml"
    file.write_text(block.text, encoding="utf-8")
    done = subprocess.run([promtool, "check", "config", "--syntax-only", file], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@each("sh run-with-prometheus")
def test_prometheus_takes_the_configuration_and_the_rules(
    page: str, block: Block, prometheus_program: str, tmp_path: Path
) -> None:
    """In a checkout: the alerts that the page names are among the rules, and the demo is scraped."""
    assert block.text.split()[:2] == ["prometheus", "--config.file=prometheus.yml"]
    (text,) = (block.text for block in blocks(page) if block.kind == "yaml prometheus")
    with exporter("demo", place=tmp_path) as address:
        config = yaml.safe_load(text.replace(PORT, address).replace("30s", "1s").replace("10s", "1s"))
        config["rule_files"] = [str(ROOT / path) for path in config["rule_files"]]
        with programs.prometheus(prometheus_program, config, tmp_path) as running:
            named = set(re.findall(r"`(Flatfile\w+)`", prose(page)))
            assert named
            assert named <= {rule["name"] for rule in running.rules()}
            process.eventually(lambda: running.now("flatfile_up == 1") != [], "the demo is scraped")


def shell(command: str, place: Path) -> subprocess.CompletedProcess[str]:
    """Run it as somebody would who has typed it."""
    return subprocess.run(
        ["sh", "-eu", "-c", command], cwd=place, env=environment(), capture_output=True, text=True, check=False
    )


def environment() -> dict[str, str]:
    """Ours, with this Python first, and without what may name an account."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FLATFILE_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "PYTHONPATH": str(ROOT)}


@contextmanager
def exporter(*arguments: str, place: Path, more: dict[str, str] | None = None) -> Iterator[str]:
    """Run the exporter on any free port and give its address."""
    with process.exporter(*arguments, process.ANY_PORT, env=more, cwd=place) as running:
        yield running.wait_for(r"\baddress=(127\.\S+)")[1]
