"""The collectors: whether each succeeds, how old its data is, how long a refresh takes."""

from collections.abc import Callable

from . import colours
from .expressions import added, age, increase, of_account, once, where_any
from .frame import Row
from .links import DataLink
from .panels import About, Placed, Query, figure, graph, timeline
from .tables import Column, Label, rows
from .wording import DOWN, NOTHING_YET

_errors = of_account("flatfile_exporter_collector_errors_total")
_collector = ("account", "collector")
_reason = (*_collector, "reason")
COLLECTOR_LINE = "{{account}}: {{collector}}"

DATA_AGE = age(once(of_account("flatfile_exporter_collector_last_success_timestamp_seconds"), _collector))
"""Seconds since each collector's last success, in whichever exporter that was."""
_succeeds = f"min by (account, collector) ({of_account('flatfile_exporter_collector_success')})"


def _configured(what: str) -> str:
    return once(of_account(f"flatfile_exporter_collector_{what}_seconds"), _collector)


def _errors_by_reason(over: Callable[[str], str]) -> str:
    return added(over(_errors), _reason)


def failing_collectors(width: int, link: DataLink) -> Placed:
    return figure(
        About(
            "Failing collectors",
            "A collector reads one kind of data (spaces, agents, events and so on). Counts those whose last refresh failed; "
            "their last good values are still shown for a while.",
            DOWN,
        ),
        f"sum({_succeeds} == bool 0)",
        words={"0": ("None failing", colours.QUIET)},
        steps=colours.limits(1),
        link=link,
        width=width,
    )


def oldest_data(width: int, link: DataLink) -> Placed:
    return figure(
        About(
            "Data age / max_age",
            "Age of the data of the collector that is furthest behind, as a share of its `max_age`. A third is usual just before "
            "a refresh. At 100 % the data is withheld.",
            "no collector has succeeded since the exporter started, or the exporter is down.",
        ),
        f"max(({DATA_AGE}) / {_configured('max_age')})",
        "percentunit",
        steps=colours.limits(0.7, 1),
        decimals=0,
        link=link,
        width=width,
    )


COLLECTORS = Row(
    "Collectors",
    [
        timeline(
            About(
                "Collector state",
                "A collector reads one kind of data. Failing: its last refresh did not get everything; the last good values are "
                "kept for `max_age`. With several exporters, the worst one counts.",
                DOWN,
            ),
            Query(_succeeds, COLLECTOR_LINE),
            {"1": ("ok", colours.FAINT), "0": ("FAILING", colours.WARNING)},
            width=12,
            height=10,
        ),
        rows(
            About(
                "All collectors",
                "Age of the data, how often it is read (`interval`), when it is withheld (`max_age`), how long the last refresh "
                "took, and failed refreshes in the time range.",
                DOWN,
            ),
            {"collector": Label("Collector", width=120)},
            [
                Column(
                    "State",
                    _succeeds,
                    words={"1": ("ok", colours.QUIET), "0": ("FAILING", colours.WARNING)},
                    width=90,
                ),
                Column("Age", DATA_AGE, "s", decimals=0, width=80),
                Column("Interval", _configured("interval"), "s", width=80),
                Column("Max age", _configured("max_age"), "s", width=80),
                Column("Refresh", _configured("duration"), "s", width=85),
                Column("Errors", added(increase(_errors), _collector), decimals=0, width=65),
            ],
            {"account": Label("Account", least=90)},
            sort="State",
            width=12,
        ),
        graph(
            About(
                "Data age by collector",
                "Time since the last success. It rises for the collector's `interval`, again and again; what is older than "
                "`max_age` is withheld.",
                "no collector has succeeded since the exporter started, or the exporter is down.",
            ),
            [Query(DATA_AGE, COLLECTOR_LINE)],
            "s",
            width=8,
        ),
        graph(
            About(
                "Refresh duration by collector",
                "How long each collector's last refresh took. What takes longer than the scrape's timeout goes on in the "
                "background and is shown by the next scrape.",
                DOWN,
            ),
            [Query(_configured("duration"), COLLECTOR_LINE)],
            "s",
            width=8,
        ),
        graph(
            About(
                "Collector errors per minute by reason",
                "Failed refreshes; those without any in the range are left out. `unauthorized` and `forbidden`: the credentials; "
                "`rate_limited`: too many requests; `bad_response`: the answer could not be understood.",
                NOTHING_YET,
                "none, or not known",
            ),
            [
                Query(
                    where_any(lambda over: f"{_errors_by_reason(over)} * 60", _reason),
                    "{{account}}: {{collector}}: {{reason}}",
                )
            ],
            "short",
            width=8,
        ),
    ],
)
