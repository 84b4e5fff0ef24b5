"""The exporter itself: can it reach Flatfile, what does that cost, how old is the data, how is the process."""

from . import colours, links
from .collectors import COLLECTORS
from .exporter_process import PROCESS
from .expressions import added, increase, of_account, quantile, rate, selector, total
from .frame import Board, Row
from .links import DataLink, with_all_variables
from .panels import About, Placed, Query, figure, graph
from .wording import DOWN, NONE_YET, NOTHING_YET

_requests = of_account("flatfile_exporter_api_requests_total")
_unsuccessful = of_account("flatfile_exporter_api_requests_total", 'code!~"2.."')
_all = added(increase(_requests))
# No series while no request has succeeded: 0 then, as the exporter itself counts them.
_successful = added(increase(of_account("flatfile_exporter_api_requests_total", 'code=~"2.."')))
_seconds = of_account("flatfile_exporter_api_request_duration_seconds_bucket")


def reachable(width: int, link: DataLink) -> Placed:
    return figure(
        About(
            "API reachable",
            "Whether the exporter could sign in to Flatfile and list the environments at its last refresh, a tile for each "
            "account. With several exporters, the worst answer counts. (`flatfile_up`)",
            DOWN,
        ),
        [Query(f"min by (account) ({of_account('flatfile_up')})", "{{account}}")],
        "short",
        words={"1": ("Reachable", colours.QUIET), "0": ("Not reachable", colours.CRITICAL)},
        link=link,
        width=width,
    )


HEALTH = Row(
    "Health",
    [
        figure(
            About(
                "Exporter up",
                "Whether Prometheus could scrape the exporter the last time, for each one that was seen in the last day.",
                "no exporter was seen for a day: look at the targets in Prometheus.",
                "never seen",
            ),
            [
                Query(
                    f"{selector('up')} and on (job, instance) last_over_time({selector('flatfile_exporter_build_info')}[1d])",
                    "{{instance}}",
                )
            ],
            "short",
            words={"1": ("Up", colours.QUIET), "0": ("Down", colours.CRITICAL)},
            width=6,
        ),
        reachable(6, with_all_variables("Overview", links.OVERVIEW)),
        figure(
            About(
                "Token expires in",
                "Time until the access token expires; the exporter renews it at four fifths of its life. A token near its end "
                "was not renewed in time.",
                "the account uses a static token (`access_token`), whose end is not known, or it never signed in.",
            ),
            [
                Query(
                    f"min by (account) ({of_account('flatfile_exporter_token_expiry_timestamp_seconds')}) - time()",
                    "{{account}}",
                )
            ],
            "s",
            steps=colours.steps((-1e9, colours.CRITICAL), (600, colours.WARNING), (3600, colours.QUIET)),
            decimals=0,
            width=6,
        ),
        figure(
            About(
                "Configuration",
                "Whether the configuration file was read without an error the last time. After a failure the old one stays.",
                DOWN,
            ),
            [
                Query(
                    f"min by (instance) ({selector('flatfile_exporter_config_last_reload_successful')})", "{{instance}}"
                )
            ],
            "short",
            words={"1": ("Loaded", colours.QUIET), "0": ("Refused", colours.WARNING)},
            width=6,
        ),
        figure(
            About(
                "API error ratio",
                "Share of the requests to Flatfile in the time range without a status of 200 to 299, retried ones included.",
                "no request was sent, or the exporter is down.",
                NONE_YET,
            ),
            f"({_all} - ({_successful} or {_all} * 0)) / ({_all} > 0)",
            "percentunit",
            steps=colours.limits(0.01, 0.1),
            decimals=1,
            width=6,
        ),
        figure(
            About(
                "API requests per hour",
                "Requests to Flatfile of all exporters together, at the present rate. Keep it well below `requests.per_second` "
                "(10 by default: 36,000 per hour for each account).",
                "no request was sent, or the exporter is down.",
                NONE_YET,
            ),
            added(rate(_requests)) + " * 3600",
            trend=True,
            decimals=0,
            width=6,
        ),
        figure(
            About(
                "Storage",
                "Whether the account's state is written to `--storage.path`, or kept in memory because the file cannot be used.",
                "the exporter runs without storage, or is down.",
                "no storage, or not known",
            ),
            [Query(f"min by (account) ({of_account('flatfile_exporter_storage_success')})", "{{account}}")],
            "short",
            words={"1": ("Written", colours.QUIET), "0": ("In memory only", colours.WARNING)},
            width=6,
        ),
        figure(
            About(
                "Truncated label values",
                "Names and topics of more than 200 characters, which were cut in the time range.",
                DOWN,
            ),
            total(increase(of_account("flatfile_exporter_label_values_truncated_total")), over=("account",)),
            words={"0": ("None", colours.QUIET)},
            steps=colours.limits(1),
            decimals=0,
            width=6,
        ),
    ],
)

REQUESTS = Row(
    "API requests",
    [
        graph(
            About(
                "API requests by status",
                "Requests per second by the status of the answer; `error`: no answer, `429`: Flatfile asks for fewer requests.",
                NOTHING_YET,
                NONE_YET,
            ),
            [Query(added(rate(_requests), ("code",)), "{{code}}")],
            "reqps",
            lines={"200": colours.BLUE, "429": colours.WARNING, "error": colours.CRITICAL},
        ),
        graph(
            About("API requests by endpoint", "Requests per second by path.", NOTHING_YET, NONE_YET),
            [Query(added(rate(_requests), ("endpoint",)), "{{endpoint}}")],
            "reqps",
        ),
        graph(
            About(
                "API errors by endpoint",
                "Requests per second without an answer or without a status of 200 to 299.",
                "every request succeeded, or the exporter is down.",
                "none, or not known",
            ),
            [Query(added(rate(_unsuccessful), ("endpoint", "code")), "{{endpoint}}: {{code}}")],
            "reqps",
        ),
        graph(
            About(
                "API latency p95 by endpoint",
                "95 of 100 requests were answered within this time, estimated from the histogram's buckets.",
                NOTHING_YET,
                NONE_YET,
            ),
            [Query(quantile(0.95, _seconds, ("endpoint",)), "{{endpoint}}")],
            "s",
        ),
    ],
)

BOARD = Board(
    links.EXPORTER,
    "Flatfile / Exporter",
    "Whether the exporter can reach Flatfile, what that costs, and how old the data is.",
    [HEALTH, COLLECTORS, REQUESTS, PROCESS],
    time_from="now-6h",
)
