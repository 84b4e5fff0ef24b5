"""The audit log in Loki: who did what, when and where."""

from collections.abc import Mapping, Sequence

from . import links, loki
from .events import ACTORS
from .frame import Board, Row
from .links import DataLink
from .loki import asked, counted, different, lines, only_this_topic
from .panels import About, Placed, Query, bars, figure, graph, prose

NO_DATA = (
    "no such event is in the log in this time range, the log does not reach this Loki, or a filter at the top excludes "
    "everything. It does not mean that nothing happened."
)
EMPTY = "none in the log"
PEOPLE = ("actor_type=~`user|guest`",)
PROBLEMS = ("topic=~`[^:]+:(failed|deleted|expired)`",)


def _number(title: str, shows: str, expr: str) -> Placed:
    return asked(figure(About(title, shows, NO_DATA, EMPTY), expr, width=6))


def _steps(
    title: str, by: Sequence[str], legend: str, more: str = "", colours: Mapping[str, str] | None = None
) -> Placed:
    about = About(title, ("Events in each step of the graph. " + more).strip(), NO_DATA, EMPTY)
    return asked(graph(about, [Query(counted(*by), legend)], lines=colours))


def _most(title: str, shows: str, key: str, among: Sequence[str] = (), link: DataLink | None = None) -> Placed:
    expr = f"sort_desc(topk(15, {counted(key, among=among)}))"
    return asked(bars(About(title, shows, NO_DATA, EMPTY), expr, f"{{{{{key}}}}}", link=link, height=9))


BOARD = Board(
    links.AUDIT,
    "Flatfile / Audit",
    "Who did what in Flatfile, when and where: the audit log, in Loki.",
    [
        Row(
            "Totals",
            [
                _number("Events", "Events in the time range.", counted()),
                _number("People", "Different users and guests who caused an event.", different("actor_id", PEOPLE)),
                _number(
                    "Spaces", "Different spaces in which something happened.", different("space_id", ("space_id!=``",))
                ),
                _number(
                    "Failed, deleted, expired",
                    "Events whose topic ends in `:failed`, `:deleted` or `:expired`.",
                    counted(among=PROBLEMS),
                ),
            ],
        ),
        Row(
            "Actors",
            [
                _steps(
                    "Events by kind of actor",
                    ("actor_type",),
                    "{{actor_type}}",
                    "`user`: your team. `guest`: an invited person. `agent`: a deployed program. `api_key`: a program with a "
                    "key. `system`: Flatfile itself. `unknown`: another kind of id.",
                    ACTORS,
                ),
                _most(
                    "Most active",
                    "The 15 actors with the most events: by name, else by id, else by kind. Two people of one name are one bar.",
                    "who",
                ),
            ],
        ),
        Row(
            "Environments and spaces",
            [
                _steps(
                    "Events by environment",
                    ("account", "environment", "environment_id"),
                    "{{environment}} ({{environment_id}})",
                ),
                _most(
                    "Spaces with the most events",
                    "The first 15, by the name that they had when the event was written to the log.",
                    "space",
                    ("space!=``",),
                ),
            ],
        ),
        Row(
            "Topics",
            [
                _steps("Events by topic", ("topic",), "{{topic}}"),
                _most(
                    "Topics with the most events",
                    "The 15 most frequent topics, most first.",
                    "topic",
                    link=only_this_topic(),
                ),
            ],
        ),
        Row(
            "Log",
            [
                lines(
                    About(
                        "Who did what, when and where",
                        "The newest 1,000 events of the time range: topic, actor, space, environment, account. A click on a line "
                        "shows all its keys.",
                        NO_DATA,
                        EMPTY,
                    ),
                    "{{.topic}}  {{.who}}  {{if .space}}in {{.space}}, {{end}}{{.environment}} ({{.account}})",
                ),
                prose(
                    "About this log",
                    "The lines come from `flatfile-exporter audit --follow` through Alloy or Vector: **docs/audit.md** in the "
                    "exporter's repository says how, and what each key means. The filters at the top are regular expressions: "
                    "`.*` matches everything, `file:.*` all topics of files. Unless the log is written with `--actors=id` or "
                    "`--actors=hash`, it names people: whoever may open this dashboard may read what they did.",
                    height=4,
                ),
            ],
        ),
    ],
    variables=loki.variables(),
)
