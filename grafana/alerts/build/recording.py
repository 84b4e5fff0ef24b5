"""Recorded series: what alerts remember, and what dashboards and people may query.

No group reads what it records itself: some rulers show a group's own results one evaluation late.
"""

from textwrap import indent
from typing import Any

from .parts import ENVIRONMENT, record

EVENTS = "environment:flatfile_events_per_second:sum"
_OWN_AGENTS = f'max by ({ENVIRONMENT}) (flatfile_agents{{system="false"}})'
_LAG = "flatfile_agent_queue_lag_seconds"


def _failing(labels: str, failed: str, finished: str, known: str) -> str:
    """The share of failures while it is too high, else 0; absent while not known."""

    def count(selector: str, window: str) -> str:
        return f"sum by ({labels}, job, instance) (increase({selector}[<<{window}>>]))"

    def ratio(window: str) -> str:
        return f"{count(failed, window)} / ({count(finished, window)} > 0)"

    fast = (
        f"{ratio('failing_fast_short')} > <<failing_fast_short_ratio>>\n"
        f"and {count(failed, 'failing_fast_short')} >= <<failing_fast_count>>\n"
        f"and {ratio('failing_fast_long')} > <<failing_fast_long_ratio>>"
    )
    slow = (
        f"{ratio('failing_slow_long')} > <<failing_slow_long_ratio>>\n"
        f"and {count(failed, 'failing_slow_long')} >= <<failing_slow_count>>\n"
        f"unless {ratio('failing_slow_short')} <= <<failing_slow_short_ratio>>"
    )
    found = f"max by ({labels}) (\n{indent(fast, '  ')}\n  or\n{indent(slow, '  ')}\n)"
    return f"{found}\nand on ({ENVIRONMENT}) {known}\nor\n0 * max by ({labels}) ({known})"


def _silent(silence: str, window: str, step: str, slots: str) -> str:
    """No event during the silence, and usually as many slots with events: the median of up to four weeks, at least two."""
    active = f"{EVENTS} > bool 0" if step == "5m" else f"max_over_time({EVENTS}[{step}]) > bool 0"
    weeks = "\n  or\n".join(
        f'  label_replace(sum_over_time(({active})[{window}:{step}] offset {week}w), "week", "{week}", "", "")'
        for week in (1, 2, 3, 4)
    )
    return (
        f"max_over_time({EVENTS}[{silence}]) == 0\n"
        f"and on ({ENVIRONMENT}) (\n"
        f"  count_over_time({EVENTS}[{silence}:5m]) > 0.9 * scalar(count_over_time(vector(1)[{silence}:5m]))\n"
        ")\n"
        f"and on ({ENVIRONMENT}) count_over_time({EVENTS}[{window}:{step}] offset 2w)\n"
        f"and on ({ENVIRONMENT}) (\n"
        f"  quantile by ({ENVIRONMENT}) (0.5,\n{indent(weeks, '  ')}\n  ) >= <<{slots}>>\n"
        ")"
    )


_SILENT = "\nor\n".join(
    f"(\n{indent(_silent(*tier), '  ')}\n)"
    for tier in (
        ("<<silent_busy>>", "6h", "5m", "silent_busy_slots"),
        *(
            (f"<<silent_{name}>>", f"<<silent_{name}>>", "1h", f"silent_{name}_hours")
            for name in ("quarter", "day", "days")
        ),
    )
)

GROUPS: list[dict[str, Any]] = [
    {
        "name": "flatfile-recording",
        "rules": [
            # Without it, dashboards could not tell "no alert is firing" from "the rules are not loaded".
            record("flatfile:rules:info", "vector(1)"),
            record(
                "environment:flatfile_name:info",
                f"""\
group by ({ENVIRONMENT}, environment_name) (
  flatfile_environment_info
  or on ({ENVIRONMENT}) last_over_time(flatfile_environment_info[<<memory>>])
)""",
            ),
            record(
                "environment:flatfile_production_seen:timestamp",
                f'group by ({ENVIRONMENT}) (flatfile_environment_info{{production="true"}}) * time()',
            ),
            record(
                "account:flatfile_environments_seen:timestamp", "group by (account) (flatfile_environments) * time()"
            ),
            record(
                "account:flatfile_environments:sum",
                "sum by (account) (max by (account, production) (flatfile_environments))",
            ),
            record(
                "agent:flatfile_agent_missing:min",
                # of a pair, one that sees it is right
                f'min by ({ENVIRONMENT}, agent) (flatfile_agent_missing{{environment_id!=""}})',
            ),
            record(
                "account:flatfile_expected_environment_missing:max",
                'max by (account, environment_name) (flatfile_agent_missing{environment_id=""})',
            ),
            record("environment:flatfile_agents:max", _OWN_AGENTS),
            record(
                "environment:flatfile_agents_above_minimum:difference",
                f"{_OWN_AGENTS}\n- on ({ENVIRONMENT}) max by ({ENVIRONMENT}) (flatfile_agents_expected_min)",
            ),
            record(
                EVENTS,
                f"""\
max by ({ENVIRONMENT}) (
  sum by ({ENVIRONMENT}, job, instance) (flatfile_events_per_second{{topic!~"cron:.*"}})
)
or
0 * group by ({ENVIRONMENT}) (flatfile_events_total)""",
            ),
            record(
                "environment:flatfile_jobs_failing:ratio",
                _failing(
                    ENVIRONMENT,
                    'flatfile_jobs_finished_total{status="failed"}',
                    'flatfile_jobs_finished_total{status=~"complete|failed"}',
                    "flatfile_jobs",
                ),
            ),
            record(
                "agent:flatfile_agent_runs_failing:ratio",
                _failing(
                    f"{ENVIRONMENT}, agent_id, agent",
                    'flatfile_agent_executions_total{result="failure"}',
                    "flatfile_agent_executions_total",
                    "flatfile_agent_executions_total",
                ),
            ),
            record(
                "environment:flatfile_agent_queue_lag_seconds:p90",
                f"""\
max by ({ENVIRONMENT}) (
  histogram_quantile(0.9, sum by ({ENVIRONMENT}, job, instance, le) (rate({_LAG}_bucket[<<queue_lag_window>>])))
  and sum by ({ENVIRONMENT}, job, instance) (increase({_LAG}_count[<<queue_lag_window>>])) >= <<queue_lag_runs>>
)
and on ({ENVIRONMENT}) {_LAG}_count
or
0 * max by ({ENVIRONMENT}) ({_LAG}_count)""",
            ),
            record(
                "environment:flatfile_job_executing_age:seconds",
                f'time() - max by ({ENVIRONMENT}) (flatfile_job_oldest_open_timestamp_seconds{{status="executing"}})',
            ),
            record(
                "account:flatfile_up:avg",
                "max by (account) (avg_over_time(flatfile_up[<<unreachable_window>>]))\nand on (account) flatfile_up",
            ),
            record(
                "collector:flatfile_overdue:seconds",
                """\
time()
- max by (account, collector) (
  flatfile_exporter_collector_last_success_timestamp_seconds or 0 * flatfile_exporter_collector_success
)
- on (account, collector) <<collector_intervals>> * max by (account, collector) (
  flatfile_exporter_collector_interval_seconds
)""",
            ),
            record("account:flatfile_storage_success:min", "min by (account) (flatfile_exporter_storage_success)"),
            record(
                "account:flatfile_credentials_refused:increase",
                """\
sum by (account) (
  increase(flatfile_exporter_collector_errors_total{reason="unauthorized"}[<<credentials_window>>])
)
* on (account) (max by (account) (flatfile_up) == bool 0)""",
            ),
        ],
    },
    {
        "name": "flatfile-recording-events",
        "interval": "<<events_interval>>",
        "rules": [
            record("environment:flatfile_events_seen:timestamp", f"({EVENTS} > bool 0) * time()"),
            record(
                "environment:flatfile_events_silent:timestamp",
                f"group by ({ENVIRONMENT}) (\n{indent(_SILENT, '  ')}\n) * time()",
            ),
        ],
    },
]
