"""The exporter itself: does it get through to Flatfile, what does that cost, how old is the data, how is the process."""

from collections.abc import Callable

from . import colours, links
from .exporter_process import PROCESS
from .expressions import age, increase, of_account, once, quantile, rate, selector, where_any
from .frame import Board, Row
from .links import with_all_variables
from .panels import COUNT, About, Query, figure, graph, timeline
from .wording import GONE, NONE_YET, STARTED


def _sum(counter: str, *by: str) -> str:
    """What exporters count about themselves is the sum of all of them."""
    return f"sum by ({', '.join(by)}) ({counter})" if by else f"sum({counter})"


_requests = of_account("flatfile_exporter_api_requests_total")
_no_success = of_account("flatfile_exporter_api_requests_total", 'code!~"2.."')
_all = _sum(increase(_requests))
# No series while no request has succeeded: 0 then, as the exporter itself counts them.
_fine = _sum(increase(of_account("flatfile_exporter_api_requests_total", 'code=~"2.."')))
_seconds = of_account("flatfile_exporter_api_request_duration_seconds_bucket")
_collector = ("account", "collector")
_reason = (*_collector, "reason")


def _errors_by_reason(over: Callable[[str], str]) -> str:
    return _sum(over(of_account("flatfile_exporter_collector_errors_total")), *_reason)


WELL = Row(
    "Does it get through?",
    [
        figure(
            About(
                "Exporter answers",
                "Whether Prometheus could scrape the exporter the last time, for each one that was seen in the last day.",
                "no exporter has been seen for a day: look at Prometheus' targets.",
                "never seen",
            ),
            f"{selector('up')} and on (job, instance) last_over_time({selector('flatfile_exporter_build_info')}[1d])",
            "short",
            legend="{{instance}}",
            words={"1": ("Answers", colours.GOOD), "0": ("Down", colours.BAD)},
        ),
        figure(
            About(
                "Flatfile reachable",
                "Whether it could log in to Flatfile and list the environments at the last refresh.",
                GONE,
            ),
            f"min by (account) ({of_account('flatfile_up')})",
            "short",
            legend="{{account}}",
            words={"1": ("Reachable", colours.GOOD), "0": ("Not reachable", colours.BAD)},
            link=with_all_variables("Overview", links.OVERVIEW),
        ),
        figure(
            About(
                "Requests without success",
                "Share of the requests to Flatfile in the time range that were not answered with a status of 200 to "
                "299, retried ones included.",
                "no request was sent, or the exporter is down.",
                NONE_YET,
            ),
            f"({_all} - ({_fine} or {_all} * 0)) / ({_all} > 0)",
            "percentunit",
            steps=colours.steps((0, colours.GOOD), (0.01, colours.WARNING), (0.1, colours.BAD)),
            decimals=1,
        ),
        figure(
            About(
                "Requests an hour",
                "How many requests to Flatfile all exporters together send in an hour, at the present rate. Keep it "
                "well below `requests.per_second` (10 by default, so 36,000 an hour for each account).",
                "no request was sent, or the exporter is down.",
                NONE_YET,
            ),
            _sum(rate(_requests)) + " * 3600",
            COUNT,
            trend=True,
            decimals=0,
        ),
        figure(
            About(
                "Access token valid for",
                "Time until the access token expires; the exporter renews it in the background at four fifths of its "
                "life. A token near its end was not renewed in time.",
                "the account uses a ready-made token (`access_token`), whose end is not known, or it never logged in.",
                "not known",
            ),
            f"min by (account) ({of_account('flatfile_exporter_token_expiry_timestamp_seconds')}) - time()",
            "s",
            legend="{{account}}",
            steps=colours.steps((-1e9, colours.BAD), (600, colours.WARNING), (3600, colours.GOOD)),
            decimals=0,
        ),
        figure(
            About(
                "Configuration",
                "Whether the last reading of the configuration file succeeded. After a failure the old one stays.",
                GONE,
            ),
            f"min by (instance) ({selector('flatfile_exporter_config_last_reload_successful')})",
            "short",
            legend="{{instance}}",
            words={"1": ("Loaded", colours.GOOD), "0": ("Refused", colours.BAD)},
        ),
    ],
)

AGES = Row(
    "How old is the data?",
    [
        timeline(
            About(
                "Collectors over time",
                "Each collector reads one kind of thing. Failing: its last refresh did not get all it asked for; the "
                "last good values are kept for `max_age`. With several exporters, the worst one counts.",
                GONE,
            ),
            Query(
                f"min by (account, collector) ({of_account('flatfile_exporter_collector_success')})",
                "{{account}}: {{collector}}",
            ),
            {"1": ("ok", colours.GOOD), "0": ("FAILING", colours.BAD)},
            width=12,
        ),
        graph(
            About(
                "Age of each collector's data",
                "Time since the last success. A saw-tooth as high as the collector's `interval` is usual; what is older "
                "than `max_age` (15 minutes by default) is withheld.",
                "no collector has succeeded since the exporter started, or the exporter is down.",
            ),
            [
                Query(
                    age(once(of_account("flatfile_exporter_collector_last_success_timestamp_seconds"), _collector)),
                    "{{account}}: {{collector}}",
                )
            ],
            "s",
        ),
        graph(
            About(
                "Time of a refresh",
                "How long each collector's last refresh took. What takes longer than the scrape's time limit is ended "
                "in the background and shown by the next scrape.",
                GONE,
            ),
            [
                Query(
                    once(of_account("flatfile_exporter_collector_duration_seconds"), _collector),
                    "{{account}}: {{collector}}",
                )
            ],
            "s",
        ),
        graph(
            About(
                "Collector errors by reason",
                "Failed refreshes a second; those without any in the range are left out. `unauthorized` and `forbidden`: the "
                "credentials; `rate_limited`: too many requests; `bad_response`: the answer could not be understood.",
                STARTED,
                "none, or not known",
            ),
            [Query(where_any(_errors_by_reason, _reason), "{{account}}: {{collector}}: {{reason}}")],
            "ops",
        ),
    ],
)

REQUESTS = Row(
    "Requests to Flatfile",
    [
        graph(
            About(
                "Requests by status",
                "Requests a second by the status of the answer; `error` where none came, `429` where Flatfile asks for "
                "fewer.",
                STARTED,
                NONE_YET,
            ),
            [Query(_sum(rate(_requests), "code"), "{{code}}")],
            "reqps",
            lines={"200": colours.GOOD, "429": colours.WARNING, "error": colours.BAD},
        ),
        graph(
            About("Requests by endpoint", "Requests a second by the path that was asked.", STARTED, NONE_YET),
            [Query(_sum(rate(_requests), "endpoint"), "{{endpoint}}")],
            "reqps",
        ),
        graph(
            About(
                "Requests without success by endpoint",
                "Requests a second that were answered with no status of 200 to 299, or not at all.",
                "no request was without success, or the exporter is down.",
                "none, or not known",
            ),
            [Query(_sum(rate(_no_success), "endpoint", "code"), "{{endpoint}}: {{code}}")],
            "reqps",
        ),
        graph(
            About(
                "Time of an answer, by endpoint",
                "95 of 100 requests were answered within this time, estimated from the histogram's buckets.",
                STARTED,
                NONE_YET,
            ),
            [Query(quantile(0.95, _seconds, ("endpoint",)), "{{endpoint}}")],
            "s",
        ),
        graph(
            About("Retries by endpoint", "Requests a second that repeated an earlier one.", STARTED, NONE_YET),
            [Query(_sum(rate(of_account("flatfile_exporter_api_retries_total")), "endpoint"), "{{endpoint}}")],
            "reqps",
        ),
        graph(
            About("Bytes read, by endpoint", "Bytes of answers a second.", STARTED, NONE_YET),
            [Query(_sum(rate(of_account("flatfile_exporter_api_response_bytes_total")), "endpoint"), "{{endpoint}}")],
            "Bps",
        ),
    ],
)

BOARD = Board(
    links.EXPORTER,
    "Flatfile / Exporter",
    "Whether the exporter gets through to Flatfile, what that costs, and how old the data is.",
    [WELL, AGES, REQUESTS, PROCESS],
    time_from="now-6h",
)
