"""The audit log on Loki: who did what, when and where."""

from . import links, loki
from .events import ACTORS
from .frame import Board, Row
from .loki import asked, counted, different, lines, only_this_topic
from .panels import COUNT, About, Query, bars, figure, graph, prose

NO_DATA = (
    "no such event is in the log in this time range, or the log does not reach this Loki, or a filter at the top leaves "
    "everything out. It does not mean that nothing happened."
)
EMPTY = "none in the log"
PEOPLE = ("actor_type=~`user|guest`",)
TROUBLES = ("topic=~`[^:]+:(failed|deleted|expired)`",)

HOW_MUCH = Row(
    "How much, and by how many?",
    [
        asked(figure(About("Events", "Events in the time range.", NO_DATA, EMPTY), counted(), COUNT, width=6)),
        asked(
            figure(
                About("People", "Different users and guests who caused an event.", NO_DATA, EMPTY),
                different("actor_id", PEOPLE),
                COUNT,
                width=6,
            )
        ),
        asked(
            figure(
                About("Spaces", "Different spaces in which something happened.", NO_DATA, EMPTY),
                different("space_id", ("space_id!=``",)),
                COUNT,
                width=6,
            )
        ),
        asked(
            figure(
                About(
                    "Failed, deleted, expired",
                    "Events whose topic ends in `:failed`, `:deleted` or `:expired`.",
                    NO_DATA,
                    EMPTY,
                ),
                counted(among=TROUBLES),
                COUNT,
                width=6,
            )
        ),
    ],
)

WHO = Row(
    "Who?",
    [
        asked(
            graph(
                About(
                    "Events by kind of actor",
                    "Events in each step of the graph. `user`: your team. `guest`: somebody invited. `agent`: a deployed "
                    "program. `api_key`: a program with a key. `system`: Flatfile itself. `unknown`: another kind of id.",
                    NO_DATA,
                    EMPTY,
                ),
                [Query(counted("actor_type"), "{{actor_type}}")],
                COUNT,
                lines=ACTORS,
            )
        ),
        asked(
            bars(
                About(
                    "Most active",
                    "The 15 actors with the most events: by name, else by id, else by kind. Two people of one name are one bar.",
                    NO_DATA,
                    EMPTY,
                ),
                f"sort_desc(topk(15, {counted('who')}))",
                "{{who}}",
                COUNT,
                decimals=0,
                width=12,
                height=9,
            )
        ),
    ],
)

WHERE = Row(
    "Where?",
    [
        asked(
            graph(
                About("Events by environment", "Events in each step of the graph.", NO_DATA, EMPTY),
                [Query(counted("account", "environment", "environment_id"), "{{environment}} ({{environment_id}})")],
                COUNT,
            )
        ),
        asked(
            bars(
                About(
                    "Spaces with the most events",
                    "The first 15, by the name that they had when the event was written to the log.",
                    NO_DATA,
                    EMPTY,
                ),
                f"sort_desc(topk(15, {counted('space', among=('space!=``',))}))",
                "{{space}}",
                COUNT,
                decimals=0,
                width=12,
                height=9,
            )
        ),
    ],
)

WHAT = Row(
    "What?",
    [
        asked(
            graph(
                About("Events by topic", "Events in each step of the graph.", NO_DATA, EMPTY),
                [Query(counted("topic"), "{{topic}}")],
                COUNT,
            )
        ),
        asked(
            bars(
                About("Topics with the most events", "The 15 most frequent topics, most first.", NO_DATA, EMPTY),
                f"sort_desc(topk(15, {counted('topic')}))",
                "{{topic}}",
                COUNT,
                decimals=0,
                width=12,
                height=9,
                link=only_this_topic(),
            )
        ),
    ],
)

EACH = Row(
    "Each event",
    [
        lines(
            About(
                "Who did what, when and where",
                "The newest 1,000 events of the time range: topic, actor, space, environment, account. A click on a line shows "
                "all that the log says of it.",
                NO_DATA,
                EMPTY,
            ),
            "{{.topic}}  {{.who}}  {{if .space}}in {{.space}}, {{end}}{{.environment}} ({{.account}})",
        ),
        prose(
            "About this log",
            "The lines come from `flatfile-exporter audit --follow` by way of Alloy or Vector: **docs/audit.md** in the "
            "exporter's repository says how, and what each key means. The filters at the top are regular expressions: `.*` "
            "lets everything through, `file:.*` all topics of files. Unless the log is written with `--actors=id` or "
            "`--actors=hash`, it names people: whoever may open this dashboard may read what they did.",
            height=4,
        ),
    ],
)

BOARD = Board(
    links.AUDIT,
    "Flatfile / Audit",
    "Who did what on Flatfile, when and where: the audit log, on Loki.",
    [HOW_MUCH, WHO, WHERE, WHAT, EACH],
    variables=loki.variables(),
)
