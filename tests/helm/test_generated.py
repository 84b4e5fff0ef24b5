"""What can be said of the chart without Helm: it is about this exporter, and its generated files are up to date."""

import copy
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from deploy.helm.build import copies, schema
from deploy.helm.build.places import CHART
from exporter import __version__
from exporter.config.schema import Key, walk
from exporter.config.types import ACCOUNT, SHARED

from .rendering import VALUES_FILES

COMMAND = "python -m deploy.helm.build"
APPLY_LIMIT = 256 * 1024
"""Bytes of annotations of an object, in which `kubectl apply` (and Argo CD with it) keeps the whole object."""

CHART_ABOUT = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
VALUES_FILE = CHART / "values.yaml"
VALUES = yaml.safe_load(VALUES_FILE.read_text(encoding="utf-8"))
SCHEMA = json.loads(schema.FILE.read_text(encoding="utf-8"))


def problems(values: Any) -> list[str]:
    """What the schema has against values that stand beside the chart's own."""
    validator = jsonschema.Draft7Validator(SCHEMA)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(merged(VALUES, values))]


def merged(under: Any, over: Any) -> Any:
    """As Helm merges: mappings key by key, where null takes a key away; anything else as a whole."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    both = {key: merged(under.get(key), value) for key, value in over.items() if value is not None}
    return {key: value for key, value in (under | both).items() if over.get(key, value) is not None}


def test_the_chart_is_that_of_this_version_of_the_exporter() -> None:
    assert CHART_ABOUT["appVersion"] == __version__
    line = f'appVersion: "{__version__}"'  # in quotes, or 1.10 would be a number
    assert line in (CHART / "Chart.yaml").read_text(encoding="utf-8").splitlines()
    assert (CHART_ABOUT["name"], CHART_ABOUT["apiVersion"]) == (CHART.name, "v2")


def test_rules_and_dashboards_in_the_chart_are_copies_of_the_originals() -> None:
    assert copies.present() == copies.wanted(), COMMAND
    kinds = {(path.parent.name, path.suffix) for path in copies.wanted()}
    assert kinds == {("alerts", ".yaml"), ("dashboards", ".json"), ("dashboards-loki", ".json")}


def test_each_dashboard_fits_into_a_config_map_that_is_applied() -> None:
    for path, content in copies.wanted().items():
        assert len(content) < APPLY_LIMIT / 2, path  # as a string in JSON its quotes and line breaks take two


def test_the_schema_has_the_exporters_keys_as_they_are() -> None:
    text = schema.FILE.read_text(encoding="utf-8")
    assert text == schema.render(text), COMMAND


def test_every_value_is_explained() -> None:
    """A comment with the mark `# --` stands above each value, or above a mapping that it is in."""
    lines = VALUES_FILE.read_text(encoding="utf-8").splitlines()

    def unexplained(mapping: yaml.MappingNode, path: str) -> Iterator[str]:
        for key, value in mapping.value:
            above = itertools.takewhile(
                lambda line: line.strip().startswith("#"), reversed(lines[: key.start_mark.line])
            )
            if any(line.strip().startswith("# -- ") for line in above):
                continue
            if isinstance(value, yaml.MappingNode) and value.value:
                yield from unexplained(value, f"{path}{key.value}.")
            else:
                yield path + key.value

    document = yaml.compose("\n".join(lines), Loader=yaml.SafeLoader)
    assert isinstance(document, yaml.MappingNode)
    assert [*unexplained(document, "")] == []


def test_the_schema_knows_the_values_that_there_are_and_no_others() -> None:
    for name, value in _sections(VALUES, ""):
        section = _schema_of(name)
        if section.get("additionalProperties") is False:
            given_by_a_chart_above = set() if name else {"global", "enabled"}
            assert value.keys() == section["properties"].keys() - given_by_a_chart_above, name
    assert problems({}) == []


def _sections(values: dict[str, Any], prefix: str) -> list[tuple[str, dict[str, Any]]]:
    inner = [(f"{prefix}{key}.", value) for key, value in values.items() if isinstance(value, dict) and value]
    return [(prefix, values), *(pair for name, value in inner for pair in _sections(value, name))]


def _schema_of(path: str) -> dict[str, Any]:
    found: dict[str, Any] = SCHEMA
    for part in filter(None, path.split(".")):
        found = found.get("properties", {}).get(part, {})
    return found if not found.get("$ref", "").endswith("probeTimes") else {}


def test_the_schema_is_one() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", VALUES_FILES, ids=lambda path: path.stem)
def test_the_files_of_values_fit_the_schema(path: Path) -> None:
    assert problems(yaml.safe_load(path.read_text(encoding="utf-8"))) == []


def test_a_chart_above_may_say_global_and_enabled() -> None:
    assert problems({"global": {"imageRegistry": "x"}, "enabled": True}) == []


AUTH = {"existingSecret": "flatfile"}


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"serviceMonitr": {}}, "$"),
        ({"serviceMonitor": {"honourLabels": True}}, "$.serviceMonitor"),
        ({"serviceMonitor": {"jobName": "imports"}}, "$.serviceMonitor.jobName"),
        ({"serviceMonitor": {"interval": "30"}}, "$.serviceMonitor.interval"),
        ({"accounts": [{"name": "acme"}]}, "$.accounts[0]"),
        ({"accounts": [{"name": 12, "auth": AUTH}]}, "$.accounts[0].name"),
        ({"accounts": [{"name": "acme", "auth": {"clientId": 1234}}]}, "$.accounts[0].auth.clientId"),
        ({"accounts": [{"name": "acme", "auth": {"client_id": "1234"}}]}, "$.accounts[0].auth"),
        ({"accounts": [{"name": "acme", "auth": AUTH, "config": {"name": "x"}}]}, "$.accounts[0].config"),
        ({"accounts": [{"name": "acme", "auth": AUTH, "config": {"auth": {}}}]}, "$.accounts[0].config"),
        ({"config": {"accounts": []}}, "$.config"),
        ({"config": {"collectors": {"guest": {}}}}, "$.config.collectors"),
        ({"config": {"collectors": {"guests": {"interval": "5 m"}}}}, "$.config.collectors.guests.interval"),
        ({"config": {"requests": {"retries": 0}}}, "$.config.requests.retries"),
        ({"config": {"events": {"include": []}}}, "$.config.events.include"),
        ({"webConfig": {"key": "../x"}}, "$.webConfig.key"),
        ({"probes": {"readinessPath": "/metrics"}}, "$.probes.readinessPath"),
        ({"commonLabels": {"a": 1}}, "$.commonLabels.a"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_schema_finds(values: dict[str, Any], where: str) -> None:
    assert {problem.partition(": ")[0] for problem in problems(values)} == {where}


def test_every_key_of_the_exporter_may_be_given_with_its_default() -> None:
    for entries, definition in ((SHARED, "config"), (ACCOUNT, "accountConfig")):
        given: dict[str, Any] = {}
        for path, entry in walk(entries):
            if isinstance(entry, Key) and entry.default is not None and "[]" not in path:
                _put(given, path.split("."), yaml.safe_load(entry.default))
        assert given.keys() == SCHEMA["definitions"][definition]["properties"].keys() - {"expected_agents"}
        own = {"$ref": f"#/definitions/{definition}", "definitions": SCHEMA["definitions"]}
        assert [error.message for error in jsonschema.Draft7Validator(own).iter_errors(given)] == []


def _put(into: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        into = into.setdefault(part, {})
    into[path[-1]] = copy.copy(value)
