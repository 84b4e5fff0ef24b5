"""The agents: which environment has which, what is missing, when each was deployed, how its runs go."""

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    increase,
    of_environment,
    once,
    ratio,
    total,
)
from .frame import Board, Row
from .links import of_row, of_series
from .panels import COUNT, About, Query, figure, graph, timeline
from .runs import AGENT, DURATION, NO_RUNS, RUNS, SHARE_STEPS, SLUG, failed, finished
from .tables import ENVIRONMENT_COLUMN, ID_COLUMNS, Column, matrix, rows
from .wording import AGENT_LINE, ENVIRONMENT_LINE, WITHHELD

PRESENCE = {
    "0": ("MISSING", colours.BAD),
    "1": ("deployed", "transparent"),
    "2": ("deployed, expected", colours.GOOD),
}

# 0: expected and missing, 2: expected and there, 1: there without being expected.
_expected = "2 - 2 * " + once(of_environment("flatfile_agent_missing"), SLUG)
_deployed = once(of_environment("flatfile_agent_info"), SLUG)
PRESENT = f"{_expected} or on (account, environment_id, agent) {_deployed}"

WELL = Row(
    "Are all agents there?",
    [
        figure(
            About(
                "Deployed agents",
                "An agent is a program deployed to an environment; it reacts to events and does the work on the data. "
                "Some are your own, some Flatfile's (which Flatfile calls system agents).",
                WITHHELD,
            ),
            total(of_environment("flatfile_agents"), ("system",), over=ENVIRONMENT_KEY),
            COUNT,
            legend="{{system}}",
            names={"false": "your own", "true": "Flatfile's own"},
            width=8,
        ),
        figure(
            About(
                "Expected agents missing",
                "Agents that the configuration expects (`expected_agents`) and that are known not to be deployed.",
                "the configuration expects no agents, or no answer is known.",
                "None expected, or not known",
            ),
            total(of_environment("flatfile_agent_missing"), over=SLUG),
            "short",
            words={"0": ("None missing", colours.GOOD)},
            steps=colours.steps((0, colours.GOOD), (1, colours.BAD)),
            width=8,
        ),
        figure(
            About(
                "Last deployment",
                "When any agent of the chosen environments was deployed last: where something has gone wrong since, "
                "look at that agent first.",
                WITHHELD,
            ),
            "max(" + once(of_environment("flatfile_agent_updated_timestamp_seconds"), AGENT) + ") * 1000",
            "dateTimeFromNow",
            width=8,
        ),
    ],
)

MATRIX = Row(
    "Which environment has which agent?",
    [
        matrix(
            About(
                "Environments and agents",
                "A row for each environment, a column for each agent's name. *deployed, expected*: it is there and the "
                "configuration expects it; *deployed*: it is there; *MISSING*: it is expected and not there. A dash: it "
                "is not there and nobody expects it. An agent without a name is shown by its id.",
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
                "A line for each agent in each environment. Runs, failures and duration are those of the dashboard's "
                "time range; the duration is the mean. Missing ones come first, without dates. *unknown*, without a "
                "status, stands for runs of which Flatfile does not tell the agent.",
                "no agent is known. No columns of runs, failures and duration, or a dash in them: " + NO_RUNS,
                "no agent known",
            ),
            {**ENVIRONMENT_COLUMN, "agent": "Agent"},
            [
                Column("Status", f"sort({PRESENT})", words=PRESENCE, width=150),
                Column(
                    "Last deployed",
                    once(of_environment("flatfile_agent_updated_timestamp_seconds"), SLUG) + " * 1000",
                    unit="dateTimeFromNow",
                    width=145,
                ),
                Column(
                    "First deployed",
                    once(of_environment("flatfile_agent_created_timestamp_seconds"), SLUG) + " * 1000",
                    unit="dateTimeFromNow",
                    width=145,
                ),
                Column("Runs", finished(increase, *SLUG), decimals=0, width=75),
                Column("Failed", failed(increase, *SLUG), decimals=0, width=75),
                Column(
                    "Failed share",
                    ratio(failed(increase, *SLUG), finished(increase, *SLUG)),
                    unit="percentunit",
                    decimals=1,
                    steps=colours.steps(*SHARE_STEPS, base="text"),
                    width=110,
                ),
                Column(
                    "Mean duration",
                    ratio(
                        total(increase(of_environment(f"{DURATION}_sum")), SLUG, over=AGENT),
                        total(increase(of_environment(f"{DURATION}_count")), SLUG, over=AGENT),
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
    ],
)

COURSE = Row(
    "Since when?",
    [
        timeline(
            About(
                "Expected agents over time",
                "One bar for each agent that the configuration expects. A gap is a time when the answer was not known.",
                "the configuration expects no agents, or no answer is known.",
                "None expected, or not known",
            ),
            Query(once(of_environment("flatfile_agent_missing"), SLUG), AGENT_LINE),
            {"0": ("there", colours.GOOD), "1": ("MISSING", colours.BAD)},
            width=12,
        ),
        graph(
            About(
                "Agents deployed, and the least number",
                "How many agents each environment has, without Flatfile's own, and as a broken line the least number that "
                "the configuration asks for (`min`), where it does: below it, FlatfileAgentsBelowMinimum fires.",
                WITHHELD,
            ),
            [
                Query(
                    once(of_environment("flatfile_agents", 'system="false"'), ENVIRONMENT),
                    ENVIRONMENT_LINE,
                ),
                Query(
                    once(of_environment("flatfile_agents_expected_min"), ENVIRONMENT), f"at least: {ENVIRONMENT_LINE}"
                ),
            ],
            COUNT,
            dashed=["^at least: "],
            links=[of_series("Only this environment", links.AGENTS)],
        ),
    ],
)

BOARD = Board(
    links.AGENTS,
    "Flatfile / Agents",
    "Which environment has which agent, what is missing, and how the runs go.",
    [WELL, MATRIX, COURSE, RUNS],
)
