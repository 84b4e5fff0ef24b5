"""What rules are made of: their fields, annotations, and the expressions that several share."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from textwrap import indent
from typing import Any

GRAFANA = Path(__file__).parents[2]
Rule = dict[str, Any]

ENVIRONMENT = "account, environment_id"

REMEMBERED_ACCOUNT = """\
(
  last_over_time(flatfile_up[<<memory_removed>>])
  or (last_over_time(flatfile_up[<<memory>>]) and on (job, instance) (last_over_time(up[<<memory_removed>>]) == 0))
)"""
"""Accounts that an exporter serves, or did lately; for longer where its target is down."""

REMEMBERED_ENVIRONMENT = f"""\
(
  flatfile_environment_info
  or (
    last_over_time(flatfile_environment_info[<<memory>>])
    unless on (account) flatfile_environments
    and on (account) {indent(REMEMBERED_ACCOUNT, "    ").lstrip()}
  )
)"""
"""Environments that exist, and those of which nobody can say now whether they do."""

PRODUCTION = """\
(
  last_over_time(flatfile_environment_info{production="true"}[<<memory>>])
  unless on (account, environment_id) flatfile_environment_info{production="false"}
)"""

REFUSED = """\
(
  last_over_time(account:flatfile_credentials_refused:increase[<<memory>>]) > 0
  or max_over_time(account:flatfile_credentials_refused:increase[<<credentials_window>>]) > 0
)"""
"""Accounts whose credentials are refused, or were a moment ago."""

THE_ENVIRONMENT = (
    "{{ range printf `environment:flatfile_name:info{account=%q,environment_id=%q}` $labels.account $labels.environment_id"
    " | query }}{{ .Labels.environment_name }} {{ end }}({{ $labels.environment_id }}) of account {{ $labels.account }}"
)
NOT_KNOWN = "{{ if lt $value 0.0 }} What is now is not known: the exporter is down or cannot query Flatfile.{{ end }}"

_FILLS = {"account": "account", "environment": "environment_id", "job": "job", "instance": "instance"}


def remembered(recorded: str, condition: str, *, known: str, on: str = ENVIRONMENT) -> str:
    """The condition on a recorded series; its negative while the answer is not known and was so when it was last known.

    `known` has a series for each `on` while the answer is known: without one, a missing series says nothing. It is
    recorded with the answer, or it would be there an evaluation before the answer is, and end the alert.
    """
    return (
        f"last_over_time({recorded}[<<restart>>]) {condition}\n"
        "or\n"
        "-(\n"
        f"  last_over_time({recorded}[<<memory>>]) {condition}\n"
        f"  unless on ({on}) last_over_time({known}[<<restart>>])\n"
        f"  and on ({on}) {indent(_exists(on), '  ').lstrip()}\n"
        ")"
    )


def last_known(recorded: str, condition: str, *, on: str = ENVIRONMENT) -> str:
    """The condition on a recorded series that is there exactly while the answer is known."""
    return f"last_over_time({recorded}[<<memory>>]) {condition}\nand on ({on}) {_exists(on)}"


def _exists(on: str) -> str:
    return REMEMBERED_ENVIRONMENT if on == ENVIRONMENT else REMEMBERED_ACCOUNT


def query(expr: str, *labels: str) -> str:
    """A template's query with labels of the alert filled in for `%q`."""
    return f"printf `{expr}` {' '.join(f'$labels.{label}' for label in labels)} | query"


@cache
def _boards() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in GRAFANA.glob("dashboards/*.json")}


def _panel(board: str, metric: str) -> str:
    """The id of the first panel that shows the metric; KeyError where none does."""
    panels = [panel for top in _boards()[board]["panels"] for panel in (top, *top.get("panels", ()))]
    for panel in panels:
        if any(re.search(rf"\b{metric}(?!\w)", target.get("expr", "")) for target in panel.get("targets", ())):
            return str(panel["id"])
    raise KeyError(f"no panel of {board} shows {metric}")


def alert(
    name: str,
    expr: str,
    *,
    wait: str,
    severity: str,
    summary: str,
    description: str,
    board: str,
    shows: str = "",
    variables: tuple[str, ...] = ("account",),
    critical: bool = False,
) -> Rule:
    """An alert. `shows` is the metric whose panel on `board` Grafana links to, if any; a `critical` one outlasts its cause."""
    filled = "&".join(f"var-{name}={{{{ $labels.{_FILLS[name]} | urlquery }}}}" for name in variables)
    rule: Rule = {"alert": name, "expr": f"{expr}\n", "for": f"<<{wait}>>"}
    if critical:
        rule["keep_firing_for"] = "<<keep_firing>>"
    rule["labels"] = {"severity": f"<<{severity}>>"}
    rule["annotations"] = {
        "summary": summary,
        "description": description,
        "runbook_url": f"<<runbook_url>>#{name.lower()}",
        "dashboard_url": f"<<grafana_url>>/d/{board}{'?' if filled else ''}{filled}",
        "__dashboardUid__": board,
    }
    if shows:
        rule["annotations"]["__panelId__"] = _panel(board, shows)
    return rule


def by_production(name: str, expr: str, **about: Any) -> list[Rule]:
    """The same alert with one severity in production and another elsewhere."""

    def of(operator: str) -> str:
        return f"(\n{indent(expr, '  ')}\n)\n{operator} on ({ENVIRONMENT}) {PRODUCTION}"

    return [
        alert(name, of("and"), severity="severity_production", critical=True, **about),
        alert(name, of("unless"), severity="severity_other", **about),
    ]


def record(name: str, expr: str) -> Rule:
    return {"record": name, "expr": f"{expr}\n"}


def filled_in(text: str, settings: Mapping[str, Any]) -> str:
    """The text with each `<<name>>` replaced by its setting."""
    for name, value in settings.items():
        text = text.replace(f"<<{name}>>", str(value))
    return text
