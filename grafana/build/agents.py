"""The agents: which environment has which, which are missing, when each was deployed, how their runs go."""

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, counted, of_environment, once, rate, ratio, total
from .frame import Board, Row
from .links import DataLink, of_row
from .panels import About, Placed, Query, by_environment, figure, timeline
from .runs import (
    AGENT,
    COLLECTOR,
    DURATION,
    FAILED,
    RATIO_STEPS,
    RUNS,
    SLUG,
    SLUG_KEY,
    finished_rate,
    run_failure_ratio,
    shown,
)
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, ago, matrix, rows
from .wording import AGENT_LINE, WITHHELD

PRESENCE = {
    "0": ("MISSING", colours.CRITICAL),
    "1": ("deployed", colours.QUIET),
    "2": ("deployed, expected", colours.FAINT),
}
NONE_EXPECTED = "the configuration expects no agents, or it is not known whether they are there."
NONE_EXPECTED_EMPTY = "None expected, or not known"

# 0: expected and missing, 2: expected and there, 1: there without being expected.
_expected = "2 - 2 * " + once(of_environment("flatfile_agent_missing"), SLUG)
_info = of_environment("flatfile_agent_info", 'system=~"$system"')
_deployed = once(_info, SLUG)
PRESENT = f"({_expected} or on ({', '.join(SLUG_KEY)}) {_deployed})"


def _of_listed(vector: str) -> str:
    """The vector for agents that have a status alone: not those of which only runs are known."""
    return f"{vector} and on ({', '.join(SLUG_KEY)}) {PRESENT}"


def missing_agents(width: int, link: DataLink | None = None) -> Placed:
    return figure(
        About(
            "Missing agents",
            "Agents are programs that customers deploy to an environment; they do the work on imported data. Counts those that "
            "the exporter's configuration expects (`expected_agents`) and that are known not to be deployed.",
            NONE_EXPECTED,
            NONE_EXPECTED_EMPTY,
        ),
        total(of_environment("flatfile_agent_missing"), over=SLUG),
        words={"0": ("None missing", colours.QUIET)},
        steps=colours.limits(critical=1),
        link=link,
        width=width,
    )


PRESENCE_ROW = Row(
    "Presence",
    [
        missing_agents(width=8),
        figure(
            About(
                "Deployed agents",
                "An agent is a program deployed to an environment; it reacts to events and does the work on the data. Some are "
                "your own, some Flatfile's (system agents).",
                WITHHELD,
            ),
            [Query(total(of_environment("flatfile_agents"), ("system",), over=ENVIRONMENT_KEY), "{{system}}")],
            names={"false": "your own", "true": "Flatfile's own"},
            width=8,
        ),
        figure(
            About(
                "Last deployment",
                "When any agent of the chosen environments was last deployed. If something has gone wrong since, look at that "
                "agent first.",
                WITHHELD,
            ),
            "max(" + once(of_environment("flatfile_agent_updated_timestamp_seconds"), AGENT) + ") * 1000",
            "dateTimeFromNow",
            width=8,
        ),
    ],
)

_updated = of_environment("flatfile_agent_updated_timestamp_seconds")
_created = of_environment("flatfile_agent_created_timestamp_seconds")

_last_seen = once(f"max_over_time(timestamp({_info})[1d:5m])", SLUG)
_known = once(of_environment("flatfile_agents"), ENVIRONMENT_KEY)

# By slug: an agent that was deployed again under another id is not gone.
GONE = f"{_last_seen} unless on ({', '.join(SLUG_KEY)}) {_deployed} and on ({', '.join(ENVIRONMENT_KEY)}) {_known}"


def gone_agents() -> Placed:
    return rows(
        About(
            "Agents gone within a day",
            "Agents that were deployed at some time in the 24 hours before the end of the time range and are not deployed any "
            "more, expected or not. *Last seen* is exact to five minutes.",
            "no agent has gone within a day, or the agents are not known now. Agents of an environment that is gone itself are "
            "not listed.",
            "None gone, or not known",
        ),
        {**ENVIRONMENT_COLUMN, "agent": "Agent"},
        [ago("Last seen", GONE)],
        ID_COLUMNS,
        links=[of_row("Only this environment", links.AGENTS), of_row("Its events", links.EVENTS)],
        sort="Last seen",
        descending=True,
        height=7,
    )


LIST = Row(
    "Agents by environment",
    [
        matrix(
            About(
                "Environments and agents",
                "A row for each environment, a column for each agent's name. *deployed, expected*: it is there and the "
                "configuration expects it; *deployed*: it is there; *MISSING*: it is expected and not there. A dash: it is not "
                "there and not expected. An agent without a name is shown by its id.",
                "no environment has an agent and none is expected, or " + WITHHELD,
                "no agents, or not known",
            ),
            f'label_join({PRESENT}, "environment_name", " · ", "environment_name", "environment_id")',
            ("environment_name", "Environment"),
            "agent",
            PRESENCE,
            width=24,
            height=7,
        ),
        rows(
            About(
                "Agents",
                "A row for each agent of each environment, the missing ones first. Runs and their mean duration are those of the "
                "time range, the failure ratio that of the last hour, where enough runs finished.",
                "no agent is known. Without the columns of runs, or with a dash in them: " + COLLECTOR,
                "no agent known",
            ),
            {**ENVIRONMENT_COLUMN, "agent": "Agent"},
            [
                Column("Status", PRESENT, words=PRESENCE, width=150),
                ago("Last deployed", shown(once(_updated, SLUG))),
                ago("First deployed", shown(once(_created, SLUG))),
                Column("Runs", _of_listed(counted(finished_rate(*SLUG))), decimals=0, width=75),
                Column("Failed", _of_listed(counted(finished_rate(*SLUG, matchers=(FAILED,)))), decimals=0, width=75),
                Column(
                    "Failure ratio",
                    _of_listed(f"({run_failure_ratio(*SLUG)})"),
                    unit="percentunit",
                    decimals=1,
                    steps=colours.steps(
                        (RATIO_STEPS[0], colours.WARNING), (RATIO_STEPS[1], colours.CRITICAL), base="text"
                    ),
                    width=115,
                ),
                Column(
                    "Mean duration",
                    _of_listed(
                        ratio(
                            counted(total(rate(of_environment(f"{DURATION}_sum")), SLUG, over=AGENT)),
                            counted(total(rate(of_environment(f"{DURATION}_count")), SLUG, over=AGENT)),
                        )
                    ),
                    unit="s",
                    width=125,
                ),
            ],
            ID_COLUMNS,
            links=[of_row("Only this environment", links.AGENTS), of_row("Its events", links.EVENTS)],
            sort="Status",
            height=12,
        ),
        gone_agents(),
    ],
)

HISTORY = Row(
    "History",
    [
        timeline(
            About(
                "Expected agents",
                "A bar for each agent that the configuration expects. A gap is a time when it was not known whether it is there.",
                NONE_EXPECTED,
                NONE_EXPECTED_EMPTY,
            ),
            Query(once(of_environment("flatfile_agent_missing"), SLUG), AGENT_LINE),
            {"0": ("there", colours.FAINT), "1": ("MISSING", colours.CRITICAL)},
            width=12,
        ),
        by_environment(
            About(
                "Deployed agents and minimum",
                "How many agents each environment has, without Flatfile's own, and (dashed) the minimum that the configuration "
                "asks for (`min`), if any.",
                WITHHELD,
            ),
            {
                "": once(of_environment("flatfile_agents", 'system="false"'), ENVIRONMENT),
                "minimum: ": once(of_environment("flatfile_agents_expected_min"), ENVIRONMENT),
            },
            to=links.AGENTS,
            dashed=["^minimum: "],
        ),
    ],
)


def _switch() -> build.CustomVariable:
    """Whether Flatfile's own agents are shown; the value is a regular expression for the label `system`."""
    return (
        build.CustomVariable("system")
        .label("System agents")
        .values("hidden : false, shown : .*")
        .current(model.VariableOption(selected=True, text="hidden", value="false"))
        .options(
            [
                model.VariableOption(selected=True, text="hidden", value="false"),
                model.VariableOption(selected=False, text="shown", value=".*"),
            ]
        )
    )


BOARD = Board(
    links.AGENTS,
    "Flatfile / Agents",
    "Which environment has which agent, which are missing, and how the runs go.",
    [PRESENCE_ROW, LIST, HISTORY, RUNS],
    more_variables=[_switch()],
)
