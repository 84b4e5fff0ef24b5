"""The runs of agents: what they are counted by, and their row on the dashboard of agents."""

from collections.abc import Callable

from . import colours, links
from .expressions import ENVIRONMENT, ENVIRONMENT_KEY, increase, of_environment, quantile, rate, ratio, total
from .frame import Row
from .links import DataLink, of_series
from .panels import COUNT, About, Placed, Query, figure, graph
from .wording import AGENT_LINE, ENVIRONMENT_LINE

AGENT = (*ENVIRONMENT_KEY, "agent_id")
SLUG = (*ENVIRONMENT, "agent")
NO_RUNS = (
    "no run has finished in the time looked at, or the runs are not known: the figures come from the `executions` collector, "
    "which may be switched off or unable to ask. It does not mean that the agents stand still."
)
RUNS_EMPTY = "no runs known"
IN_LUMPS = (
    "A run is counted up to five minutes after its end, and those of five minutes at once where an environment's list is "
    "long and in no order: judge the height over ten minutes or more."
)
DURATION = "flatfile_agent_execution_duration_seconds"
SHARE_STEPS = ((0.05, colours.WARNING), (0.2, colours.BAD))
"""Of runs that failed. The second is where FlatfileAgentRunsFailing begins."""

_runs = of_environment("flatfile_agent_executions_total")
_failures = of_environment("flatfile_agent_executions_total", 'result="failure"')
_lag = of_environment("flatfile_agent_queue_lag_seconds_bucket")


def finished(over: Callable[[str], str], *by: str) -> str:
    """Runs of every result together (or by result, when that is among the labels)."""
    return total(over(_runs), by, over=(*AGENT, "result"))


def failed(over: Callable[[str], str], *by: str) -> str:
    """Failed runs: 0, as the exporter itself counts them, where there are runs and none has failed yet."""
    return f"({total(over(_failures), by, over=(*AGENT, 'result'))} or {finished(over, *by)} * 0)"


def a_minute(*by: str) -> str:
    """Finished runs a minute: agents run too seldom for a number of runs a second to say anything."""
    return f"{finished(rate, *by)} * 60"


def failed_share(width: int, link: DataLink | None = None) -> Placed:
    """Of the runs of all chosen environments."""
    return figure(
        About(
            "Failed share of runs",
            "Runs of agents that failed over all their runs, in the dashboard's time range.",
            NO_RUNS,
            RUNS_EMPTY,
        ),
        ratio(failed(increase), finished(increase)),
        "percentunit",
        steps=colours.steps((0, colours.GOOD), *SHARE_STEPS),
        decimals=1,
        link=link,
        width=width,
    )


def longest_wait(width: int, link: DataLink | None = None) -> Placed:
    """In the environment where it takes longest; the colour changes where FlatfileAgentQueueLag begins."""
    return figure(
        About(
            "Wait for agents (95 %)",
            "From an event to the start of the agent's run for it: 95 of 100 runs began sooner, in the environment "
            "where it takes longest, in the dashboard's time range. "
            "Estimated from the histogram's buckets.",
            NO_RUNS,
            RUNS_EMPTY,
        ),
        f"max({quantile(0.95, _lag, ENVIRONMENT_KEY, over=increase)})",
        "s",
        steps=colours.steps((0, colours.GOOD), (60, colours.WARNING)),
        link=link,
        width=width,
    )


RUNS = Row(
    "How do the runs go?",
    [
        figure(
            About(
                "Runs in the time range",
                "How often agents were run for an event, by how it ended.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            finished(increase, "result"),
            COUNT,
            legend="{{result}}",
            decimals=0,
            width=8,
        ),
        failed_share(width=8),
        longest_wait(width=8),
        graph(
            About(
                "Runs a minute by result",
                "Finished runs a minute (ops/m), all chosen environments together. " + IN_LUMPS,
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [Query(a_minute("result"), "{{result}}")],
            "opm",
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
            [Query(ratio(failed(rate, *SLUG), finished(rate, *SLUG)), AGENT_LINE)],
            "percentunit",
            high=1,
            links=[of_series("Only this environment", links.AGENTS)],
            width=8,
        ),
        graph(
            About(
                "Runs a minute by agent",
                "Finished runs a minute (ops/m) of each agent, whatever the result. " + IN_LUMPS,
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [Query(a_minute(*SLUG), AGENT_LINE)],
            "opm",
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
            [Query(quantile(0.95, of_environment(f"{DURATION}_bucket"), SLUG), AGENT_LINE)],
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
                Query(quantile(0.5, _lag, ENVIRONMENT), f"half: {ENVIRONMENT_LINE}"),
                Query(quantile(0.95, _lag, ENVIRONMENT), f"95 %: {ENVIRONMENT_LINE}"),
            ],
            "s",
            dashed=["^half: "],
            links=[of_series("Only this environment", links.AGENTS)],
        ),
    ],
)
