"""The agents: which environment has which, what is missing, when each was deployed, how its runs go."""

from collections.abc import Callable

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    increase,
    of_environment,
    once,
    quantile,
    rate,
    ratio,
    total,
)
from .frame import Board, Row
from .links import of_row, of_series
from .panels import About, Query, figure, graph, timeline
from .tables import ID_COLUMNS, Column, matrix, rows
from .wording import AGENT_LINE, ENVIRONMENT_LINE, WITHHELD

AGENT = (*ENVIRONMENT_KEY, "agent_id")
SLUG = (*ENVIRONMENT, "agent")
NO_RUNS = (
    "no run has finished in the time looked at, or the exporter does not read runs: the figures of runs come from the "
    "`executions` collector, which the first releases do not have yet, or which is switched off. It does not mean that "
    "the agents stand still."
)
RUNS_EMPTY = "no runs known"

PRESENCE = {
    "0": ("MISSING", colours.BAD),
    "1": ("deployed", colours.OTHER),
    "2": ("deployed, expected", colours.GOOD),
}

# 0: expected and missing, 2: expected and there, 1: there without being expected.
_expected = "2 - 2 * " + once(of_environment("flatfile_agent_missing"), SLUG)
_deployed = once(of_environment("flatfile_agent_info"), SLUG)
PRESENT = f"{_expected} or on (account, environment_id, agent) {_deployed}"

_runs = of_environment("flatfile_agent_executions_total")
_failures = of_environment("flatfile_agent_executions_total", 'result="failure"')
_duration = "flatfile_agent_execution_duration_seconds"
_lag = of_environment("flatfile_agent_queue_lag_seconds_bucket")


def _finished(over: Callable[[str], str], *by: str) -> str:
    """Runs of every result together (or by result, when that is among the labels)."""
    return total(over(_runs), by, over=(*AGENT, "result"))


def _failed(over: Callable[[str], str], *by: str) -> str:
    """Failed runs: 0, as the exporter itself counts them, where there are runs and none has failed yet."""
    return f"({total(over(_failures), by, over=(*AGENT, 'result'))} or {_finished(over, *by)} * 0)"


WELL = Row(
    "Are all agents there, and do they work?",
    [
        figure(
            About(
                "Deployed agents",
                "An agent is a program deployed to an environment; it reacts to events and does the work on the data. "
                "`true`: Flatfile's own agents (system), `false`: your own.",
                WITHHELD,
            ),
            total(of_environment("flatfile_agents"), ("system",), over=ENVIRONMENT_KEY),
            "short",
            legend="system: {{system}}",
            width=6,
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
            width=4,
        ),
        figure(
            About(
                "Runs in the time range",
                "How often agents were run for an event, by how it ended.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            _finished(increase, "result"),
            "short",
            legend="{{result}}",
            decimals=0,
            width=6,
        ),
        figure(
            About(
                "Failed share of runs",
                "Failed runs over all runs in the dashboard's time range.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            ratio(_failed(increase), _finished(increase)),
            "percentunit",
            steps=colours.steps((0, colours.GOOD), (0.01, colours.WARNING), (0.1, colours.BAD)),
            decimals=1,
            width=4,
        ),
        figure(
            About(
                "Longest usual wait",
                "From an event to the start of the agent's run for it: 95 of 100 runs began sooner, in the environment "
                "where it takes longest, in the dashboard's time range. "
                "Estimated from the histogram's buckets.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            f"max({quantile(0.95, _lag, ENVIRONMENT_KEY, over=increase)})",
            "s",
            decimals=1,
            width=4,
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
                "configuration expects it; *deployed*: it is there; *MISSING*: it is expected and not there. An empty "
                "cell: it is not there and nobody expects it.",
                "no environment has an agent and none is expected, or " + WITHHELD,
                "–",
            ),
            f'label_join({PRESENT}, "environment", " · ", "environment", "environment_id")',
            "environment",
            "agent",
            PRESENCE,
            width=24,
            height=8,
        ),
        rows(
            About(
                "Agents",
                "A line for each agent in each environment. Runs, failures and duration are those of the dashboard's "
                "time range; the duration is the mean. Missing ones come first, without dates.",
                "no agent is known. Empty cells of runs, failures and duration: " + NO_RUNS,
                "–",
            ),
            {"environment": "Environment", "agent": "Agent"},
            [
                Column("Status", f"sort({PRESENT})", words=PRESENCE),
                Column(
                    "Last deployed",
                    once(of_environment("flatfile_agent_updated_timestamp_seconds"), SLUG) + " * 1000",
                    unit="dateTimeFromNow",
                ),
                Column(
                    "First deployed",
                    once(of_environment("flatfile_agent_created_timestamp_seconds"), SLUG) + " * 1000",
                    unit="dateTimeAsIso",
                ),
                Column("Runs", _finished(increase, *SLUG), decimals=0),
                Column(
                    "Failed",
                    _failed(increase, *SLUG),
                    decimals=0,
                    steps=colours.steps((0.5, colours.BAD), base="text"),
                ),
                Column(
                    "Failed share",
                    ratio(_failed(increase, *SLUG), _finished(increase, *SLUG)),
                    unit="percentunit",
                    decimals=1,
                ),
                Column(
                    "Mean duration",
                    ratio(
                        total(increase(of_environment(f"{_duration}_sum")), SLUG, over=AGENT),
                        total(increase(of_environment(f"{_duration}_count")), SLUG, over=AGENT),
                    ),
                    unit="s",
                    decimals=2,
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
                "How many agents each environment has (Flatfile's own included), and as a broken line the least number "
                "that the configuration asks for (`min`), where it does.",
                WITHHELD,
            ),
            [
                Query(
                    total(of_environment("flatfile_agents"), ENVIRONMENT, over=("system",)),
                    ENVIRONMENT_LINE,
                ),
                Query(once(of_environment("flatfile_agents_expected_min"), ENVIRONMENT), "at least: {{environment}}"),
            ],
            "short",
            dashed=["^at least: "],
            links=[of_series("Only this environment", links.AGENTS)],
        ),
    ],
)

RUNS = Row(
    "How do the runs go?",
    [
        graph(
            About("Runs by result", "Finished runs a second, all chosen environments together.", NO_RUNS, RUNS_EMPTY),
            [Query(_finished(rate, "result"), "{{result}}")],
            "ops",
            lines={"success": colours.GOOD, "failure": colours.BAD},
            many=False,
            width=8,
        ),
        graph(
            About(
                "Failed share by agent",
                "Failed runs over all runs. One failure of few runs makes a large share: see the runs beside it.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [Query(ratio(_failed(rate, *SLUG), _finished(rate, *SLUG)), AGENT_LINE)],
            "percentunit",
            high=1,
            links=[of_series("Only this environment", links.AGENTS)],
            width=8,
        ),
        graph(
            About("Runs by agent", "Finished runs a second of each agent, whatever the result.", NO_RUNS, RUNS_EMPTY),
            [Query(_finished(rate, *SLUG), AGENT_LINE)],
            "ops",
            links=[of_series("Only this environment", links.AGENTS)],
            width=8,
        ),
        graph(
            About(
                "Duration of runs by agent",
                "95 of 100 runs took less than this, estimated from buckets of 0.1 s to 300 s: a run of more than 5 "
                "minutes counts as 5 minutes.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [Query(quantile(0.95, of_environment(f"{_duration}_bucket"), SLUG), AGENT_LINE)],
            "s",
            links=[of_series("Only this environment", links.AGENTS)],
        ),
        graph(
            About(
                "Wait from event to run, by environment",
                "How long events wait before an agent begins to work on them: half of them less than the first line of "
                "an environment, 95 of 100 less than the second. A rising wait means too little capacity.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [
                Query(quantile(0.5, _lag, ENVIRONMENT), "half: {{environment}}"),
                Query(quantile(0.95, _lag, ENVIRONMENT), "95 %: {{environment}}"),
            ],
            "s",
            dashed=["^half: "],
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
