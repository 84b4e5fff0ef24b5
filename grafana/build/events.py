"""The events: how many, of which topic and family, where, and caused by whom."""

from collections.abc import Callable

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    age,
    family,
    increase,
    of_environment,
    once,
    rate,
    total,
    where_any,
)
from .frame import Board, Row
from .links import of_row, of_series
from .panels import COUNT, About, Query, bars, figure, graph
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, rows
from .wording import ENVIRONMENT_LINE, WITHHELD

_counted = of_environment("flatfile_events_total")
_now = of_environment("flatfile_events_per_second")
_everywhere = (*ENVIRONMENT_KEY, "topic")
_troubles = of_environment("flatfile_events_total", 'topic=~"[^:]+:(failed|deleted|expired)"')
ACTORS = {
    "user": colours.GOOD,
    "guest": colours.OTHER,
    "agent": colours.SECOND,
    "api_key": colours.THIRD,
    "system": colours.WARNING,
    "unknown": colours.MUTED,
}
NONE = "no such event happened, or " + WITHHELD
NONE_EMPTY = "none, or not known"


Over = Callable[[str], str]
"""A function over time, such as `rate`."""


def _by_family(over: Over) -> str:
    return f"sum by (family) ({family(once(over(_counted), _everywhere))})"


def _by_topic(over: Over) -> str:
    return total(over(_counted), ("topic",), over=ENVIRONMENT_KEY)


def _trouble_by_topic(over: Over) -> str:
    return total(over(_troubles), ("topic",), over=ENVIRONMENT_KEY)


NOW = Row(
    "How much happens?",
    [
        figure(
            About(
                "Events a second now",
                "An event is a note of Flatfile that something happened. Events created in the last 5 minutes "
                "(`events.window`), by their own time, over its seconds: right from the exporter's first scrape.",
                WITHHELD,
            ),
            total(_now, over=_everywhere),
            "cps",
            trend=True,
            decimals=2,
            width=5,
        ),
        figure(
            About(
                "Events in the time range",
                "Estimated from the exporter's counter. What happened before the exporter started is not in it.",
                WITHHELD,
            ),
            total(increase(_counted), over=_everywhere),
            COUNT,
            decimals=0,
            width=5,
        ),
        figure(
            About(
                "Failed, deleted, expired",
                "Events in the time range whose topic ends in `:failed`, `:deleted` or `:expired`.",
                WITHHELD,
            ),
            total(increase(_troubles), over=_everywhere),
            COUNT,
            decimals=0,
            width=5,
        ),
        figure(
            About(
                "Topics seen",
                "How many different topics had at least one event in the time range.",
                NONE,
                NONE_EMPTY,
            ),
            f"count({_by_topic(increase)} > 0)",
            COUNT,
            width=4,
        ),
        figure(
            About(
                "Since the newest event",
                "Time since the newest event of any chosen environment. How long is too long depends on the account: "
                "compare with other days.",
                "no event has been seen yet, or the events are not known.",
                "none seen, or not known",
            ),
            f"min({age(once(of_environment('flatfile_event_last_timestamp_seconds'), ENVIRONMENT_KEY))})",
            "s",
            decimals=0,
            width=5,
        ),
    ],
)

WHAT = Row(
    "What happens?",
    [
        graph(
            About(
                "Events a second by family",
                "Events a second (c/s). The family is the topic's part before the colon: `job` for `job:completed`. "
                "Families without any event in the time range are left out.",
                NONE,
                NONE_EMPTY,
            ),
            [Query(where_any(_by_family, ("family",)), "{{family}}")],
            "cps",
        ),
        graph(
            About(
                "Events a second by topic",
                "Events a second (c/s). Topics without any event in the time range are left out.",
                NONE,
                NONE_EMPTY,
            ),
            [Query(where_any(_by_topic, ("topic",)), "{{topic}}")],
            "cps",
        ),
        bars(
            About("Families in the time range", "How many events each family had, most first.", NONE, NONE_EMPTY),
            f"sort_desc(topk(15, {_by_family(increase)} > 0))",
            "{{family}}",
            COUNT,
            decimals=0,
            width=12,
            height=12,
        ),
        bars(
            About("Topics in the time range", "The 15 most frequent topics, most first.", NONE, NONE_EMPTY),
            f"sort_desc(topk(15, {_by_topic(increase)} > 0))",
            "{{topic}}",
            COUNT,
            decimals=0,
            width=12,
            height=12,
        ),
    ],
)

WHERE = Row(
    "Where, and by whom?",
    [
        graph(
            About(
                "Events a second by environment",
                "Events a second (c/s) in each environment, by their own time of creation. An environment that usually has "
                "events and falls to 0 has gone silent.",
                WITHHELD,
            ),
            [Query(total(_now, ENVIRONMENT, over=("topic",)), ENVIRONMENT_LINE)],
            "cps",
            links=[of_series("Only this environment", links.EVENTS)],
        ),
        graph(
            About(
                "Events a second by who caused them",
                "Events a second (c/s). "
                "`user`: your team. `guest`: somebody invited. `agent`: a deployed program. `api_key`: a program with a "
                "key. `system`: Flatfile itself. `unknown`: the event does not say.",
                WITHHELD,
            ),
            [
                Query(
                    total(
                        rate(of_environment("flatfile_events_by_actor_total")), ("actor_type",), over=ENVIRONMENT_KEY
                    ),
                    "{{actor_type}}",
                )
            ],
            "cps",
            lines=ACTORS,
        ),
        graph(
            About(
                "Failed, deleted, expired by topic",
                "Topics that end in `:failed`, `:deleted` or `:expired`, in the chosen environments; those without any "
                "event in the time range are left out. A sudden rise is worth a look.",
                NONE,
                NONE_EMPTY,
            ),
            [Query(where_any(_trouble_by_topic, ("topic",)), "{{topic}}")],
            "cps",
        ),
        graph(
            About(
                "Time since each environment's newest event",
                "A saw-tooth is usual: it rises until something happens. A line that only rises is an environment where "
                "nothing happens any more.",
                "no event has been seen yet, or the events are not known.",
                "none seen, or not known",
            ),
            [Query(age(once(of_environment("flatfile_event_last_timestamp_seconds"), ENVIRONMENT)), ENVIRONMENT_LINE)],
            "s",
            links=[of_series("Only this environment", links.EVENTS)],
        ),
    ],
)

_topic = (*ENVIRONMENT, "topic")

DETAIL = Row(
    "Every topic of every environment",
    [
        rows(
            About(
                "Topics by environment",
                "The 200 most frequent in the time range; topics without any event are left out.",
                NONE,
                NONE_EMPTY,
            ),
            {**ENVIRONMENT_COLUMN, "topic": "Topic"},
            [
                Column("Events in range", f"topk(200, {once(increase(_counted), _topic)} > 0)", decimals=0),
                Column("Now a second", once(_now, _topic) + " > 0", unit="cps", decimals=3),
            ],
            ID_COLUMNS,
            links=[of_row("Only this environment", links.EVENTS)],
            sort="Events in range",
            descending=True,
            height=14,
        )
    ],
    collapsed=True,
)

BOARD = Board(
    links.EVENTS,
    "Flatfile / Events",
    "What happens on Flatfile: events by topic, family, environment and actor.",
    [NOW, WHAT, WHERE, DETAIL],
)
