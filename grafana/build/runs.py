"""Runs of agents: what they are counted by, and their row on the dashboard of agents."""

from . import colours, links
from .expressions import (
    ENVIRONMENT,
    ENVIRONMENT_KEY,
    MIN_FINISHED,
    counted,
    failure_ratio,
    last_hour,
    of_environment,
    once,
    quantile,
    rate,
    total,
)
from .frame import Row
from .links import DataLink
from .panels import RATE, About, Placed, Query, by_environment, figure, graph
from .wording import AGENT_LINE

AGENT = (*ENVIRONMENT_KEY, "agent_id")
SLUG = (*ENVIRONMENT, "agent")
SLUG_KEY = (*ENVIRONMENT_KEY, "agent")
COLLECTOR = (
    "the figures come from the `executions` collector, which may be disabled or unable to read the runs. It does not mean that "
    "no agent runs."
)
NO_RUNS = "no run has finished in that time, or the runs are not known: " + COLLECTOR
FEW_RUNS = f"fewer than {MIN_FINISHED} runs finished in the last hour, or the runs are not known: " + COLLECTOR
RUNS_EMPTY = "no runs known"
FEW_EMPTY = "too few, or not known"
JUMPS = (
    "Where an environment's list of runs is long and in no order, it is read every five minutes, and its runs are counted then: "
    "look at ten minutes or more."
)
DURATION = "flatfile_agent_execution_duration_seconds"
RATIO_STEPS = (0.05, 0.2)

_hidden = once(of_environment("flatfile_agent_info", 'system="true"', 'system!~"$system"'), SLUG_KEY)
"""Flatfile's own agents, as long as the switch at the top of the dashboard hides them; nothing else."""

_lag = of_environment("flatfile_agent_queue_lag_seconds_bucket")


def shown(vector: str) -> str:
    """Return the vector, which has a series for each agent, without the agents that the switch hides."""
    return f"({vector}) unless on ({', '.join(SLUG_KEY)}) {_hidden}"


def runs(*matchers: str) -> str:
    """Return the counter of finished runs."""
    return of_environment("flatfile_agent_executions_total", *matchers)


FAILED = 'result="failure"'


def finished_rate(*by: str, matchers: tuple[str, ...] = ()) -> str:
    """Return finished runs per second, of every result or of those that the matchers choose."""
    return total(rate(runs(*matchers)), by, over=(*AGENT, "result"))


def run_failure_ratio(*by: str) -> str:
    """Return failed runs over all runs of the last hour, where MIN_FINISHED or more have finished."""
    return failure_ratio(runs(FAILED), runs(), by, over=(*AGENT, "result"))


def failure_ratio_of_runs(width: int, link: DataLink | None = None) -> Placed:
    return figure(
        About(
            "Agent run failure ratio",
            f"Failed runs of agents over all their runs, in the last hour, where {MIN_FINISHED} or more finished.",
            FEW_RUNS,
            FEW_EMPTY,
        ),
        run_failure_ratio(),
        "percentunit",
        steps=colours.limits(*RATIO_STEPS),
        decimals=1,
        link=link,
        width=width,
    )


def queue_lag(width: int, link: DataLink | None = None) -> Placed:
    return figure(
        About(
            "Queue lag p95",
            "Time from an event to the start of the agent's run for it: 95 of 100 runs of the last hour began sooner, in the "
            "environment where it takes longest. Estimated from the histogram's buckets.",
            NO_RUNS,
            RUNS_EMPTY,
        ),
        f"max({quantile(0.95, _lag, ENVIRONMENT_KEY, over=last_hour)})",
        "s",
        steps=colours.limits(60),
        link=link,
        width=width,
    )


def _of_agents(about: About, expr: str, unit: str, *, high: float | None = None) -> Placed:
    return by_environment(about, expr, unit, to=links.AGENTS, by=SLUG_KEY, legend=AGENT_LINE, high=high, width=8)


RUNS = Row(
    "Runs",
    [
        figure(
            About(
                "Runs",
                "Runs of agents that finished in the time range, by result.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [Query(counted(finished_rate("result")), "{{result}}")],
            decimals=0,
            width=8,
        ),
        failure_ratio_of_runs(width=8),
        queue_lag(width=8),
        graph(
            About(
                "Runs per minute by result",
                "Finished runs per minute, all chosen environments together. " + JUMPS,
                NO_RUNS,
                RUNS_EMPTY,
            ),
            [Query(f"{finished_rate('result')} * 60", "{{result}}")],
            RATE,
            lines={"success": colours.BLUE, "failure": colours.CRITICAL},
            many=False,
            width=8,
        ),
        _of_agents(
            About(
                "Runs per minute by agent",
                "Finished runs per minute of each agent, whatever the result. " + JUMPS,
                NO_RUNS,
                RUNS_EMPTY,
            ),
            shown(f"{finished_rate(*SLUG)} * 60"),
            RATE,
        ),
        _of_agents(
            About(
                "Run failure ratio by agent",
                f"Failed runs over all runs of the last hour, where {MIN_FINISHED} or more finished.",
                FEW_RUNS,
                FEW_EMPTY,
            ),
            shown(run_failure_ratio(*SLUG)),
            "percentunit",
            high=1,
        ),
        by_environment(
            About(
                "Run duration p95 by agent",
                "95 of 100 runs of the last hour took less, estimated from buckets of 0.1 s to 300 s: a run of more than 5 "
                "minutes counts as 5 minutes.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            shown(quantile(0.95, of_environment(f"{DURATION}_bucket"), SLUG, over=last_hour)),
            "s",
            to=links.AGENTS,
            by=SLUG_KEY,
            legend=AGENT_LINE,
        ),
        by_environment(
            About(
                "Queue lag by environment",
                "Time from an event to the start of the agent's run for it, in the last hour: half of the runs (p50, dashed) and "
                "95 of 100 (p95) began sooner. A rising lag means too little capacity.",
                NO_RUNS,
                RUNS_EMPTY,
            ),
            {
                "p50: ": quantile(0.5, _lag, ENVIRONMENT, over=last_hour),
                "p95: ": quantile(0.95, _lag, ENVIRONMENT, over=last_hour),
            },
            "s",
            to=links.AGENTS,
            dashed=["^p50: "],
        ),
    ],
)
