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

_EXPORTERS = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}"


@dataclass(frozen=True, slots=True)
class DataLink:
    """One entry of the menu that opens at a click on a value."""

    title: str
    url: str

    def builder(self) -> build.DashboardLink:
        return build.DashboardLink(self.title).url(self.url)


def with_all_variables(title: str, uid: str) -> DataLink:
    """To another dashboard, as things are chosen now."""
    return DataLink(title, f"/d/{uid}?${{__url_time_range}}&${{__all_variables}}")


def of_row(title: str, uid: str) -> DataLink:
    """From a table's row to the row's environment on another dashboard."""
    return DataLink(
        title,
        f"/d/{uid}?${{__url_time_range}}&{_EXPORTERS}"
        "&var-account=${__data.fields.Account:percentencode}"
        '&var-environment=${__data.fields["Environment ID"]:percentencode}',
    )


def of_series(title: str, uid: str) -> DataLink:
    """From a line of a graph to the line's environment on another dashboard."""
    return DataLink(
        title,
        f"/d/{uid}?${{__url_time_range}}&{_EXPORTERS}"
        "&var-account=${__field.labels.account:percentencode}"
        "&var-environment=${__field.labels.environment_id:percentencode}",
    )
