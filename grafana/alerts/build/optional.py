"""Rules that tell of what is unusual, not of what is broken. They are in a file of their own that is not loaded by default."""

from typing import Any

from .parts import ENVIRONMENT, PRODUCTION, THE_ENVIRONMENT, Rule, alert, record
from .recording import EVENTS

OF_ENVIRONMENT = ("account", "environment")
_AVERAGE = "environment:flatfile_events_per_second:avg30m"
_REQUESTS = "flatfile_exporter_api_requests_total"


def _growth(metric: str) -> str:
    def count(offset: str) -> str:
        return f"max by ({ENVIRONMENT}) (sum by ({ENVIRONMENT}, job, instance) ({metric}{offset}))"

    return f"{count('')}\n- on ({ENVIRONMENT})\n{count(' offset 1d')}"


def _growing(what: str) -> Rule:
    recorded = f"environment:flatfile_{what}:growth1d"
    return alert(
        f"Flatfile{what.title()}Growing",
        f"""\
{recorded} > <<growth_minimum>>
and on ({ENVIRONMENT}) (
  {recorded} > on ({ENVIRONMENT}) <<growth_factor>> * clamp_min(max_over_time({recorded}[1w:1h] offset 1d), 0)
)
and on ({ENVIRONMENT}) present_over_time({recorded}[1w:1h] offset 1w)""",
        wait="growth_for",
        severity="severity_optional",
        summary=f"Flatfile {what} grow far faster than usual in environment {THE_ENVIRONMENT}",
        description=f"{{{{ $value | humanize }}}} more {what} than a day ago in environment {THE_ENVIRONMENT}.",
        board="flatfile-environments",
        shows=f"flatfile_{what}",
        variables=OF_ENVIRONMENT,
    )


def _info(name: str, expr: str, summary: str, description: str, shows: str, variables: tuple[str, ...]) -> Rule:
    return alert(
        name,
        expr,
        wait="optional_for",
        severity="severity_optional",
        summary=summary,
        description=description,
        board="flatfile-exporter",
        shows=shows,
        variables=variables,
    )


GROUPS: list[dict[str, Any]] = [
    {
        "name": "flatfile-optional-recording",
        "rules": [
            record(_AVERAGE, f"avg_over_time({EVENTS}[30m]) and on ({ENVIRONMENT}) {EVENTS}"),
            record("environment:flatfile_spaces:growth1d", _growth("flatfile_spaces")),
            record("environment:flatfile_guests:growth1d", _growth("flatfile_guests")),
        ],
    },
    {
        "name": "flatfile-optional",
        "rules": [
            alert(
                "FlatfileEventStorm",
                f"""\
{_AVERAGE} > <<storm_per_second>>
and on ({ENVIRONMENT}) (
  {_AVERAGE} > on ({ENVIRONMENT}) <<storm_factor>> * max_over_time({_AVERAGE}[1w:15m] offset 1d)
)
and on ({ENVIRONMENT}) present_over_time({_AVERAGE}[1w:1h] offset 1w)""",
                wait="storm_for",
                severity="severity_optional",
                summary=f"Far more Flatfile events than usual in environment {THE_ENVIRONMENT}",
                description=f"{{{{ $value | humanize }}}} events per second in the last half hour in environment "
                f"{THE_ENVIRONMENT} (cron's not counted).",
                board="flatfile-events",
                shows="flatfile_events_per_second",
                variables=OF_ENVIRONMENT,
            ),
            _growing("spaces"),
            _growing("guests"),
            _info(
                "FlatfileRateLimited",
                f"""\
sum by (job, instance, account) (increase({_REQUESTS}{{code="429"}}[<<rate_limited_window>>]))
/ (sum by (job, instance, account) (increase({_REQUESTS}[<<rate_limited_window>>])) > 0)
> <<rate_limited_ratio>>
and sum by (job, instance, account) (increase({_REQUESTS}{{code="429"}}[<<rate_limited_window>>])) >= <<rate_limited_count>>""",
                "Flatfile rejects requests of the exporter for account {{ $labels.account }}",
                "{{ $value | humanizePercentage }} of the requests for account {{ $labels.account }} by {{ $labels.instance }} "
                "were answered 429 (too many requests).",
                _REQUESTS,
                ("account",),
            ),
            _info(
                "FlatfileScrapesIncomplete",
                """\
sum by (job, instance) (increase(flatfile_exporter_scrapes_total{outcome="partial"}[<<partial_window>>]))
/ (sum by (job, instance) (increase(flatfile_exporter_scrapes_total[<<partial_window>>])) > 0)
> <<partial_ratio>>""",
                "Scrapes of the Flatfile exporter {{ $labels.instance }} reach their deadline",
                "{{ $value | humanizePercentage }} of the scrapes of {{ $labels.instance }} (job {{ $labels.job }}) ended before "
                "every refresh that was due: what they show is one scrape behind.",
                "flatfile_exporter_scrapes_total",
                ("job", "instance"),
            ),
            _info(
                "FlatfileSeriesDropped",
                "max by (account, collector) (flatfile_exporter_series_dropped) > 0",
                "Not every space of Flatfile account {{ $labels.account }} has series of its own",
                "{{ $value | humanize }} spaces of account {{ $labels.account }} are beyond spaces.max_series.",
                "",
                ("account",),
            ),
            _info(
                "FlatfileLabelsTruncated",
                "max by (account) (increase(flatfile_exporter_label_values_truncated_total[1h])) > 0",
                "Names of Flatfile account {{ $labels.account }} are too long for labels",
                "Label values of account {{ $labels.account }} are longer than 200 characters and were cut.",
                "",
                ("account",),
            ),
            _info(
                "FlatfileGuestsBySharedLink",
                f"""\
group by ({ENVIRONMENT}) (flatfile_environment_guest_authentication{{method="shared_link"}} == 1)
and on ({ENVIRONMENT}) {PRODUCTION}""",
                f"Whoever has the link may enter spaces of environment {THE_ENVIRONMENT}",
                f"Production environment {THE_ENVIRONMENT} lets guests in by a shared link, without signing in.",
                "",
                OF_ENVIRONMENT,
            ),
        ],
    },
]
