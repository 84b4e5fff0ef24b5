"""What Prometheus answers to every query of a dashboard, sent as Grafana sends it when the dashboard is opened."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

Json = dict[str, Any]

ANNOTATION_STEP = 60
"""Seconds between two looks for marks; each of our annotations asks for this step."""


@dataclass(frozen=True, slots=True)
class Times:
    """The time range of the pictures, in Unix seconds, and the `interval` set in the data source, in seconds.

    Lines have a point each `interval`, and rates are taken over four of them, as Grafana does where a panel is wide
    enough.
    """

    start: int
    end: int
    interval: int

    @property
    def macros(self) -> dict[str, str]:
        return {
            "$__rate_interval": f"{4 * self.interval}s",
            "$__interval": f"{self.interval}s",
            "$__interval_ms": f"{1000 * self.interval}",
            "$__range": f"{self.end - self.start}s",
        }


def filled_in(expr: str, variables: Mapping[str, str], times: Times) -> str:
    """Return the query as it is sent, with durations in place of Grafana's macros and values in place of the variables."""
    replacements = {**times.macros, **{f"${name}": value for name, value in variables.items()}}
    return re.sub(r"\$\w+", lambda found: replacements[found[0]] if found[0] in replacements else found[0], expr)


def as_opened(dashboard: Json) -> dict[str, str]:
    """Return the value of each variable as the dashboard is opened: "All", or what a switch is set to."""
    variables = [one for one in dashboard["templating"]["list"] if one["type"] != "datasource"]
    return {one["name"]: one["allValue"] if one.get("includeAll") else one["current"]["value"] for one in variables}


def panels(dashboard: Json) -> Iterator[Json]:
    """The panels to be seen: those inside closed rows ask nothing until somebody opens the row."""
    return (panel for panel in dashboard["panels"] if panel["type"] != "row")


def ask(prometheus: httpx.Client, expr: str, times: Times, *, step: int | None) -> list[Json]:
    """The series of an answer: over the range where there is a `step`, else at its end."""
    if step is None:
        answer = prometheus.post("/api/v1/query", data={"query": expr, "time": times.end})
    else:
        # Grafana moves both ends to whole steps, so that lines do not shiver at each refresh.
        ends = {"start": times.start // step * step, "end": times.end // step * step}
        answer = prometheus.post("/api/v1/query_range", data={"query": expr, "step": step, **ends})
    if answer.is_error:
        raise SystemExit(f"Prometheus answers {answer.status_code} to {expr}: {answer.text}")
    result: list[Json] = answer.json()["data"]["result"]
    return result


def answers(prometheus: httpx.Client, dashboard: Json, times: Times) -> Json:
    """The dashboard with all its answers: `panels` by panel id and refId, `annotations` in their order."""
    variables = as_opened(dashboard)
    of_panels: dict[int, dict[str, list[Json]]] = {}
    for panel in panels(dashboard):
        for target in panel.get("targets", ()):
            expr = filled_in(target["expr"], variables, times)
            step = None if target.get("instant") else times.interval
            of_panels.setdefault(panel["id"], {})[target["refId"]] = ask(prometheus, expr, times, step=step)
    annotations = [
        ask(prometheus, filled_in(annotation["expr"], variables, times), times, step=ANNOTATION_STEP)
        for annotation in dashboard["annotations"]["list"]
    ]
    return {
        "dashboard": dashboard,
        "panels": of_panels,
        "annotations": annotations,
        "annotationStep": ANNOTATION_STEP * 1000,
        "from": times.start * 1000,
        "to": times.end * 1000,
        "step": times.interval * 1000,
    }
