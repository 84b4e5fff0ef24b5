"""Queries that have no answer, and why: always, or while nothing is wrong. Named by title, wherever that panel is."""

_RUNS = "the collector `executions` comes with a later release: nothing tells of agents' runs"
_JOBS = "the collector `jobs` comes with a later release"

LATER_QUERIES = {
    **dict.fromkeys(
        (
            "'Runs in the time range', query A",
            "'Failed share of runs', query A",
            "'Longest usual wait', query A",
            "'Agents', query D",
            "'Agents', query E",
            "'Agents', query F",
            "'Agents', query G",
            "'Runs by result', query A",
            "'Failed share by agent', query A",
            "'Runs by agent', query A",
            "'Duration of runs by agent', query A",
            "'Wait from event to run, by environment', query A",
            "'Wait from event to run, by environment', query B",
        ),
        _RUNS,
    ),
    **dict.fromkeys(
        (
            "'Open jobs', query A",
            "'Jobs of the last 24 hours by status', query A",
            "'Age of the oldest open job', query A",
            "'Failed jobs', query A",
            "'Environments and their change', query F",
        ),
        _JOBS,
    ),
}
"""Take a query out of this list as soon as it has an answer; a test says so."""

LATER_RECORDED = {
    "environment:flatfile_agent_runs_known:1h": _RUNS,
    "agent:flatfile_failed_runs:ratio1h": _RUNS,
    "environment:flatfile_agent_queue_lag_seconds:p90_30m": _RUNS,
    "environment:flatfile_jobs:failed_ratio": _JOBS,
}
"""Recording rules of which the same is true."""

TROUBLE = {
    "'Collector errors by reason', query A": "a line for each error that there was, and there was none",
}
"""Queries that have an answer when something is wrong, and must not have one while all is well."""
