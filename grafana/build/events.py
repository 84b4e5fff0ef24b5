"""The events: how many, of which topic and family, where, and caused by whom."""

from collections.abc import Callable

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    age,
    counted,
    family,
    of_environment,
    once,
    rate,
    total,
    where_any,
)
from .frame import Board, Row
from .links import of_row
from .panels import RATE, About, Query, bars, by_environment, figure, graph
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, rows
from .wording import WITHHELD

_events = of_environment("flatfile_events_total")
_now = of_environment("flatfile_events_per_second")
_everywhere = (*ENVIRONMENT_KEY, "topic")
_problems = of_environment("flatfile_events_total", 'topic=~"[^:]+:(failed|deleted|expired)"')
ACTORS = {
    "user": colours.BLUE,
    "guest": colours.SKY,
    "agent": colours.GREEN,
    "api_key": colours.PINK,
    "system": colours.WARNING,
    "unknown": colours.GREY,
}
NONE = "no such event happened, or " + WITHHELD
NONE_EMPTY = "none, or not known"


Over = Callable[[str], str]
"""A function over time, such as `rate`."""


def _by_family(over: Over) -> str:
    return f"sum by (family) ({family(once(over(_events), _everywhere))})"


def _by_topic(over: Over) -> str:
    return total(over(_events), ("topic",), over=ENVIRONMENT_KEY)


def _problems_by_topic(over: Over) -> str:
    return total(over(_problems), ("topic",), over=ENVIRONMENT_KEY)


def _most(exprs: Callable[[Over], str]) -> str:
    return f"sort_desc(topk(15, {counted(exprs(rate))} > 0))"


VOLUME = Row(
    "Volume",
    [
        figure(
            About(
                "Events per second",
                "An event is Flatfile's record that something happened. Events created in the last 5 minutes (`events.window`), "
                "by their own time, over its seconds: right from the exporter's first scrape.",
                WITHHELD,
            ),
            total(_now, over=_everywhere),
            RATE,
            trend=True,
            decimals=2,
            width=6,
        ),
        figure(
            About(
                "Events",
                "Events in the time range. What happened before the exporter started is not counted.",
                WITHHELD,
            ),
            counted(total(rate(_events), over=_everywhere)),
            decimals=0,
            width=6,
        ),
        figure(
            About(
                "Failed, deleted, expired",
                "Events in the time range whose topic ends in `:failed`, `:deleted` or `:expired`.",
                WITHHELD,
            ),
            counted(total(rate(_problems), over=_everywhere)),
            decimals=0,
            width=6,
        ),
        figure(
            About(
                "Time since last event",
                "Age of the newest event of any chosen environment. How long is too long depends on the account: compare with "
                "other days.",
                "no event has been seen yet, or the events are not known.",
                NONE_EMPTY,
            ),
            f"min({age(once(of_environment('flatfile_event_last_timestamp_seconds'), ENVIRONMENT_KEY))})",
            "s",
            decimals=0,
            width=6,
        ),
    ],
)

TOPICS = Row(
    "Topics",
    [
        graph(
            About(
                "Events per second by family",
                "The family is the topic's part before the colon: `job` for `job:completed`. Families without any event in the "
                "time range are left out.",
                NONE,
                NONE_EMPTY,
            ),
            [Query(where_any(_by_family, ("family",)), "{{family}}")],
            RATE,
        ),
        graph(
            About(
                "Events per second by topic",
                "Topics without any event in the time range are left out.",
                NONE,
                NONE_EMPTY,
            ),
            [Query(where_any(_by_topic, ("topic",)), "{{topic}}")],
            RATE,
        ),
        bars(
            About("Events by family", "The 15 families with the most events in the time range.", NONE, NONE_EMPTY),
            _most(_by_family),
            "{{family}}",
        ),
        bars(
            About("Events by topic", "The 15 topics with the most events in the time range.", NONE, NONE_EMPTY),
            _most(_by_topic),
            "{{topic}}",
        ),
    ],
)

SOURCES = Row(
    "Environments and actors",
    [
        by_environment(
            About(
                "Events per second by environment",
                "By the events' own time. An environment that usually has events and falls to 0 has gone silent.",
                WITHHELD,
            ),
            total(_now, ENVIRONMENT, over=("topic",)),
            RATE,
            to=links.EVENTS,
        ),
        graph(
            About(
                "Events per second by actor",
                "Who caused the events. `user`: your team. `guest`: an invited person. `agent`: a deployed program. `api_key`: a "
                "program with a key. `system`: Flatfile itself. `unknown`: the event does not say.",
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
            RATE,
            lines=ACTORS,
        ),
        graph(
            About(
                "Failed, deleted, expired per second by topic",
                "Topics that end in `:failed`, `:deleted` or `:expired`. Those without any event in the time range are left out.",
                NONE,
                NONE_EMPTY,
            ),
            [Query(where_any(_problems_by_topic, ("topic",)), "{{topic}}")],
            RATE,
        ),
        by_environment(
            About(
                "Time since last event by environment",
                "It rises until something happens, again and again. If a line only rises, nothing happens there any more.",
                "no event has been seen yet, or the events are not known.",
                NONE_EMPTY,
            ),
            age(once(of_environment("flatfile_event_last_timestamp_seconds"), ENVIRONMENT)),
            "s",
            to=links.EVENTS,
        ),
    ],
)

_topic = (*ENVIRONMENT, "topic")

DETAIL = Row(
    "Topics by environment",
    [
        rows(
            About(
                "Environments and topics",
                "The 200 most frequent in the time range; topics without any event are left out.",
                NONE,
                NONE_EMPTY,
            ),
            {**ENVIRONMENT_COLUMN, "topic": "Topic"},
            [
                Column("Events", f"topk(200, {counted(once(rate(_events), _topic))} > 0)", decimals=0),
                Column("Per second now", once(_now, _topic) + " > 0", unit=RATE, decimals=3),
            ],
            ID_COLUMNS,
            links=[of_row("Only this environment", links.EVENTS)],
            sort="Events",
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
    [VOLUME, TOPICS, SOURCES, DETAIL],
)
