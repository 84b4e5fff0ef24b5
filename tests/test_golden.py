"""The page of the fixed account: the files that hold its shape and values, the contract, and programs that read it."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from exporter.exposition.families import Family
from exporter.exposition.text import Format
from exporter.flatfile.topics import KNOWN_TOPICS
from tests.collectors.exported import Exported, Time
from tests.exposition.rendered import render
from tests.golden.page import SHAPE, VALUES, described, fixed_families, shape, values
from tests.simulator.worlds import fixed_world

CONTRACT = Path(__file__).parent / "grafana/data/contract.yaml"
ENVIRONMENT = ("account", "environment_id", "environment_name")
COMMON = {
    "process": (),
    "account": ("account",),
    "environment": ENVIRONMENT,
    "agent": (*ENVIRONMENT, "agent_id", "agent"),
}


@pytest.fixture
async def families() -> list[Family]:
    return await fixed_families()


async def test_the_shape_is_that_of_the_file(families: list[Family]) -> None:
    assert shape(families) == SHAPE.read_text(encoding="utf-8"), (
        "python -m tests.golden.write, then read the difference"
    )


async def test_the_values_are_those_of_the_file(families: list[Family]) -> None:
    assert values(families) == VALUES.read_text(encoding="utf-8"), (
        "python -m tests.golden.write, then read the difference"
    )


async def test_every_family_of_the_contract_is_served_with_its_type_and_labels_and_no_other(
    families: list[Family],
) -> None:
    contract = {
        name: (what["type"], frozenset((*COMMON[level], *what.get("labels", ()))))
        for level, entries in yaml.safe_load(CONTRACT.read_text(encoding="utf-8")).items()
        for name, what in entries.items()
    }
    served = {family.desc.name: (family.desc.type, frozenset(family.desc.labels)) for family in families}
    assert served == contract
    assert {desc.name: (desc.type, frozenset(desc.labels)) for desc in described()}.items() <= served.items()


async def test_every_sample_has_a_value_for_each_label_and_no_two_are_the_same(families: list[Family]) -> None:
    for family in families:
        labels = [labels for labels, _ in family.samples]
        assert len(labels) == len(set(labels)), family.desc.name
        assert all(len(each) == len(family.desc.labels) for each in labels), family.desc.name
    assert render(families, Format.TEXT_0_0_4).dropped == 0


async def test_known_topics_are_at_0_in_each_environment(families: list[Family]) -> None:
    (totals,) = [family for family in families if family.desc.name == "flatfile_events_total"]
    assert len(totals.samples) == 3 * (len(KNOWN_TOPICS) + 1)  # and the one that nobody knows, seen in one of them
    assert {value for _, value in totals.samples} == {0}


async def test_promtool_has_no_complaint(families: list[Family], promtool: str) -> None:
    page = render(families, Format.TEXT_0_0_4).body
    checked = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def samples(metrics: Iterable[Metric]) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for metric in metrics for sample in metric.samples
    }


async def test_both_formats_parse_back_to_the_same_samples(families: list[Family]) -> None:
    text = samples(parse_text(render(families, Format.TEXT_0_0_4).body.decode()))
    openmetrics = samples(parse_openmetrics(render(families, Format.OPENMETRICS_1_0).body.decode()))
    assert text == openmetrics
    assert len(text) > 500


AWKWARD = ['"', "\\", "\n", '\\"', "\\n", 'a"b\\c\nd', "🧪 Ünï\u200d", "{}", "a,b=c", " ", "#", "\\\\n\n", "\t\r\x7f"]


async def test_names_of_any_kind_come_back_unchanged() -> None:
    time = Time()
    world = fixed_world(time)
    world.name = "".join(AWKWARD)
    for name in AWKWARD:
        environment = world.add_environment(name).id
        world.deploy_agent(environment, name, namespace=name)
        world.emit(name, environment, at=time() - 1)
    async with Exported(world, time) as exported:
        await exported.scrape()
        families = await exported.account.page.families()
    for parsed in (
        samples(parse_text(render(families, Format.TEXT_0_0_4).body.decode())),
        samples(parse_openmetrics(render(families, Format.OPENMETRICS_1_0).body.decode())),
    ):
        found = {(metric, *dict(labels).items()) for metric, labels in parsed}
        assert any(m == "flatfile_account_info" and ("account_name", world.name) in rest for m, *rest in found)
        for name in AWKWARD:
            assert any(m == "flatfile_environment_info" and ("environment_name", name) in rest for m, *rest in found), (
                name
            )
            assert any(
                m == "flatfile_agent_info" and {("agent", name), ("flatfile_namespace", name)} <= {*rest}
                for m, *rest in found
            ), name
            assert any(m == "flatfile_events_total" and ("topic", name) in rest for m, *rest in found), name
