"""Addresses of the dashboards, and links between them that keep the time range and the variables."""

from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as build

TAG = "flatfile"
OVERVIEW = "flatfile-overview"
ENVIRONMENTS = "flatfile-environments"
AGENTS = "flatfile-agents"
EVENTS = "flatfile-events"
EXPORTER = "flatfile-exporter"
AUDIT = "flatfile-audit"

RUNBOOKS = "https://github.com/flatfile-exporter/flatfile-exporter/blob/main/docs/alerts.md"

_EXPORTERS = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"


@dataclass(frozen=True, slots=True)
class DataLink:
    """One entry of the menu that opens at a click on a value."""

    title: str
    url: str

    def builder(self) -> build.DashboardLink:
        return build.DashboardLink(self.title).url(self.url)


def with_all_variables(title: str, uid: str) -> DataLink:
    """Link to another dashboard, with every variable as it is."""
    return DataLink(title, f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}")


def of_row(title: str, uid: str) -> DataLink:
    """Link from a table's row to the row's environment on another dashboard."""
    return DataLink(
        title,
        f"/d/{uid}?${{__url_time_range}}&{_EXPORTERS}"
        "&var-account=${__data.fields.Account:percentencode}"
        '&var-environment=${__data.fields["Environment ID"]:percentencode}',
    )


def of_series(title: str, uid: str) -> DataLink:
    """Link from a line of a graph to the line's environment on another dashboard."""
    return DataLink(
        title,
        f"/d/{uid}?${{__url_time_range}}&{_EXPORTERS}"
        "&var-account=${__field.labels.account:percentencode}"
        "&var-environment=${__field.labels.environment_id:percentencode}",
    )


def runbook() -> DataLink:
    """Link from an alert's name, in a table's cell, to its runbook."""
    return DataLink("Runbook", f"{RUNBOOKS}#${{__value.raw:percentencode}}")
