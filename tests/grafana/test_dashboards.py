"""The committed dashboards: generated, well-formed, linked, and clear to somebody who sees them for the first time."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from grafana.build import colours
from grafana.build.boards import files

from . import promql
from .alert_rules import ALERTS
from .queries import FOLDERS, GRAFANA, Json, dashboards, panels, queries_of

DATA = Path(__file__).parent / "data"
UIDS = ["flatfile-agents", "flatfile-environments", "flatfile-events", "flatfile-exporter", "flatfile-overview"]
ON_LOKI = ["flatfile-audit"]

BY_UID = dashboards()
EVERY = BY_UID | dashboards("loki")


@pytest.fixture(params=[*UIDS, *ON_LOKI])
def dashboard(request: pytest.FixtureRequest) -> Json:
    """Any dashboard, whomever it asks."""
    return EVERY[request.param]


@pytest.fixture(params=UIDS)
def on_prometheus(request: pytest.FixtureRequest) -> Json:
    return BY_UID[request.param]


def validator(name: str) -> Any:
    schema = json.loads((DATA / f"dashboard-{name}.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft7Validator(schema)


@pytest.mark.parametrize(
    ("path", "text"), list(files()), ids=lambda one: one.parent.name if isinstance(one, Path) else ""
)
def test_generating_again_changes_nothing(path: Path, text: str) -> None:
    assert path.read_text(encoding="utf-8") == text, "run python -m grafana.build"


def test_there_are_no_other_dashboards() -> None:
    assert sorted(BY_UID) == UIDS
    assert sorted(EVERY) == sorted([*UIDS, *ON_LOKI])
    assert set(GRAFANA.glob("dashboards*/*.json")) == {path for path, _ in files()}


def test_only_what_asks_prometheus_is_provisioned_with_prometheus() -> None:
    """A dashboard whose data source is not there shows errors alone."""
    for kind, folder in FOLDERS.items():
        for path in folder.glob("*.json"):
            variables = json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]
            assert [one["query"] for one in variables if one["type"] == "datasource"] == [kind], path.name


def test_fits_the_schema(dashboard: Json) -> None:
    assert [error.message for error in validator("tolerant").iter_errors(dashboard)] == []


def test_has_no_field_that_the_schema_does_not_know(dashboard: Json) -> None:
    known = copy.deepcopy(dashboard)
    for annotation in known["annotations"]["list"]:
        # Fields of Prometheus annotations, which the data source reads and the schema leaves to it.
        for field in ("expr", "step", "tagKeys", "textFormat", "titleFormat", "useValueForTime"):
            annotation.pop(field, None)
    for variable in known["templating"]["list"]:
        variable.pop("definition", None)  # what Grafana shows of the query in its list of variables
    assert [error.message for error in validator("strict").iter_errors(known)] == []


def test_the_strict_schema_finds_a_misspelt_field() -> None:
    broken = copy.deepcopy(BY_UID["flatfile-overview"]) | {"titel": "x"}
    assert list(validator("strict").iter_errors(broken))


def test_frame_is_as_grafana_10_to_13_want_it(dashboard: Json) -> None:
    assert not {"id", "version", "__inputs", "__requires"} & set(dashboard)
    assert 39 <= dashboard["schemaVersion"] <= 42
    expected = {"editable": False, "refresh": "1m", "graphTooltip": 1, "timezone": "browser", "tags": ["flatfile"]}
    assert {key: dashboard[key] for key in expected} == expected


def cells(panel: Json) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    return {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}


def layouts(dashboard: Json) -> list[list[Json]]:
    """What lies on one grid together: the dashboard with its rows closed, and the inside of each closed row."""
    return [dashboard["panels"], *(row["panels"] for row in dashboard["panels"] if row.get("panels"))]


def test_panels_have_ids_of_their_own(dashboard: Json) -> None:
    ids = [panel["id"] for layout in layouts(dashboard) for panel in layout]
    assert len(ids) == len(set(ids))
    assert min(ids) >= 1


def test_panels_do_not_overlap_and_leave_no_holes(dashboard: Json) -> None:
    for layout in layouts(dashboard):
        taken: set[tuple[int, int]] = set()
        for panel in layout:
            assert not cells(panel) & taken, panel["title"]
            taken |= cells(panel)
        top, bottom = min(y for _, y in taken), max(y for _, y in taken)
        assert taken == {(x, y) for x in range(24) for y in range(top, bottom + 1)}


def test_not_too_many_panels(dashboard: Json) -> None:
    assert len(list(panels(dashboard))) <= 25


def test_every_panel_says_what_it_is_and_what_no_data_means(dashboard: Json) -> None:
    for panel in panels(dashboard):
        assert panel["title"]
        if panel["type"] == "text":
            continue
        shows, _, no_data = panel["description"].partition("\n\n**No data:** ")
        assert len(shows) > 20, panel["title"]
        assert len(no_data) > 20, panel["title"]
        assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]


def test_titles_are_told_apart(dashboard: Json) -> None:
    titles = [panel["title"] for panel in panels(dashboard)]
    assert len(titles) == len(set(titles))


def test_panels_of_runs_name_their_collector() -> None:
    waiting = ("flatfile_agent_execution", "flatfile_agent_queue_lag")
    asked = [
        panel
        for dashboard in BY_UID.values()
        for panel in panels(dashboard)
        if any(name in target["expr"] for target in panel.get("targets", ()) for name in waiting)
    ]
    assert asked
    for panel in asked:
        assert "`executions` collector" in panel["description"], panel["title"]


def test_status_is_told_in_words() -> None:
    """A value that is only ever 0 or 1 is never left to its colour."""
    states = re.compile(r"flatfile_up\b|collector_success\b|reload_successful\b|^up\b")
    for dashboard in BY_UID.values():
        for panel in panels(dashboard):
            if panel["type"] in ("stat", "state-timeline") and any(states.search(t["expr"]) for t in panel["targets"]):
                words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
                assert "0" in words, panel["title"]


def test_variables_are_chained(on_prometheus: Json) -> None:
    variables = {v["name"]: v for v in on_prometheus["templating"]["list"]}
    switch = ["system"] if on_prometheus["uid"] == "flatfile-agents" else []
    assert list(variables) == ["datasource", "job", "instance", "account", "environment", *switch]
    queries = {name: v["query"]["query"] for name, v in variables.items() if v["type"] == "query"}
    assert '"$job"' in queries["instance"]
    assert '"$instance"' in queries["account"]
    assert '"$account"' in queries["environment"]
    for name in ("job", "instance", "account"):
        assert variables[name]["allValue"] == ".+"
    # An expected agent of an environment that does not exist has an empty environment_id: "All" must take it in.
    assert variables["environment"]["allValue"] == ".*"


@pytest.mark.parametrize(
    "name", ["Production", "a, b", 'say "hi"', "back\\slash", "two\nlines", 'x",environment_id="y']
)
def test_environment_variable_finds_name_and_id(on_prometheus: Json, name: str) -> None:
    """The regular expression on the text that Grafana makes of a series (labels as they are, in Prometheus' order)."""
    pattern = next(v["regex"] for v in on_prometheus["templating"]["list"] if v["name"] == "environment")
    assert (pattern[0], pattern[-1]) == ("/", "/")
    in_python = pattern[1:-1].replace("(?<text>", "(?P<text>").replace("(?<value>", "(?P<value>")
    match = re.search(in_python, f'{{environment_id="us_env_1",environment_name="{name}"}} 1 1700000000000')
    assert match
    assert (match["text"], match["value"]) == (name, "us_env_1")


def test_links_keep_time_and_variables(dashboard: Json) -> None:
    (dropdown,) = dashboard["links"]
    assert (dropdown["type"], dropdown["tags"], dropdown["asDropdown"]) == ("dashboards", ["flatfile"], True)
    assert dropdown["keepTime"]
    assert dropdown["includeVars"]
    urls = re.findall(r'"url": "([^"]*(?:\\"[^"]*)*)"', json.dumps(dashboard["panels"]))
    assert urls
    for url in urls:
        if url.startswith("https://"):
            continue  # a runbook
        uid, _, query = url.removeprefix("/d/").partition("?")
        assert uid in EVERY
        assert query.startswith("${__url_time_range}&")
        kept = ("${datasource:queryparam}", "var-environment=")
        if dashboard["uid"] in ON_LOKI:
            kept = ("${loki_datasource:queryparam}", "var-only_topic=")
        assert "${__all_variables}" in query or all(part in query for part in kept)


def test_links_name_labels_and_columns_that_are_there(on_prometheus: Json) -> None:
    for panel in panels(on_prometheus):
        text = json.dumps(panel.get("fieldConfig")).replace('\\"', '"')
        for label in re.findall(r"__field\.labels\.(\w+)", text):
            for query in queries_of(on_prometheus):
                if query.place.startswith(f"panel {panel['id']} "):
                    assert label in promql.used_labels(query.raw), panel["title"]
        organized = [s["options"]["renameByName"] for s in panel.get("transformations", ()) if s["id"] == "organize"]
        columns = {title for renames in organized for title in renames.values()}
        assert set(re.findall(r'__data\.fields(?:\.(\w+)|\["([^"]+)"\])', text)) <= {
            pair for c in columns for pair in ((c, ""), ("", c))
        }, panel["title"]


def test_overrides_name_columns_that_are_there(dashboard: Json) -> None:
    for panel in panels(dashboard):
        organized = [s["options"]["renameByName"] for s in panel.get("transformations", ()) if s["id"] == "organize"]
        if organized:
            overrides = panel["fieldConfig"]["overrides"]
            named = {o["matcher"]["options"] for o in overrides if o["matcher"]["id"] == "byName"}
            assert named <= set(organized[0].values()), panel["title"]


def test_annotations_are_deployments_and_alerts(on_prometheus: Json) -> None:
    deployed, firing = on_prometheus["annotations"]["list"]
    assert "flatfile_agent_updated_timestamp_seconds" in deployed["expr"]
    assert deployed["useValueForTime"]
    assert deployed["enable"]
    assert firing["expr"] == 'ALERTS{alertname=~"Flatfile.*", account=~"$account|", alertstate="firing"}'
    assert not firing["enable"], "bands of alerts would cover every graph"


def overrides(panel: Json, matcher: str) -> dict[str, dict[str, Any]]:
    """The properties set for fields, by what the matcher of the given kind looks for."""
    return {
        one["matcher"]["options"]: {setting["id"]: setting["value"] for setting in one["properties"]}
        for one in panel["fieldConfig"]["overrides"]
        if one["matcher"]["id"] == matcher
    }


def test_an_empty_cell_does_not_say_what_an_empty_table_says(dashboard: Json) -> None:
    for table in (panel for panel in panels(dashboard) if panel["type"] == "table"):
        assert overrides(table, "byRegexp")["/.*/"]["noValue"] == "–", table["title"]
        assert len(table["fieldConfig"]["defaults"]["noValue"]) > 5, table["title"]


def test_whole_numbers_are_not_shortened(dashboard: Json) -> None:
    """`short` with no decimals makes "2 K" of both 1,501 and 2,499."""
    for panel in panels(dashboard):
        settings = [panel.get("fieldConfig", {}).get("defaults", {})]
        if settings[0].get("unit"):
            settings += overrides(panel, "byName").values()
            assert not [one for one in settings if (one.get("unit"), one.get("decimals")) == ("short", 0)], panel[
                "title"
            ]


def test_words_of_a_status_stand_on_their_colour() -> None:
    """As text, the blue of "good" is hardly to be read on a dark ground, and a light blue not on a light one."""
    tables = [panel for dashboard in BY_UID.values() for panel in panels(dashboard) if panel["type"] == "table"]
    of_fields = [settings for table in tables for settings in overrides(table, "byName").values()]
    coloured = [one for one in of_fields if "color" in json.dumps(one.get("mappings", []))]
    assert coloured
    assert {one["custom.cellOptions"]["type"] for one in coloured} == {"color-background"}
    (matrix,) = (table for table in tables if table["fieldConfig"]["defaults"].get("mappings"))
    assert overrides(matrix, "byRegexp")["/.*/"]["custom.cellOptions"]["type"] == "color-background"
    assert overrides(matrix, "byName")["environment_name\\agent"]["displayName"] == "Environment"


def test_yes_and_no_are_said_in_words(dashboard: Json) -> None:
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            if target.get("legendFormat") in ("{{system}}", "{{production}}"):
                names = overrides(panel, "byName")
                assert names["true"]["displayName"] != names["false"]["displayName"], panel["title"]
        for step in panel.get("transformations", ()):
            if title := step["options"].get("renameByName", {}).get("production"):
                (words,) = overrides(panel, "byName")[title]["mappings"]
                assert set(words["options"]) == {"true", "false"}


def test_an_axis_of_zeros_is_short(dashboard: Json) -> None:
    for graph in (panel for panel in panels(dashboard) if panel["type"] == "timeseries"):
        defaults = graph["fieldConfig"]["defaults"]
        if defaults["unit"] in ("locale", "short", "reqps") and "max" not in defaults:
            assert defaults["custom"]["axisSoftMax"] <= 1, graph["title"]


def test_units_need_no_explanation(dashboard: Json) -> None:
    """`cps` writes "c/s", `opm` "ops/m": what is counted by time says so in its title."""
    for panel in panels(dashboard):
        field_config = panel.get("fieldConfig", {"defaults": {}, "overrides": []})
        units = [field_config["defaults"].get("unit")]
        units += [p["value"] for o in field_config["overrides"] for p in o["properties"] if p["id"] == "unit"]
        assert not {"cps", "ops", "opm", "eps"} & set(units), panel["title"]


def luminance(colour: str) -> float:
    """The relative luminance of `#RRGGBB`, as the WCAG define it."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_warning_and_critical_differ_in_lightness_alone() -> None:
    light, dark = luminance(colours.WARNING), luminance(colours.CRITICAL)
    assert (light + 0.05) / (dark + 0.05) > 2.5


def test_healthy_tiles_are_quiet(dashboard: Json) -> None:
    """Only what needs attention has a coloured ground."""
    loud = {colours.WARNING, colours.CRITICAL}
    for panel in (panel for panel in panels(dashboard) if panel["type"] == "stat"):
        defaults = panel["fieldConfig"]["defaults"]
        if panel["options"]["colorMode"] == "none":
            continue
        assert panel["options"]["colorMode"] == "background_solid"
        words = [word for mapping in defaults.get("mappings", ()) for word in mapping["options"].values()]
        used = [step["color"] for step in defaults["thresholds"]["steps"]] + [word["color"] for word in words]
        assert set(used) <= loud | {colours.QUIET, colours.UNKNOWN}, panel["title"]
        assert colours.QUIET in used, panel["title"]


def test_firing_alerts_say_since_when_and_lead_to_their_runbooks() -> None:
    (table,) = (panel for panel in panels(BY_UID["flatfile-overview"]) if panel["title"] == "Firing alerts")
    (organize,) = (step["options"] for step in table["transformations"] if step["id"] == "organize")
    assert {"Since", "Severity", "Instance", "Account", "Environment"} <= set(organize["renameByName"].values())
    settings = overrides(table, "byName")
    (words,) = settings["Severity"]["mappings"]
    assert words["options"]["critical"]["color"] != words["options"]["warning"]["color"]
    assert settings["Severity"]["custom.cellOptions"]["type"] == "color-background"
    (link,) = settings["Alert"]["links"]
    page, _, anchor = link["url"].partition("#")
    assert anchor == "${__value.raw:percentencode}"
    runbooks = (GRAFANA.parent / "docs" / page.rpartition("/")[2]).read_text(encoding="utf-8")
    for rules in ALERTS.glob("*.yaml"):
        for alert in re.findall(r"- alert: (\w+)", rules.read_text(encoding="utf-8")):
            assert f'<a id="{alert}"></a>' in runbooks, alert


@pytest.mark.parametrize("uid", [*UIDS, *ON_LOKI])
def test_the_variant_for_import_asks_for_its_data_source(uid: str) -> None:
    """Grafana puts what is chosen at the import in place of `${DS_…}`, wherever that stands."""
    text = (GRAFANA / "dashboards-import" / f"{uid}.json").read_text(encoding="utf-8")
    variant = json.loads(text)
    (asked,) = variant["__inputs"]
    kind = "loki" if uid in ON_LOKI else "prometheus"
    assert (asked["type"], asked["pluginId"], asked["name"]) == ("datasource", kind, f"DS_{kind.upper()}")
    assert variant["editable"]
    needed = {(one["type"], one["id"]) for one in variant["__requires"]}
    assert needed >= {("grafana", "grafana"), ("datasource", kind)}
    assert {("panel", panel["type"]) for panel in panels(variant)} <= needed
    assert "datasource}" not in text
    assert "datasource:" not in text
    imported = json.loads(text.replace(f"${{{asked['name']}}}", "chosen"))
    sources = re.findall(r'"type": "[^"]+", "uid": "([^"]+)"}', json.dumps(imported, sort_keys=True))
    assert set(sources) == {"chosen"}
    assert [error.message for error in validator("tolerant").iter_errors(imported)] == []
    rest = [panel | {"datasource": None, "targets": None} for panel in panels(imported)]
    assert [panel["title"] for panel in rest] == [panel["title"] for panel in panels(EVERY[uid])]


def test_graphs_with_a_line_for_each_environment_or_agent_have_20_at_most(on_prometheus: Json) -> None:
    for panel in (panel for panel in panels(on_prometheus) if panel["type"] == "timeseries"):
        each = [target["expr"] for target in panel["targets"] if "{{environment_name}}" in target["legendFormat"]]
        limits = [int(found) for expr in each for found in re.findall(r" and on \([^)]*\) topk\((\d+), ", expr)]
        assert len(limits) == len(each), panel["title"]
        assert sum(limits) <= 20, panel["title"]
