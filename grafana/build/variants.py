"""Variants of the dashboards for import by hand, in the form in which Grafana exports them "for sharing externally"."""

import copy
import json
from typing import Any

Json = dict[str, Any]

OLDEST_GRAFANA = "10.0.0"
NAMES = {"prometheus": "Prometheus", "loki": "Loki"}


def for_import(dashboard: Json) -> Json:
    """Return the dashboard with `__inputs`: Grafana asks for its data source once, at the import, not in a list at the top.

    Nothing updates an imported dashboard, so it may be edited.
    """
    variant = copy.deepcopy(dashboard)
    variables = variant["templating"]["list"]
    (source,) = (one for one in variables if one["type"] == "datasource")
    variables.remove(source)
    kind, name = source["query"], source["name"]
    given = f"DS_{kind.upper()}"
    text = json.dumps(variant, ensure_ascii=False)
    text = text.replace(f"${{{name}:queryparam}}&", "").replace(f"${{{name}}}", f"${{{given}}}")
    panels = [*variant["panels"], *(panel for row in variant["panels"] for panel in row.get("panels", ()))]
    types = sorted({panel["type"] for panel in panels} - {"row"})
    needed = [
        ("grafana", "grafana", OLDEST_GRAFANA),
        ("datasource", kind, "1.0.0"),
        *(("panel", one, "") for one in types),
    ]
    source_input = {
        "name": given,
        "label": NAMES[kind],
        "type": "datasource",
        "pluginId": kind,
        "pluginName": NAMES[kind],
    }
    given_later: Json = json.loads(text)
    return given_later | {
        "editable": True,
        "__inputs": [source_input | {"description": ""}],
        "__elements": {},
        "__requires": [{"type": type_, "id": id_, "name": id_, "version": version} for type_, id_, version in needed],
    }
